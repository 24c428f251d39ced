"""Schemas as providers take them: which answers keep to one, and the least that does."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.text.schema import blank, keeps_to, schema_of

REFERRED = {
    "$defs": {
        "Money": {
            "type": "object",
            "properties": {"amount": {"type": "number", "minimum": 0}, "unit": {"enum": ["EUR", "CHF"]}},
            "required": ["amount", "unit"],
            "additionalProperties": False,
        },
        "Node": {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}}},
    },
    "type": "object",
    "properties": {
        "price": {"$ref": "#/$defs/Money"},
        "old": {"allOf": [{"$ref": "#/$defs/Money"}], "description": "as it was"},
        "path": {"$ref": "#/$defs/Node"},
    },
    "required": ["price"],
}
MONEY = {"amount": 3, "unit": "EUR"}


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        (REFERRED, [{"price": MONEY}, {"price": MONEY, "old": MONEY}], [{"price": {"amount": 3}}, {"old": MONEY}]),
        (REFERRED, [{"price": MONEY, "path": {"next": {"next": None}}}], [{"price": MONEY, "path": {"next": 3}}]),
        (REFERRED, [{"price": MONEY}], [{"price": {**MONEY, "more": 1}}, {"price": {"amount": -1, "unit": "EUR"}}]),
        ({"$ref": "#/definitions/T", "definitions": {"T": {"type": "string"}}}, ["a"], [1]),
        (
            {"type": "object", "properties": {"sub": {"$ref": "#"}}, "required": []},
            [{"sub": {"sub": {}}}],
            [{"sub": 1}],
        ),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, ["a", 1], [1.5, None]),
        ({"oneOf": [{"type": "number"}, {"type": "integer"}]}, [1], ["a"]),
        ({"allOf": [{"type": "integer", "minimum": 2}, {"maximum": 4}]}, [2, 4], [1, 5, "3"]),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, [0.5], [0, 1]),
        ({"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2}, [["a"]], [[], ["a"] * 3, [1]]),
        (
            {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False},
            [["a", 1]],
            [["a", 1, 2], [1, 1]],
        ),
        (
            {"type": "array", "items": [{"type": "string"}], "additionalItems": {"type": "integer"}},
            [["a", 1]],
            [["a", "b"]],
        ),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, [{}, {"a": 1}], [{"a": "1"}]),
        ({"type": "object", "patternProperties": {"^x-": {}}, "additionalProperties": False}, [{"x-a": 1}], [{"a": 1}]),
        ({"type": "object", "minProperties": 1, "maxProperties": 1}, [{"a": 1}], [{}, {"a": 1, "b": 2}]),
        ({"type": "string", "minLength": 2, "maxLength": 3}, ["ab", "äöü"], ["a", "abcd"]),
        ({"type": "string", "pattern": "^[A-Z]-\\d+$"}, ["A-12"], ["a-12", "A-"]),
        ({"type": "string", "pattern": "(?<odd>x)"}, ["anything"], [1]),
        ({"type": "string", "format": "date-time"}, ["2026-11-30T10:00:00Z", "soon"], [1]),
        ({"type": "string", "nullable": True}, ["a", None], [1]),
        ({"type": ["string", "null"]}, ["a", None], [1]),
        ({"const": {"a": 1}}, [{"a": 1}], [{"a": 2}, {}]),
        ({"properties": {"never": False}}, [{}], [{"never": 1}]),
        ({"$ref": "https://example.org/schema.json"}, [1, "a"], []),
        ({"$ref": "#/$defs/none"}, [1, "a"], []),
    ],
)
def test_what_keeps_to_a_schema_and_what_breaks_it(schema: object, good: list[object], bad: list[object]) -> None:
    form = json.dumps({"type": "json_schema", "schema": schema})
    assert [value for value in good if not keeps_to(form, json.dumps(value))] == []
    assert [value for value in bad if keeps_to(form, json.dumps(value))] == []


SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


@pytest.mark.parametrize(
    "form",
    [
        {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": SCHEMA}},
        {"type": "json_schema", "name": "x", "strict": True, "schema": SCHEMA},
        {"type": "json_schema", "schema": SCHEMA},
        {"format": {"type": "json_schema", "schema": SCHEMA}},
        {"type": "json_object", "schema": SCHEMA},
        {"type": "json", "value": SCHEMA},
        {"type": "json_schema", "json_schema": SCHEMA},
        SCHEMA,
    ],
)
def test_a_schema_is_found_where_the_dialects_put_it(form: object) -> None:
    assert schema_of(json.dumps(form)) == SCHEMA
    assert keeps_to(json.dumps(form), '{"a": 1}') is True
    assert keeps_to(json.dumps(form), '{"a": "1"}') is False
    assert blank(json.dumps(form)) == '{"a":0}'


def test_a_format_without_a_schema_says_nothing() -> None:
    for form in (None, "", "{", "[]", "3", '{"type": "json_object"}', '{"json_schema": 3}', "[" * 100_000):
        assert keeps_to(form, "{}") is None
        assert blank(form) == "{}"


@pytest.mark.parametrize(
    ("schema", "least"),
    [
        ({"enum": ["low", "high"]}, "low"),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, ""),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 2}, [False, False]),
        ({"type": "integer", "minimum": 3}, 3),
        ({"type": "number", "exclusiveMinimum": 3}, 4),
        ({"type": "string", "minLength": 2}, "--"),
        ({"const": "v1"}, "v1"),
        ({"type": ["string", "null"]}, ""),
        ({"type": "object", "properties": {"y": {"type": "boolean"}}, "required": ["y"]}, {"y": False}),
    ],
)
def test_the_least_that_keeps_to_a_schema(schema: object, least: object) -> None:
    form = {"schema": {"type": "object", "required": ["x"], "properties": {"x": schema}}}
    assert json.loads(blank(json.dumps(form))) == {"x": least}
    assert keeps_to(json.dumps(form), blank(json.dumps(form))) is True


def test_the_least_of_a_schema_with_references_or_of_one_that_cannot_be_met() -> None:
    assert json.loads(blank(json.dumps({"schema": REFERRED}))) == {"price": {"amount": 0, "unit": "EUR"}}
    hard = {"type": "object", "required": ["x"], "properties": {"x": {"type": "string", "pattern": "^[A-Z]$"}}}
    for schema in (hard, {"type": "object"}, {"type": "string", "minLength": 10**9}):
        assert blank(json.dumps({"schema": schema})) == "{}"


def test_a_hostile_schema_ends_soon() -> None:
    wide = {"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}] * 20}}, "$ref": "#/$defs/a"}
    slow = {"type": "string", "pattern": "^(a+)+$"}
    deep: dict[str, object] = {}
    for _ in range(200):
        deep = {"properties": {"a": deep}, "required": ["a"]}
    began = time.process_time()
    assert keeps_to(json.dumps({"schema": wide}), "[1]") is True
    assert keeps_to(json.dumps({"schema": slow}), json.dumps("a" * 60 + "!")) is True
    assert keeps_to(json.dumps({"schema": deep}), "{}") is False
    for schema in (wide, slow, deep):
        assert json.loads(blank(json.dumps({"schema": schema}))) is not ...
    assert time.process_time() - began < 5


NAMES = ["type", "properties", "items", "anyOf", "allOf", "$ref", "required", "enum", "minItems", "minimum", "a"]
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(NAMES), inner),
    max_leaves=20,
)


@given(ODD)
def test_no_schema_is_too_odd(schema: object) -> None:
    form = json.dumps({"schema": {"type": "object", "properties": {"a": schema}, "required": ["a"]}})
    assert keeps_to(form, '{"a": [1, {"a": "x"}]}') in (True, False)
    assert isinstance(json.loads(blank(form)), dict)
