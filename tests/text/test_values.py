"""Value tokens: which tokens of a JSON answer carry its values, however the engine cuts it up."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.model.engine import read_owned
from freehold.text.json_tokens import Token, value_logprobs, value_spans
from freehold.text.scoring import leaves


def values_in(text: str) -> list[str]:
    return [text.encode()[start:end].decode() for start, end in value_spans(text)]


def tokens(*pieces: str | bytes) -> list[Token]:
    """Pieces with the log probabilities -1, -2, ..."""
    return [(p if isinstance(p, bytes) else p.encode(), -float(i)) for i, p in enumerate(pieces, 1)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('{"a": "x", "b": [1, null]}', ['"x"', "1", "null"]),
        ('{"a":{"b":{"c":-1.5e+3}},"d":true}', ["-1.5e+3", "true"]),
        ('{"a": "say \\"b\\": {1}", "c\\"d" : false}', ['"say \\"b\\": {1}"', "false"]),
        ('{"a": "ends in \\\\", "b": "Grüße €"}', ['"ends in \\\\"', '"Grüße €"']),
        ('{"a": [], "b": { }, "c": [[]]}', ["[]", "{ }", "[]"]),
        ('[{"a": "x"}, "y"]', ['"x"', '"y"']),
        ("{}", ["{}"]),
        ('{"a": "cut o', []),
        ("refund", []),
        ('"refund"', []),
        ("42", []),
        ("", []),
        ('{"a": NaN}', []),
        ("[" * 100_000, []),
    ],
)
def test_spans_by_hand(text: str, values: list[str]) -> None:
    assert values_in(text) == values


def test_a_token_that_lies_partly_in_a_value_counts() -> None:
    text = '{"intent": "refund", "n": 12}'
    cut = tokens("{", '"int', 'ent"', ': "', "ref", "und", '",', ' "n"', ":", " 12", "}", "")
    assert "".join(piece.decode() for piece, _ in cut) == text
    assert value_logprobs(text, cut) == (-4.0, -5.0, -6.0, -7.0, -10.0)


def test_a_character_split_over_tokens_is_laid_by_its_bytes() -> None:
    text = '{"a":"ü","b":1}'
    cut = tokens('{"', 'a":"', b"\xc3", b"\xbc", '","', 'b":', "1", "}")
    assert value_logprobs(text, cut) == (-2.0, -3.0, -4.0, -5.0, -7.0)


def test_tokens_around_the_answer_are_skipped() -> None:
    text = '{"a":1}'
    assert value_logprobs(text, tokens(" ", '{"a":', "1", "}", "<|im_end|>")) == (-3.0,)


@pytest.mark.parametrize("cut", [[], tokens("something else"), tokens("\ufffd", '{"a":', "1}")[:1]])
def test_tokens_that_do_not_spell_the_answer_tell_nothing(cut: list[Token]) -> None:
    assert value_logprobs('{"a":1}', cut) == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=3) | st.dictionaries(st.text(max_size=5), JSON, max_size=3), st.booleans(), st.data())
def test_any_json_has_a_span_for_each_leaf_and_any_cut_covers_them(
    value: Any, is_ascii: bool, data: st.DataObject
) -> None:
    text = json.dumps(value, ensure_ascii=is_ascii)
    raw = text.encode("utf-8", "surrogatepass")
    spans = value_spans(text)
    assert len(spans) == len(leaves(value))
    for start, end in spans:
        json.loads(raw[start:end])
    cuts = sorted({0, len(raw), *data.draw(st.lists(st.integers(0, len(raw)), max_size=8))})
    pieces = [(raw[a:b], -float(a)) for a, b in itertools.pairwise(cuts)]
    expected = [-float(a) for a, b in itertools.pairwise(cuts) if any(s < b and e > a for s, e in spans)]
    assert list(value_logprobs(text, pieces)) == expected


def completion(text: str, entries: list[dict[str, Any]], finish: str = "stop") -> bytes:
    choice = {"message": {"content": text}, "logprobs": {"content": entries}, "finish_reason": finish}
    return json.dumps({"choices": [choice]}).encode()


def test_an_engine_s_answer_is_read_with_its_value_tokens() -> None:
    entries = [
        {"token": '{"a":"', "bytes": list(b'{"a":"'), "logprob": -0.1},
        {"token": "\ufffd", "bytes": [0xC3], "logprob": -0.2},
        {"token": "\ufffd", "bytes": [0xBC], "logprob": -0.3},
        {"token": '"}', "logprob": -0.4},
    ]
    answer = read_owned(completion('{"a":"ü"}', entries), latency_ms=1.0)
    assert answer.logprobs == answer.value_logprobs == (-0.1, -0.2, -0.3, -0.4)
    assert read_owned(completion("refund", [{"token": "refund", "logprob": -1}]), latency_ms=1.0).value_logprobs == ()
    assert read_owned(completion("", []), latency_ms=1.0).value_logprobs == ()


@pytest.mark.parametrize("entry", [{}, {"logprob": "x"}, {"logprob": None}, {"logprob": -1, "bytes": [300]}, 7, None])
def test_an_engine_s_broken_tokens_are_no_answer(entry: Any) -> None:
    with pytest.raises(ValueError):
        read_owned(completion('{"a":1}', [entry]), latency_ms=1.0)
