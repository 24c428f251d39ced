"""Whether a JSON value keeps to the schema that a request asked for: the part of JSON Schema that providers enforce.

Looked at: type (and OpenAPI's nullable), enum, const, properties, required, additionalProperties, patternProperties,
items, prefixItems, anyOf, oneOf (as anyOf: providers take it so), allOf, references within the schema, and the bounds
of numbers, texts, arrays and objects. Whatever else a schema says is taken as kept, as is a pattern that Python cannot
read or that could take for ever, so that an answer is never called invalid for what is not understood.

`blank` makes the least value that keeps to a schema: what stands in a dataset where no answer is known to be wanted.

Not covered: formats (`date-time`), not, if, dependencies, references to other documents, uniqueItems, multipleOf.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import ceil

from freehold.text.json_text import parse_json

Schema = Mapping[str, object]

_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "integer": (int,),
    "number": (int, float),
}
_DEEPEST = 50
_MOST_STEPS = 100_000
_LONGEST_PATTERN, _LONGEST_MATCHED = 500, 2_000
_REPEATED_GROUP = re.compile(r"\)\s*[*+{]")
_AT_LEAST: Mapping[str, Callable[[float, float], bool]] = {
    "minimum": lambda found, bound: found >= bound,
    "maximum": lambda found, bound: found <= bound,
    "exclusiveMinimum": lambda found, bound: found > bound,
    "exclusiveMaximum": lambda found, bound: found < bound,
}
_BLANKS: Mapping[str, object] = {"string": "", "boolean": False, "null": None, "integer": 0, "number": 0}


def keeps_to(response_format: str | None, text: str) -> bool | None:
    """Whether an answer keeps to a request's format (canonical JSON); None where the format has no schema."""
    schema = schema_of(response_format)
    if schema is None:
        return None
    value, is_json = parse_json(text)
    return is_json and _Check(schema).is_valid(value, schema, _DEEPEST)


def schema_of(response_format: str | None) -> Schema | None:
    """The schema in a request's format, as chat, responses and messages name it; None where there is none."""
    try:
        found: object = json.loads(response_format or "null")
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    for holder in (found.get("json_schema"), found.get("format"), found):
        if isinstance(holder, dict):
            for schema in (holder.get("schema"), holder.get("value"), holder):
                if isinstance(schema, dict) and (schema is not holder or _is_schema(schema)):
                    return schema
    return None


@lru_cache(maxsize=256)
def schematic(response_format: str | None) -> str:
    """A request's format where it names a schema that answers must keep to; else empty."""
    return response_format or "" if schema_of(response_format) is not None else ""


def blank(response_format: str | None) -> str:
    """The least JSON that keeps to a request's format; `{}` where it names no schema, or none that can be met."""
    schema = schema_of(response_format)
    if schema is None:
        return "{}"
    check = _Check(schema)
    value = check.least(schema, _DEEPEST)
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text if check.is_valid(value, schema, _DEEPEST) else "{}"


def _is_schema(found: Schema) -> bool:
    """Whether an object is a schema itself and no wrapping of one."""
    return isinstance(found.get("properties"), dict) or any(name in found for name in ("$ref", "anyOf", "allOf"))


