"""What kind of answers a task has."""

from __future__ import annotations

import random

import pytest

from freehold.model import Answer, ToolCall
from freehold.text.output_kind import output_kind

TOOL = Answer(tool_calls=(ToolCall("1", "find", "{}"),))


def kind_of(*texts: str) -> str:
    return output_kind([Answer(text=text) for text in texts])


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        ([], "text"),
        (["", "  "], "text"),
        (['{"a": 1}'], "json"),
        (["[1]", '```json\n{"a": 1}\n```'], "json"),
        (['{"a": 1}'] * 97 + ["Sorry, I cannot."] * 3, "json"),
        (["12", "12"], "label"),
        (["yes"] * 10, "label"),
        (["yes", "no", "Yes.", "no"], "label"),
        (["spam", "ham"] * 50 + ["I am sorry, but this message does not say enough for a label."] * 3, "label"),
        (["one"], "text"),
        (["Paris", "Rome", "Oslo", "Bern"], "text"),
        (["line\nline"] * 9, "text"),
        (["A sentence that comes back word for word but is far too long to be called a label."] * 9, "text"),
    ],
)  # fmt: skip
def test_kinds(texts: list[str], kind: str) -> None:
    assert kind_of(*texts) == kind


def test_many_labels_are_labels_once_they_come_back() -> None:
    rng = random.Random(1)
    answers = [f"label_{rng.randrange(77)}" for _ in range(400)]
    assert kind_of(*answers) == "label"
    assert kind_of(*(f"name {i}" for i in range(400))) == "text"


def test_tool_calls_and_refusals() -> None:
    assert output_kind([TOOL, TOOL, Answer(text="done")]) == "tools"
    assert output_kind([Answer(text="no", is_refusal=True)] * 9 + [Answer(text='{"a":1}')]) == "json"
