"""Reads the parts of a kept state back out of JSON, each checked.

A float written by `json` is read back exactly, so a restart changes no figure. Not covered: what the parts mean.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")

Document = Mapping[str, object]


def number(document: Document, key: str) -> float:
    """A finite number; ValueError for anything else."""
    return as_number(document.get(key), key)


def as_number(value: object, name: str) -> float:
    """`value` as a finite float; ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is {value!r}, not a number")
    try:
        found = float(value)
    except OverflowError as error:
        raise ValueError(f"{name} is too large a number") from error
    if not math.isfinite(found):
        raise ValueError(f"{name} is {value!r}, not a finite number")
    return found


def within(value: object, low: float, high: float, name: str) -> float:
    """`value` as a float in [low, high]; ValueError for anything else."""
    found = as_number(float(value) if isinstance(value, bool) else value, name)
    if not low <= found <= high:
        raise ValueError(f"{name} is {value!r}, outside [{low:g}, {high:g}]")
    return found


def count(document: Document, key: str) -> int:
    """A whole number of at least 0; ValueError for anything else."""
    value = document.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{key} is {value!r}, not a count")
    return value


def flag(document: Document, key: str) -> bool:
    """True or false; ValueError for anything else."""
    return _of(document.get(key), bool, key)


def text(document: Document, key: str) -> str:
    """A text; ValueError for anything else."""
    return _of(document.get(key), str, key)


def numbers(document: Document, key: str) -> tuple[float, ...]:
    """A list of finite numbers; ValueError for anything else."""
    return tuple(as_number(value, key) for value in array(document, key))


def texts(document: Document, key: str) -> tuple[str, ...]:
    """A list of texts; ValueError for anything else."""
    return tuple(_of(value, str, key) for value in array(document, key))


def counts(document: Document, key: str) -> tuple[tuple[int, int], ...]:
    """A sorted list of [value, count] pairs of whole numbers; ValueError for anything else."""
    pairs = []
    for pair in array(document, key):
        match pair:
            case [int(value), int(times)] if times > 0 and not isinstance(value, bool):
                pairs.append((value, times))
            case _:
                raise ValueError(f"{key} holds {pair!r}, not a value with its count")
    if any(one[0] >= other[0] for one, other in itertools.pairwise(pairs)):
        raise ValueError(f"{key} is not in order")
    return tuple(pairs)


def array(document: Document, key: str) -> list[object]:
    """A list; ValueError for anything else."""
    value = document.get(key)
    if not isinstance(value, list):
        raise ValueError(f"{key} is {value!r}, not a list")
    return value


def part(value: object, name: str) -> dict[str, object]:
    """An object with texts as keys; ValueError for anything else."""
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ValueError(f"{name} is {value!r}, not an object")
    return value


def with_one_more(pairs: tuple[tuple[int, int], ...], value: int) -> tuple[tuple[int, int], ...]:
    """Sorted [value, count] pairs with `value` counted once more."""
    for index, (known, times) in enumerate(pairs):
        if known == value:
            return (*pairs[:index], (value, times + 1), *pairs[index + 1 :])
        if known > value:
            return (*pairs[:index], (value, 1), *pairs[index:])
    return (*pairs, (value, 1))


def _of(value: object, kind: type[T], name: str) -> T:
    if not isinstance(value, kind):
        raise ValueError(f"{name} is {value!r}, not {kind.__name__}")
    return value
