"""Reads a stored JSON document as a typed value, and never fails: what is absent or odd takes the field's default.

A document may be of an earlier version, which lacks a field, or of a newer one, which has more; a figure may be of
another type, or no finite number. None of that may cost a report after hours of work, or keep a route from going back.
A number keeps the type that it has in the document, so that a value that was read is written as it was. An item of a
list that is no object reads as an empty one, so that the others keep their places.

Not covered: reading what must be right (`store.documents`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

S = TypeVar("S", bound=msgspec.Struct)
Reader = Callable[[object], object]
_ODD = object()
"""What a reader gives for a value that is not of its type."""


def read(kind: type[S], document: object) -> S:
    """The value in a document; fields that it does not have, or not in their type, are at their defaults."""
    if not isinstance(document, Mapping):
        return kind()
    found = {name: reader(document[name]) for name, reader in _fields(kind) if name in document}
    return kind(**{name: value for name, value in found.items() if value is not _ODD})


def as_json(value: msgspec.Struct) -> dict[str, object]:
    """A value as a JSON object; a number that is not finite is null."""
    document: dict[str, object] = msgspec.to_builtins(value)
    return {name: _plain(item) for name, item in document.items()}


def _plain(value: object) -> object:
    match value:
        case dict():
            return {str(name): _plain(item) for name, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case float() if not math.isfinite(value):
            return None
        case _:
            return value


@cache
def _fields(kind: type[msgspec.Struct]) -> tuple[tuple[str, Reader], ...]:
    hints = get_type_hints(kind)
    return tuple((name, _reader(hints[name])) for name in kind.__struct_fields__)


@cache
def _reader(hint: Any) -> Reader:
    """What reads a value of this type; TypeError for a type that no part of the evidence has."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType) and len(inner) == 2 and type(None) in inner:
        return _optional(_reader(next(one for one in inner if one is not type(None))))
    if origin is tuple and len(inner) == 2 and inner[1] is Ellipsis:
        return _rows(inner[0])
    if origin is tuple:
        return _pair(tuple(_reader(one) for one in inner))
    if origin is dict:
        return _by_name(_reader(inner[1]))
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return lambda value: read(hint, value) if isinstance(value, Mapping) else _ODD
    if hint in _PLAIN:
        return _PLAIN[hint]
    raise TypeError(f"no lenient reader for {hint!r}")


def _optional(reader: Reader) -> Reader:
    return lambda value: None if value is None else reader(value)


def _rows(kind: Any) -> Reader:
    """Items of a list: odd objects are read as empty ones, other odd items are left out."""
    reader = _reader(kind)
    empty = kind() if isinstance(kind, type) and issubclass(kind, msgspec.Struct) else _ODD

    def rows(value: object) -> object:
        if not isinstance(value, list | tuple):
            return _ODD
        found = ((empty if item is _ODD else item) for item in map(reader, value))
        return tuple(item for item in found if item is not _ODD)

    return rows


def _pair(readers: tuple[Reader, ...]) -> Reader:
    def pair(value: object) -> object:
        if not isinstance(value, list | tuple) or len(value) != len(readers):
            return _ODD
        found = tuple(reader(item) for reader, item in zip(readers, value, strict=True))
        return _ODD if _ODD in found else found

    return pair


def _by_name(reader: Reader) -> Reader:
    def by_name(value: object) -> object:
        if not isinstance(value, Mapping):
            return _ODD
        found = ((str(name), reader(item)) for name, item in value.items())
        return {name: item for name, item in found if item is not _ODD}

    return by_name


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _ODD
    try:
        return value if math.isfinite(value) else _ODD
    except OverflowError:
        return _ODD


def _whole(value: object) -> object:
    found = _number(value)
    return round(found) if isinstance(found, float) else found


_PLAIN: Mapping[Any, Reader] = {
    bool: lambda value: value if isinstance(value, bool) else _ODD,
    int: _whole,
    float: _number,
    str: lambda value: value if isinstance(value, str) else _ODD,
    object: lambda value: value,
}
