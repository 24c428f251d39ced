"""Values as every database takes them.

Not covered: bodies, whose shared parts are kept once (`store.bodies`).
"""

from __future__ import annotations

import math
from dataclasses import fields
from operator import attrgetter
from typing import Any

from freehold.model.call import Call

_COLUMNS = tuple(f.name for f in fields(Call))
_values_of = attrgetter(*_COLUMNS)
_LARGEST_COUNT = 2**31 - 1
_STORABLE = frozenset({type(None), bool, bytes, dict})


def row_of(call: Call) -> dict[str, Any]:
    """A call by column, as every database takes it."""
    named = zip(_COLUMNS, _values_of(call), strict=True)
    return {name: value if type(value) in _STORABLE else storable(value) for name, value in named}


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
