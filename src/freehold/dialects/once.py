"""Reading a request body whose fields must mean the same to everybody who reads it.

JSON does not say what a name means that stands twice in an object: some readers take the first, some the last, and
some (Go's) take `Model` for `model`. Whoever decides by a field must refuse such a body, or the provider may act on
another value. Only the outermost object matters: that is where models and limits stand.

Not covered: what the fields mean.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from freehold.dialects.values import BadBodyError, JsonObject

DECIDING = frozenset(
    ("model", "models", "fallbacks", "max_tokens", "max_completion_tokens", "max_output_tokens", "n", "best_of")
)
"""The fields by which a key's limits decide; a name that differs from one only in case is refused."""


def read_once(body: bytes) -> JsonObject:
    """The JSON object in `body`; BadBodyError where there is none, or where one name can be read in two ways."""
    outermost: Sequence[tuple[str, object]] = ()

    def keep(pairs: list[tuple[str, object]]) -> JsonObject:
        nonlocal outermost
        outermost = pairs
        return dict(pairs)

    try:
        value: object = json.loads(body, object_pairs_hook=keep)
    except (ValueError, RecursionError) as error:
        raise BadBodyError("The request body is not JSON that can be read.") from error
    if not isinstance(value, dict):
        raise BadBodyError("The request body is not a JSON object.")
    seen: set[str] = set()
    for name, _ in outermost:
        plain = name.casefold()
        if plain in seen:
            raise BadBodyError(f"The request body names {name!r} more than once.")
        if plain in DECIDING and name != plain:
            raise BadBodyError(f"The request body has {name!r}, which some readers take for {plain!r}.")
        seen.add(plain)
    return value


def named_models(data: JsonObject) -> list[str]:
    """Every model that a request body names: the one that is asked for, and those that may answer instead."""
    found: list[object] = [data.get("model")]
    for field in ("models", "fallbacks"):
        listed = data.get(field)
        if isinstance(listed, list):
            found += [item.get("model") if isinstance(item, dict) else item for item in listed]
    return [name for name in found if isinstance(name, str)]
