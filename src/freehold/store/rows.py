"""Calls as rows of their table, with values as every database takes them.

Not covered: bodies, whose shared parts are kept once (`store.bodies`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import JSON, Float, Integer, String, Text

from freehold.model.call import Call
from freehold.model.coins import COIN_NAMES, NO_COINS, Coins
from freehold.store.bodies import Cut
from freehold.store.database import dump_json
from freehold.store.schema import calls

RowValues = tuple[Any, ...]
"""The values of a row of `calls`, in the order of its columns."""

_COLUMNS = tuple(column.name for column in calls.c)
_BODY, _PARTS = _COLUMNS.index("request_body"), _COLUMNS.index("request_parts")
_PLACES = {"request_parts": "request_body"} | {name: f"coins.{name}" for name in COIN_NAMES}
_values_of = attrgetter(*(_PLACES.get(name, name) for name in _COLUMNS))
_TEXTS = tuple(place for place, column in enumerate(calls.c) if isinstance(column.type, String | Text))
_NUMBERS = tuple(place for place, column in enumerate(calls.c) if isinstance(column.type, Integer | Float))
_DOCUMENTS = tuple(n for n, column in enumerate(calls.c) if isinstance(column.type, JSON) and n != _PARTS)
_LARGEST_COUNT = 2**31 - 1
_NUMBER_TYPES = frozenset({int, float})


def row_of(call: Call, rest: bytes, cuts: Sequence[Cut]) -> RowValues:
    """A call's row, with what `fold` left of its request and where it cut."""
    values = list(_values_of(call))
    for place in _TEXTS:
        text = values[place]
        if text is not None and not (isinstance(text, str) and text.isascii() and "\0" not in text):
            values[place] = storable(text if isinstance(text, str) else str(text))
    for place in _NUMBERS:
        number = values[place]
        if number is None:
            continue
        if type(number) not in _NUMBER_TYPES:
            values[place] = None  # the reader of another package gave it
        elif not -_LARGEST_COUNT <= number <= _LARGEST_COUNT:
            values[place] = storable(number)
    for place in _DOCUMENTS:
        values[place] = dump_json(values[place])
    values[_BODY], values[_PARTS] = rest, dump_json([list(cut) for cut in cuts])
    return tuple(values)


def call_of(columns: dict[str, Any]) -> Call:
    """The call in the columns of a row; those with the coins must be among them."""
    values = columns
    coins = {name: value for name in COIN_NAMES if (value := values.pop(name)) is not None}
    return Call(**values, coins=Coins(**coins) if coins else NO_COINS)


def by_column(row: RowValues) -> dict[str, Any]:
    """A row's values by the names of their columns."""
    return dict(zip(_COLUMNS, row, strict=True))


def storable(value: Any) -> Any:
    """What every database takes: a call that one refuses would keep the others of its batch out for ever.

    NUL and lone surrogates become U+FFFD, and numbers that no provider can mean become None: unknown.
    """
    if isinstance(value, str):
        if value.isascii() and "\0" not in value:
            return value
        return value.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value if abs(value) <= _LARGEST_COUNT else None
    return value
