"""What is left of an owned answer for a client that began it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.text.prefill import rest_after

JSON: Any = st.dictionaries(
    st.text(max_size=4),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=6),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=8,
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize(
    ("prefill", "answer", "rest"),
    [
        ("", "anything", "anything"),
        ("{", '{"a": 1}', '"a": 1}'),
        ('{"intent":', '{ "intent": "refund" }', '"refund" }'),
        ('{\n  "intent": "', '{"intent":"refund"}', 'refund"}'),
        ('{"a": "x y', '{"a":"x y z"}', ' z"}'),
        ('{"a": "x  y', '{"a":"x y z"}', None),
        ('{"a": "\\"b', '{"a":"\\"bc"}', 'c"}'),
        ('{"a": "b', '{"a":"c"}', None),
        ('{"n": 1', '{"n":12}', "2}"),
        ('{"n": 1 ', '{"n":12}', None),
        ('{"n": 1 ', '{"n":1}', "}"),
        ("[", "[1, 2]", "1, 2]"),
        ("Here is the JSON:\n{", '{"a": 1}', '"a": 1}'),
        ("```json\n{", '{"a": 1}', None),
        ("The label is", "The label is refund", " refund"),
        ("The label is ", "The label is refund", "refund"),
        ("The label is\n", "The label is refund", "refund"),
        ("The label is ", "The label isolated", None),
        ("the label is", "The label is refund", None),
        ("Refund", "Refund", None),
        ('{"a":1}', '{"a":1}', None),
        ("{", "refund", None),
        ("<answer>", '{"a":1}', None),
    ],
)
def test_the_rest_of_an_answer(prefill: str, answer: str, rest: str | None) -> None:
    assert rest_after(prefill, answer) == rest


@given(JSON, st.data())
def test_a_beginning_in_other_white_space_and_the_rest_are_the_answer(value: Any, data: Any) -> None:
    begun = json.dumps(value, indent=data.draw(st.sampled_from([None, 2])), ensure_ascii=False)
    answer = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    prefill = begun[: data.draw(st.integers(0, len(begun)))]
    rest = rest_after(prefill, answer)
    if rest is not None:
        assert json.loads(prefill + rest) == value
    else:
        assert prefill == begun


@given(st.text(), st.text())
def test_a_rest_is_always_the_end_of_the_answer(prefill: str, answer: str) -> None:
    rest = rest_after(prefill, answer)
    assert rest is None or answer.endswith(rest)
