"""The shape of tools and of a response format: equal for what one feature asks for, however a client spells it.

A shape is the set of named fields with the types of their values, and the names of the tools. What a schema says
beside that is left out: order, titles, descriptions, defaults, which fields are required, bounds and patterns, the
values of an enum, `strict`, `additionalProperties`, null as one more type, `$ref` and `allOf` around a type. So a class
gives one shape in OpenAI's two APIs and in Anthropic's, in any version of pydantic, and with an enum that each request
fills anew.

    {"properties": {"intent": {"enum": ["a", "b"]}}}   gives   intent string

`outline` is the shape as lines that people can read; `difference` and `likeness` compare two of them.

Not covered: what fields mean. Schemas with more than MOST_FIELDS fields or nested deeper than MOST_DEEP are told apart
by their text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache

from freehold.model.ids import sha256_hex
from freehold.text.prompts.fingerprint_v1 import mask_v1

MOST_FIELDS = 4000
MOST_DEEP = 32
_MOST_SHOWN = 200
_LONGEST_REMEMBERED = 65_536
_RENAMED = re.compile(r"(?:Partial|Iterable)(?=[A-Z])")
_TYPE_NAMES = {bool: "boolean", int: "integer", float: "number", str: "string", dict: "object", list: "array"}
_UNIONS = ("anyOf", "oneOf", "allOf")

JsonObject = Mapping[str, object]


def tools_shape(tools: str | None) -> str:
    """A short digest of the shape of the tools (a JSON array); empty for none."""
    return _digest(tools, "tools")


def format_shape(response_format: str | None) -> str:
    """A short digest of the shape of the response format (a JSON object); empty for none."""
    return _digest(response_format, "format")


def outline(tools: str | None, response_format: str | None) -> tuple[str, ...]:
    """The shapes as lines: `answer.intent string`, `tool find_order`, `tool find_order.id string`; at most 200."""
    lines = (*_lines(response_format, "format"), *_lines(tools, "tools"))
    return tuple(sorted(lines)[:_MOST_SHOWN])


def likeness(one: Collection[str], other: Collection[str]) -> float:
    """The share of lines that two outlines have in common, of all lines in either; 1 for two empty ones."""
    both = set(one) | set(other)
    return len(set(one) & set(other)) / len(both) if both else 1.0


def difference(old: Collection[str], new: Collection[str]) -> tuple[str, ...]:
    """What differs, as `+ line` and `- line`."""
    added, gone = sorted(set(new) - set(old)), sorted(set(old) - set(new))
    return (*(f"- {line}" for line in gone), *(f"+ {line}" for line in added))


def _digest(text: str | None, kind: str) -> str:
    if not text:
        return ""
    if len(text) > _LONGEST_REMEMBERED:
        return _digest_of(text, kind)
    return _remembered_digest(text, kind)


@lru_cache(maxsize=512)
def _remembered_digest(text: str, kind: str) -> str:
    return _digest_of(text, kind)


def _digest_of(text: str, kind: str) -> str:
    lines = _lines(text, kind)
    return sha256_hex("\n".join(sorted(lines)))[:16] if lines else ""


def _lines(text: str | None, kind: str) -> set[str]:
    """The lines of a shape; for what cannot be read, one line that stands for its text."""
    if not text:
        return set()
    try:
        value: object = json.loads(text)
        return set(_of_tools(value) if kind == "tools" else _of_format(value))
    except (ValueError, RecursionError, _TooLargeError):
        return {f"{kind} {sha256_hex(mask_v1(text))[:12]}"}


class _TooLargeError(Exception):
    """A schema has more fields, or is nested deeper, than is looked at."""


def _of_format(value: object) -> Iterator[str]:
    """A response format of any dialect: its schema may lie in `json_schema` or beside the type."""
    outer = _object(value)
    inner = _object(outer.get("json_schema")) or outer
    schema = _object(inner.get("schema"))
    kind = outer.get("type")
    if schema:
        lines = set(_Schema(schema).lines("answer"))
        yield from lines
        if any(line.startswith(("answer.", "answer[")) for line in lines):
            return
    name = inner.get("name")
    is_plain = isinstance(kind, str) and set(outer) <= {"type"}
    yield f"answer {kind}" if is_plain else f"answer {kind} {name if isinstance(name, str) else _rest(outer)}"


def _of_tools(value: object) -> Iterator[str]:
    for item in value if isinstance(value, list) else [value]:
        outer = _object(item)
        tool = _object(outer.get("function")) or _object(outer.get("custom")) or outer
        name = tool.get("name")
        if not isinstance(name, str) or not name:
            label = outer.get("server_label") or outer.get("type")
            yield f"tool {mask_v1(label)}" if isinstance(label, str) else f"tool {_rest(outer)}"
            continue
        name = _RENAMED.sub("", name, count=1) if _RENAMED.match(name) else name
        kind = outer.get("type")
        is_hosted = isinstance(kind, str) and kind not in ("function", "custom")
        yield f"tool {mask_v1(kind) if is_hosted and isinstance(kind, str) else name}"
        schema = next((_object(tool[key]) for key in ("parameters", "input_schema") if _object(tool.get(key))), {})
        if schema:
            yield from (line for line in _Schema(schema, is_unwrapped=True).lines(f"tool {name}") if "." in line)


def _rest(value: JsonObject) -> str:
    return sha256_hex(mask_v1(json.dumps(value, sort_keys=True, ensure_ascii=False)))[:12]


def _object(value: object) -> JsonObject:
    return value if isinstance(value, dict) else {}


class _Schema:
    """Reads one JSON schema into lines."""

    def __init__(self, root: JsonObject, *, is_unwrapped: bool = False) -> None:
        self._root = root
        self._is_unwrapped = is_unwrapped
        self._read = 0

    def lines(self, path: str) -> Iterator[str]:
        """The lines of the whole schema; _TooLargeError where it has too many."""
        start = self._items_of_many() if self._is_unwrapped else None
        yield from self._of(self._root if start is None else start, path, ())

    def _items_of_many(self) -> object:
        """What a list holds that a helper has put around a class, to ask for many of it: {tasks: [...]}."""
        fields = _object(self._root.get("properties"))
        tasks = _object(fields.get("tasks"))
        return tasks.get("items") if set(fields) == {"tasks"} and _object(tasks.get("items")) else None

    def _of(self, node: object, path: str, stack: tuple[str, ...]) -> Iterator[str]:
        self._read += 1
        if self._read > MOST_FIELDS or path.count(".") + len(stack) > MOST_DEEP:
            raise _TooLargeError
        schema = _object(node)
        yield from (f"{path} {name}" for name in _types(schema))
        reference = schema.get("$ref")
        if isinstance(reference, str):
            if reference in stack:
                yield f"{path} again"
            else:
                yield from self._of(self._named(reference), path, (*stack, reference))
        for union in _UNIONS:
            members = schema.get(union)
            for member in members if isinstance(members, list) else ():
                yield from self._of(member, path, stack)
        for name, field in _object(schema.get("properties")).items():
            yield from self._of(field, f"{path}.{name}", stack)
        for key in ("items", "prefixItems"):
            items = schema.get(key)
            for item in items if isinstance(items, list) else [items] * (items is not None):
                yield from self._of(item, f"{path}[]", stack)

    def _named(self, reference: str) -> object:
        """What a `$ref` into this schema names; nothing for any other."""
        if not reference.startswith("#"):
            return None
        node: object = self._root
        for step in reference[1:].split("/")[1:]:
            node = _object(node).get(step.replace("~1", "/").replace("~0", "~"))
        return node


def _types(schema: JsonObject) -> set[str]:
    """The types that a schema names, or that its values have; null is none."""
    said = schema.get("type")
    names = {name for name in (said if isinstance(said, list) else [said]) if isinstance(name, str)}
    if not names:
        choices = schema.get("enum")
        given = [*(choices if isinstance(choices, list) else ()), *([schema["const"]] if "const" in schema else ())]
        names = {_TYPE_NAMES.get(type(value), "null") for value in given}
        names |= {"object"} if "properties" in schema else set()
    return names - {"null"}
