"""Whether a JSON value keeps to the schema that a request asked for: the part of JSON Schema that providers enforce.

Looked at: type, enum, const, properties, required, additionalProperties, items, anyOf. Whatever else a schema says is
taken as kept, so that an answer is never called invalid for what is not understood.

Not covered: references, patterns, ranges, formats.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from freehold.core.scoring import parse_json

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


def keeps_to(response_format: str | None, text: str) -> bool | None:
    """Whether an answer keeps to a request's format (canonical JSON); None where the format has no schema."""
    schema = _schema(response_format)
    if schema is None:
        return None
    value, is_json = parse_json(text)
    return is_json and _is_valid(value, schema, _DEEPEST)


def _schema(response_format: str | None) -> Mapping[str, object] | None:
    try:
        found: object = json.loads(response_format or "null")
    except ValueError:
        return None
    inner = found.get("json_schema", found) if isinstance(found, dict) else None
    schema: object = inner.get("schema") if isinstance(inner, dict) else None
    return schema if isinstance(schema, dict) else None


def _is_valid(value: object, schema: object, depth: int) -> bool:
    if not isinstance(schema, dict) or depth == 0:
        return True
    if "const" in schema and not _same(value, schema["const"]):
        return False
    choices, either = schema.get("enum"), schema.get("anyOf")
    if isinstance(choices, list) and not any(_same(value, choice) for choice in choices):
        return False
    if isinstance(either, list) and not any(_is_valid(value, one, depth - 1) for one in either):
        return False
    if not _has_type(value, schema.get("type")):
        return False
    if isinstance(value, list):
        return all(_is_valid(one, schema.get("items"), depth - 1) for one in value)
    return not isinstance(value, dict) or _is_object_valid(value, schema, depth)


def _is_object_valid(value: Mapping[str, object], schema: Mapping[str, object], depth: int) -> bool:
    properties = schema.get("properties")
    known = properties if isinstance(properties, dict) else {}
    required = schema.get("required")
    if isinstance(required, list) and any(name not in value for name in required if isinstance(name, str)):
        return False
    if schema.get("additionalProperties") is False and not set(value) <= set(known):
        return False
    return all(_is_valid(value[name], known[name], depth - 1) for name in value if name in known)


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