@dataclass(slots=True)
class _Check:
    """Checks values against the parts of one schema; what takes too many steps is taken as kept."""

    root: Schema
    steps: int = field(default=0)

    def is_valid(self, value: object, schema: object, depth: int) -> bool:
        self.steps += 1
        if schema is False:
            return False
        if not isinstance(schema, dict) or depth == 0 or self.steps > _MOST_STEPS:
            return True
        if value is None and schema.get("nullable") is True:
            return True
        if not _is_one_of(value, schema) or not _has_type(value, schema.get("type")):
            return False
        if not all(self.is_valid(value, one, depth - 1) for one in self._also(schema)):
            return False
        for name in ("anyOf", "oneOf"):
            either = schema.get(name)
            if isinstance(either, list) and not any(self.is_valid(value, one, depth - 1) for one in either):
                return False
        match value:
            case dict():
                return self._is_object_valid(value, schema, depth)
            case list():
                return self._is_array_valid(value, schema, depth)
            case str():
                return _is_within(len(value), schema, "minLength", "maxLength") and _matches(value, schema)
            case int() | float() if not isinstance(value, bool):
                return all(keeps(value, bound) for keeps, bound in _bounds(schema))
        return True

    def _also(self, schema: Schema) -> Iterator[object]:
        """What else the value must keep to: what the schema refers to, and all of `allOf`."""
        if isinstance(schema.get("$ref"), str):
            yield self._referred(str(schema["$ref"]))
        every = schema.get("allOf")
        yield from every if isinstance(every, list) else ()

    def _referred(self, name: str) -> object:
        """The part of the schema that a reference names; True, which everything keeps to, where there is none."""
        if not name.startswith("#"):
            return True
        found: object = self.root
        for step in name[1:].split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            found = found.get(key, True) if isinstance(found, dict) else True
        return found

    def _is_object_valid(self, value: Schema, schema: Schema, depth: int) -> bool:
        known = _part(schema, "properties")
        patterns = [pattern for name in _part(schema, "patternProperties") if (pattern := _compiled(name))]
        required = schema.get("required")
        if isinstance(required, list) and any(name not in value for name in required if isinstance(name, str)):
            return False
        if not _is_within(len(value), schema, "minProperties", "maxProperties"):
            return False
        more = schema.get("additionalProperties")
        for name, item in value.items():
            if name not in known and any(pattern.search(name[:_LONGEST_MATCHED]) for pattern in patterns):
                continue
            if not self.is_valid(item, known.get(name, more), depth - 1):
                return False
        return True

    def _is_array_valid(self, value: Sequence[object], schema: Schema, depth: int) -> bool:
        if not _is_within(len(value), schema, "minItems", "maxItems"):
            return False
        first, rest = schema.get("prefixItems"), schema.get("items")
        if isinstance(rest, list):
            first, rest = rest, schema.get("additionalItems")
        heads = first if isinstance(first, list) else []
        return all(
            self.is_valid(item, heads[place] if place < len(heads) else rest, depth - 1)
            for place, item in enumerate(value)
        )

    def least(self, schema: object, depth: int) -> object:
        """The least value that a schema asks for, as far as it can be told."""
        self.steps += 1
        if not isinstance(schema, dict) or depth == 0 or self.steps > _MOST_STEPS:
            return None
        if "const" in schema:
            return schema["const"]
        choices = schema.get("enum")
        if isinstance(choices, list) and choices:
            return choices[0]
        for inner in (*self._also(schema), *_first(schema, "anyOf"), *_first(schema, "oneOf")):
            if not isinstance(schema.get("properties"), dict):
                return self.least(inner, depth - 1)
        return self._least_of_type(schema, depth)

    def _least_of_type(self, schema: Schema, depth: int) -> object:
        kinds = schema.get("type")
        kind = kinds[0] if isinstance(kinds, list) and kinds else kinds
        if kind == "array":
            heads, rest = [*_list(schema, "prefixItems")], schema.get("items")
            count = min(_whole(schema, "minItems"), _DEEPEST)
            parts = [*heads, *([rest] * max(0, count - len(heads)))]
            return [self.least(part, depth - 1) for part in parts]
        if kind == "object" or isinstance(schema.get("properties"), dict):
            known = _part(schema, "properties")
            names = [name for name in _list(schema, "required") if isinstance(name, str)]
            return {name: self.least(known.get(name), depth - 1) for name in names}
        if kind == "string":
            return "-" * min(_whole(schema, "minLength"), _LONGEST_MATCHED)
        if kind in ("integer", "number"):
            low = schema.get("minimum", schema.get("exclusiveMinimum"))
            return max(0, ceil(low) + ("minimum" not in schema)) if isinstance(low, int | float) else 0
        return _BLANKS.get(str(kind))


def _is_one_of(value: object, schema: Schema) -> bool:
    if "const" in schema and not _same(value, schema["const"]):
        return False
    choices = schema.get("enum")
    return not isinstance(choices, list) or any(_same(value, choice) for choice in choices)


def _bounds(schema: Schema) -> Iterator[tuple[Callable[[float, float], bool], float]]:
    for name, keeps in _AT_LEAST.items():
        bound = schema.get(name)
        if isinstance(bound, int | float) and not isinstance(bound, bool):
            yield keeps, bound


def _is_within(count: int, schema: Schema, least: str, most: str) -> bool:
    low, high = schema.get(least), schema.get(most)
    is_too_few = isinstance(low, int | float) and count < low
    return not is_too_few and not (isinstance(high, int | float) and count > high)


def _matches(value: str, schema: Schema) -> bool:
    pattern = _compiled(schema.get("pattern"))
    return pattern is None or len(value) > _LONGEST_MATCHED or pattern.search(value) is not None


def _compiled(pattern: object) -> re.Pattern[str] | None:
    """A pattern; None where it is none that is sure to end soon."""
    if not isinstance(pattern, str) or len(pattern) > _LONGEST_PATTERN or _REPEATED_GROUP.search(pattern):
        return None
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return None


def _part(schema: Schema, name: str) -> Schema:
    found = schema.get(name)
    return found if isinstance(found, dict) else {}


def _list(schema: Schema, name: str) -> list[object]:
    found = schema.get(name)
    return found if isinstance(found, list) else []


def _first(schema: Schema, name: str) -> list[object]:
    """The first of several schemas that may hold; one that is not null where there is one."""
    every = _list(schema, name)
    told = [one for one in every if not (isinstance(one, dict) and one.get("type") == "null")]
    return (told or every)[:1]


def _whole(schema: Schema, name: str) -> int:
    found = schema.get(name)
    return int(found) if isinstance(found, int | float) and 0 <= found < _LONGEST_MATCHED else 0


def _has_type(value: object, wanted: object) -> bool:
    names = wanted if isinstance(wanted, list) else [wanted]
    types = [_TYPES[name] for name in names if isinstance(name, str) and name in _TYPES]
    if not types or len(types) < len(names):
        return True
    if isinstance(value, bool):
        return (bool,) in types
    if isinstance(value, float) and value.is_integer() and (int,) in types:
        return True
    return any(isinstance(value, kinds) for kinds in types)


def _same(one: object, other: object) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)
