"""JSON in other clothes, and prose that only shows some."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.model import Answer
from freehold.text.json_text import is_bare_json, parse_json
from freehold.text.output_kind import is_json, output_kind

VALUE = {"topic": "brakes", "n": [1, {"a": "}"}]}
BARE = json.dumps(VALUE)
PRETTY = json.dumps(VALUE, indent=2)
LONG = "First I look at what the customer says about the bicycle. " * 20


@pytest.mark.parametrize(
    "text",
    [
        BARE,
        f"\n {PRETTY}\n",
        f"```json\n{PRETTY}\n```",
        f"```\n{BARE}\n```\n",
        f"```json\n{BARE}",
        f"Of course! This is the JSON:\n{BARE}",
        f"Of course! This is the JSON: {BARE}",
        f"Voilà :\n\n{PRETTY}",
        f"结果如下:{BARE}",
        f"{BARE}\n\nTell me if you need anything else!",
        f"Here it is:\n{PRETTY}\nAnything else?",
        f"Here it is:\n```json\n{BARE}\n```\nAnything else?",
        f"{LONG}\n```json\n{BARE}\n```",
        f"JSON:\n{BARE}.",
    ],
)
def test_one_value_with_little_text_around_it_is_json(text: str) -> None:
    assert parse_json(text) == (VALUE, True)
    assert is_json(text)
    assert is_bare_json(text) is (text.strip().startswith(("{", "```")) and text.strip().endswith(("}", "`")))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "brakes",
        "I would look at the {chain} first.",
        f"Send {BARE} to the workshop and wait for the reply.",
        f"Send this:\n{BARE}\nand then wait until the workshop has replied. {LONG}",
        f"{LONG}\n{BARE}",
        f"Either\n{BARE}\nor\n{BARE}",
        f"Either:\n```json\n{BARE}\n```\nor:\n```json\n{BARE}\n```",
        f"```json\n{BARE}\n```\n{LONG}",
        "The chain is loose. [1]",
        "The chain is loose.\n[1]",
        "[1] See the manual.",
        "- [x] brakes\n- [ ] gears",
        'He said: {"topic": }',
        'Cut off: {"topic": "bra',
        "[" * 50_000,
        "a:{" * 50_000,
    ],
)
def test_prose_with_a_snippet_is_not_json(text: str) -> None:
    assert not is_json(text)


def test_the_same_fields_have_to_come_back() -> None:
    bare = [json.dumps({"topic": f"t{i}", "n": i}) for i in range(80)]
    clothed = [f"Sure, this is it:\n{json.dumps({'topic': f't{i}', 'n': i})}" for i in range(20)]
    assert output_kind([Answer(text=text) for text in bare + clothed]) == "json"
    assert output_kind([Answer(text=text) for text in clothed]) == "json"
    manual = [f"Set it like this:\n{json.dumps({f'option_{i}': i})}\nThen start it again." for i in range(100)]
    assert all(map(is_json, manual))
    assert output_kind([Answer(text=text) for text in manual]) == "text"
    lists = [f'Tags:\n["a{i}", "b{i}"]' for i in range(50)]
    assert output_kind([Answer(text=text) for text in lists]) == "json"


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_text_is_too_odd(before: str, after: str) -> None:
    value, found = parse_json(before + BARE + after)
    assert found or value is None
