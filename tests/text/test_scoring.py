"""Comparing answers, per kind: hand-computed cases and properties."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.text.json_text import parse_json
from freehold.text.scoring import field_name, is_acceptable, leaves, normal_label, normal_text, score

SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-1e3, 1e3) | st.text(max_size=6)
VALUES = st.recursive(
    SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=4), v, max_size=3), max_leaves=8
)


@pytest.mark.parametrize(
    ("wanted", "got", "is_exact"),
    [
        ("refund", "Refund", True),
        ("refund", ' "Refund". ', True),
        ("refund", "“refund”", True),
        ("card arrival", "card\n  arrival!", True),
        ("refund", "refunds", False),
        ("refund", "", False),
        ("!", "?", False),
        ("!", "!", True),
        ("straße", "STRASSE", True),
    ],
)
def test_label(wanted: str, got: str, is_exact: bool) -> None:
    assert score("label", wanted, got).is_exact is is_exact


@pytest.mark.parametrize(
    ("wanted", "got", "is_exact", "graded"),
    [
        ('{"a": 1, "b": "x"}', '{"b": "x ", "a": 1.0}', True, 1.0),
        ('{"a": 1}', '```json\n{"a": 1}\n```', True, 1.0),
        ('{"a": 1}', 'Here it is:\n```\n{"a": 1}\n``` done', True, 1.0),
        ('{"a": 1}', '{"a": true}', False, 0.0),
        ('{"a": 0}', '{"a": false}', False, 0.0),
        ('{"a": null}', "{}", False, 0.0),
        ('{"a": 1, "b": 2}', '{"a": 1, "b": 3}', False, 0.5),
        ('{"a": 1, "b": 2}', '{"a": 1}', False, 2 / 3),
        ('{"a": 1}', '{"a": 1, "b": 2, "c": 3}', False, 0.5),
        ('{"a": ["x", "y"]}', '{"a": ["y", "x"]}', False, 0.0),
        ('{"a": {"b": 1}}', '{"a.b": 1}', False, 0.0),
        ('{"a": {}}', '{"a": []}', False, 0.0),
        ('{"a": []}', '{"a": []}', True, 1.0),
        ("{}", "{}", True, 1.0),
        ("[1, 2]", "[1, 2]", True, 1.0),
        ('"x"', '"x"', True, 1.0),
        ('{"a": 1}', "nothing", False, 0.0),
        ('{"a": 1}', '{"a": NaN}', False, 0.0),
    ],
)
def test_json(wanted: str, got: str, is_exact: bool, graded: float) -> None:
    scored = score("json", wanted, got)
    assert (scored.is_exact, scored.graded) == (is_exact, pytest.approx(graded))


def test_json_says_which_fields_agree() -> None:
    scored = score("json", '{"a": {"b": 1, "c": [2, 3]}}', '{"a": {"b": 1, "c": [2]}, "d": 0}')
    assert scored.fields == {"a.b": True, "a.c[0]": True, "a.c[1]": False, "d": False}
    assert field_name("a.c[1].x[20]") == "a.c[].x[]"


def test_json_that_was_never_json_is_compared_as_text() -> None:
    assert score("json", "I cannot  say", "I cannot say").is_exact
    assert not score("json", "I cannot say", '{"a": 1}').is_exact


def test_nesting_deeper_than_python_recurses_is_no_crash() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    assert not is_acceptable("json", deep)
    assert not score("json", '{"a": 1}', deep).is_valid
    assert len(leaves(json.loads("[" * 900 + "]" * 900))) == 1


@pytest.mark.parametrize(
    ("wanted", "got", "is_exact", "graded"),
    [
        ("What is  it?", " What is it?\n", True, 1.0),
        ("What is it?", "what is it?", False, 1.0),
        ("a b c d", "a c", False, 2 / 3),
        ("a b", "b a", False, 0.5),
        ("a b", "c", False, 0.0),
        ("a b", "", False, 0.0),
        ("café", "cafe\u0301", True, 1.0),
    ],
)
def test_text(wanted: str, got: str, is_exact: bool, graded: float) -> None:
    scored = score("text", wanted, got)
    assert (scored.is_exact, scored.graded) == (is_exact, pytest.approx(graded))


def test_a_client_of_json_needs_bare_json() -> None:
    assert is_acceptable("json", ' {"a": 1} ')
    assert not is_acceptable("json", '```json\n{"a": 1}\n```')
    assert not is_acceptable("json", "")
    assert is_acceptable("label", "x")
    assert not is_acceptable("label", " \n")


@given(VALUES)
def test_every_json_value_equals_itself_however_it_is_written(value: object) -> None:
    written, spaced = json.dumps(value), json.dumps(value, indent=3, ensure_ascii=False)
    for got in (written, spaced, f"```json\n{spaced}\n```" if "```" not in spaced else written):
        scored = score("json", written, got)
        assert scored.is_exact
        assert scored.graded == 1.0


@given(VALUES, VALUES)
def test_grades_are_shares_and_the_same_both_ways(first: object, second: object) -> None:
    a, b = json.dumps(first), json.dumps(second)
    there, back = score("json", a, b), score("json", b, a)
    assert 0.0 <= there.graded <= 1.0
    assert there.graded == pytest.approx(back.graded)
    assert there.is_exact == back.is_exact
    assert not there.is_exact or there.graded == 1.0


@given(st.text(max_size=30), st.sampled_from(["label", "json", "text", "tools"]), st.text(max_size=30))
def test_any_text_can_be_compared(wanted: str, kind: str, got: str) -> None:
    assert 0.0 <= score(kind, wanted, got).graded <= 1.0
    assert score(kind, wanted, wanted).is_exact
    parse_json(got)


@given(st.text(max_size=20))
def test_normal_forms_are_normal(text: str) -> None:
    assert normal_label(normal_label(text)) == normal_label(text)
    assert normal_text(normal_text(text)) == normal_text(text)
