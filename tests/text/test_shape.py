"""Shapes: what one feature asks for has one, however it is spelled; another field has another."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.dialects import read_request
from freehold.model.exchange import Asked
from freehold.text.prompts.fingerprint import key
from freehold.text.prompts.request_shape import MOST_FIELDS, difference, format_shape, likeness, outline, tools_shape

STEP = {"type": "object", "properties": {"text": {"type": "string"}, "done": {"type": "boolean"}}}
PLAIN = {
    "type": "object",
    "properties": {
        "intent": {"type": "string", "enum": ["a", "b"]},
        "score": {"type": "number"},
        "note": {"type": "string"},
        "steps": {"type": "array", "items": STEP},
    },
}
STEP_FIRST = {"$defs": {"Step": STEP}}


def with_step(step: object, **fields: object) -> dict[str, object]:
    """The schema with the step spelled in another way, and other fields."""
    properties = {**PLAIN["properties"], "steps": {"type": "array", "items": step}, **fields}
    return {"$defs": {"Step": {**STEP, "title": "Step"}}, "type": "object", "properties": properties}


SAME = {
    "as it is": PLAIN,
    "strict": {**PLAIN, "additionalProperties": False, "required": ["intent", "score", "note", "steps"]},
    "a reference": with_step({"$ref": "#/$defs/Step"}),
    "allOf around a reference": with_step({"allOf": [{"$ref": "#/$defs/Step"}], "title": "Steps", "default": None}),
    "optional": with_step(STEP, note={"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}),
    "optional in one type": with_step(STEP, note={"type": ["string", "null"]}),
    "bounds": with_step(STEP, score={"type": "number", "minimum": 0, "maximum": 1, "description": "sure?"}),
    "const beside enum": with_step(STEP, intent={"const": "a", "enum": ["a"]}),
    "const": with_step(STEP, intent={"const": "a", "type": "string"}),
    "another enum": with_step(STEP, intent={"enum": ["kb-1", "kb-2", "kb-3"]}),
    "title and format": {
        **with_step(STEP, note={"type": "string", "format": "email", "title": "N"}),
        "title": "Answer",
    },
}
OTHER = {
    "one field more": with_step(STEP, more={"type": "string"}),
    "another type": with_step(STEP, score={"type": "string"}),
    "a field of the step": with_step({"type": "object", "properties": {"text": {"type": "string"}}}),
    "no list": with_step(STEP, steps=STEP),
}


def chat_format(schema: object, **more: object) -> str:
    return json.dumps({"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, **more}})


@pytest.mark.parametrize("way", SAME)
def test_spellings_of_one_schema_have_one_shape(way: str) -> None:
    assert format_shape(chat_format(SAME[way])) == format_shape(chat_format(PLAIN))


@pytest.mark.parametrize("way", OTHER)
def test_another_field_is_another_shape(way: str) -> None:
    assert format_shape(chat_format(OTHER[way])) != format_shape(chat_format(PLAIN))
    assert difference(outline(None, chat_format(PLAIN)), outline(None, chat_format(OTHER[way])))


def test_a_class_has_one_shape_however_its_client_writes_it() -> None:
    openai = {
        "category": {"enum": ["refund", "delivery"], "title": "Category", "type": "string"},
        "urgency": {"maximum": 5, "minimum": 1, "title": "Urgency", "type": "integer"},
        "items": {"items": {"type": "string"}, "maxItems": 3, "type": "array"},
        "fields": {"additionalProperties": {"type": "string"}, "type": "object"},
    }
    anthropic = {
        "category": {"enum": ["refund", "delivery"], "title": "Category"},
        "urgency": {"type": "integer", "title": "Urgency", "description": "{maximum: 5, minimum: 1}"},
        "items": {"type": "array", "items": {"type": "string"}, "description": "{maxItems: 3}"},
        "fields": {"type": "object", "properties": {}, "additionalProperties": False},
    }
    shapes = {format_shape(chat_format({"type": "object", "properties": fields})) for fields in (openai, anthropic)}
    assert len(shapes) == 1


def test_the_dialects_ways_to_ask_for_a_schema_are_one() -> None:
    beside = json.dumps({"type": "json_schema", "name": "Answer", "strict": True, "schema": PLAIN})
    alone = json.dumps({"type": "json_schema", "schema": PLAIN})
    assert len({format_shape(text) for text in (chat_format(PLAIN, strict=True), beside, alone)}) == 1
    assert format_shape('{"type":"json_object"}') not in ("", format_shape(alone))
    assert format_shape(None) == tools_shape(None) == ""


def test_formats_without_fields_are_told_by_name() -> None:
    one, other = chat_format({}), json.dumps({"json_schema": {"name": "other"}})
    assert format_shape(one) != format_shape(other)
    grammar = {"type": "grammar", "grammar": {"syntax": "regex", "definition": "a|b"}}
    assert format_shape(json.dumps(grammar)) != format_shape(json.dumps({**grammar, "grammar": {"definition": "c"}}))


FUNCTIONS = [(name, {"type": "object", "properties": {"q": {"type": kind}}}) for name, kind in
             (("find", "string"), ("open", "integer"), ("close", "string"))]  # fmt: skip


def test_tools_are_one_shape_in_any_order_and_dialect() -> None:
    chat = [{"type": "function", "function": {"name": n, "parameters": p, "strict": True}} for n, p in FUNCTIONS]
    responses = [{"type": "function", "name": n, "parameters": p, "description": n * 9} for n, p in FUNCTIONS]
    messages = [{"name": n, "input_schema": p, "cache_control": {"type": "ephemeral"}} for n, p in FUNCTIONS]
    shuffled = random.Random(1).sample(chat, len(chat))
    assert len({tools_shape(json.dumps(tools)) for tools in (chat, shuffled, responses, messages)}) == 1
    assert tools_shape(json.dumps(chat)) != tools_shape(json.dumps(chat[:2]))


def test_a_helpers_names_for_a_class_are_that_class() -> None:
    def tool(name: str, parameters: object) -> str:
        return tools_shape(json.dumps([{"type": "function", "function": {"name": name, "parameters": parameters}}]))

    optional = with_step(STEP, note={"anyOf": [{"type": "string"}, {"type": "null"}]})
    many = {"type": "object", "properties": {"tasks": {"type": "array", "items": {"$ref": "#/$defs/Answer"}}}}
    listed = {**many, "$defs": {"Answer": PLAIN}}
    assert tool("Answer", PLAIN) == tool("PartialAnswer", optional) == tool("IterableAnswer", listed)
    assert tool("Partial", PLAIN) != tool("", PLAIN)
    assert tool("Partialanswer", PLAIN) != tool("Answer", PLAIN)


def test_hosted_tools_are_told_by_their_kind() -> None:
    one = tools_shape(json.dumps([{"type": "web_search_20250305", "name": "web_search"}]))
    assert one == tools_shape(json.dumps([{"type": "web_search_20260101", "name": "web_search", "max_uses": 3}]))
    assert one != tools_shape(json.dumps([{"type": "code_interpreter"}]))
    servers = [json.dumps([{"type": "mcp", "server_label": label}]) for label in ("crm", "wiki")]
    assert len(set(map(tools_shape, servers))) == 2


def test_a_schema_that_names_itself_ends() -> None:
    tree = {"$defs": {"T": {"type": "object", "properties": {"v": {"type": "string"}, "sub": {"$ref": "#/$defs/T"}}}}}
    schema = {**tree, "$ref": "#/$defs/T"}
    assert outline(None, chat_format(schema)) == ("answer object", "answer.sub again", "answer.v string")


def test_a_huge_or_hostile_schema_is_told_by_its_text() -> None:
    wide = {"type": "object", "properties": {f"f{i}": {"type": "string"} for i in range(MOST_FIELDS + 1)}}
    doubling = {f"D{i}": {"anyOf": [{"$ref": f"#/$defs/D{i + 1}"}] * 2} for i in range(40)}
    bomb = {"$defs": doubling, "$ref": "#/$defs/D0"}
    deep = "[" * 5000 + "]" * 5000
    texts = [chat_format(wide), chat_format(bomb), f'{{"type":"json_schema","schema":{deep}}}', "no json", "[1]", '"x"']
    shapes = [format_shape(text) for text in texts]
    assert all(shapes)
    assert len(set(shapes[:4])) == 4
    assert [format_shape(text) for text in texts] == shapes


def test_outlines_say_what_differs() -> None:
    old = outline(None, chat_format(PLAIN))
    new = outline(None, chat_format(with_step(STEP, mood={"type": "string"})))
    assert difference(old, new) == ("+ answer.mood string",)
    assert difference(new, old) == ("- answer.mood string",)
    assert likeness(old, new) > 0.8
    assert likeness(old, outline('[{"name":"x"}]', None)) == 0.0
    assert likeness((), ()) == 1.0


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["type", "properties", "items", "anyOf", "allOf", "$ref", "enum", "const", "schema", "name",
                         "json_schema", "function", "parameters", "prefixItems", "a"]), inner, max_size=5),
    max_leaves=25,
)  # fmt: skip


@given(json_values)
def test_whatever_is_sent_has_a_shape(value: object) -> None:
    text = json.dumps(value)
    assert isinstance(format_shape(text), str)
    assert isinstance(tools_shape(text), str)
    assert len(outline(text, text)) <= 200


def read(dialect: str, **body: object) -> Asked:
    return read_request(dialect, json.dumps({"model": "m", **body}).encode())  # type: ignore[arg-type]


def test_one_feature_has_one_key_in_the_three_apis() -> None:
    prompt = "Return the intent of the message as JSON, after the schema."
    lead = {"role": "system", "content": prompt}
    asked = [
        read("openai-chat", messages=[lead, {"role": "user", "content": "hi"}],
             response_format={"type": "json_schema", "json_schema": {"name": "i", "strict": True, "schema": PLAIN}}),
        read("openai-chat", messages=[{**lead, "role": "developer"}, {"role": "user", "content": "hi"}],
             response_format={"type": "json_schema", "json_schema": {"name": "i", "schema": PLAIN}}),
        read("openai-responses", instructions=prompt, input="hi",
             text={"format": {"type": "json_schema", "name": "i", "schema": PLAIN}}),
        read("openai-responses", input=[lead, {"role": "user", "content": "hi"}],
             text={"format": {"type": "json_schema", "name": "i", "schema": PLAIN}}),
        read("anthropic-messages", system=prompt, messages=[{"role": "user", "content": "hi"}],
             output_config={"format": {"type": "json_schema", "schema": PLAIN}}),
        read("anthropic-messages", system=prompt, messages=[{"role": "user", "content": "hi"}],
             output_format={"type": "json_schema", "schema": PLAIN}),
    ]  # fmt: skip
    assert len({key(one) for one in asked}) == 1
