"""The format that each request names goes into its example, and decides what is taken for an answer to it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from freehold.freeze import FreezeSettings, Frozen, LabelledCall, build, load, write
from freehold.model import Answer, Asked, Example, Message
from freehold.model.dataset import SPLITS
from freehold.model.task import Task

TASK = Task(id="t1", name="triage", key="k", kind="json")
SMALL = FreezeSettings(min_examples=10, near_duplicate=1.0)


def schema(*intents: str) -> str:
    """A response format, canonical JSON, that allows these intents."""
    wanted = {"type": "object", "properties": {"intent": {"enum": [*intents]}}, "required": ["intent"]}
    return json.dumps(
        {"json_schema": {"name": "intent", "schema": wanted}, "type": "json_schema"},
        sort_keys=True,
        separators=(",", ":"),
    )


REFUND = '{"intent":"refund"}'
DELIVERY = '{"intent":"delivery"}'
NARROW, WIDE = schema("refund", "other"), schema("delivery", "refund")
"""Two schemas of one shape, as a product writes them that fills in its choices for each request."""
NONE = (None, '{"type":"json_object"}', '{"type":"text"}')
"""What names no schema."""


def call(number: int, answer: str = "", form: str | None = "", *, is_plain: bool = True) -> LabelledCall:
    """A call that asks for JSON; even ones are narrow and get a refund, odd ones wide and get a delivery."""
    messages = (Message("system", "Say the intent as JSON."), Message("user", f"case {number * 7919} of {number}"))
    form = (NARROW, WIDE)[number % 2] if form == "" else form
    asked = Asked(dialect="openai-chat", messages=messages, response_format=form, is_plain=is_plain)
    told = Answer(text=answer or (REFUND, DELIVERY)[number % 2], finish_reason="stop")
    return LabelledCall(call_id=f"{number:05d}", created_at=1000.0 + number, asked=asked, answer=told)


def frozen_of(*more: LabelledCall) -> Frozen:
    """The dataset of 80 calls and these."""
    return build([*(call(i) for i in range(80)), *more], task=TASK, settings=SMALL)


def examples(frozen: Frozen) -> list[Example]:
    """Those of all splits."""
    return [example for split in SPLITS for example in frozen.examples[split]]


def test_each_example_has_the_schema_that_its_own_request_names() -> None:
    frozen = frozen_of()
    found = {int(example.id): example.response_format for example in examples(frozen)}
    assert found == {number: (NARROW, WIDE)[number % 2] for number in range(80)}
    for split in SPLITS:
        assert {example.response_format for example in frozen.examples[split]} == {NARROW, WIDE}


@pytest.mark.parametrize("form", NONE)
def test_a_format_without_a_schema_is_left_out(form: str | None) -> None:
    frozen = build([call(i, form=form) for i in range(80)], task=TASK, settings=SMALL)
    assert {example.response_format for example in examples(frozen)} == {""}
    assert all(example.takes("json", '{"intent":7}') for example in examples(frozen))
    assert not any(example.takes("json", "refund") for example in examples(frozen))


def test_an_answer_is_taken_by_the_format_of_the_example_that_it_is_for() -> None:
    checked = 0
    for example in examples(frozen_of()):
        taken = [text for text in (REFUND, DELIVERY, '{"intent":7}', "[]", "refund") if example.takes("json", text)]
        assert taken == ([REFUND, DELIVERY] if example.response_format == WIDE else [REFUND])
        assert example.takes("json", example.target)
        checked += 1
    assert checked == 80


def test_the_format_is_in_the_files(tmp_path: Path) -> None:
    frozen = frozen_of()
    stored = load(write(frozen, tmp_path))
    assert [row for split in SPLITS for row in stored.split(split)] == examples(frozen)


def test_a_call_set_aside_has_it_only_where_a_model_would_be_asked() -> None:
    off_schema, no_json = call(200, DELIVERY), call(201, "no JSON")
    refused = replace(call(204), answer=Answer(text="I cannot", is_refusal=True))
    frozen = frozen_of(off_schema, no_json, refused, call(205, is_plain=False))
    aside = {example.id: example.response_format for example in frozen.examples["proof"] if example.is_aside}
    assert aside == {"00200": NARROW, "00201": WIDE, "00204": NARROW, "00205": ""}
