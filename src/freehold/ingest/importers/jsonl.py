"""Calls of our own, as `freehold calls --json` prints them: one JSON object a line.

Coins stand among the tags there, and are coins again here. Bodies are text, so bytes that were no UTF-8 have come out
as U+FFFD; a body with that sign is counted as changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import structs

from freehold.errors import NotFoundError
from freehold.ingest.importers import Fidelity
from freehold.model.call import Call
from freehold.model.coins import coins_of, without_coins

_BODIES = ("request_body", "response_body")
_BESIDE = frozenset({"task", "provider_fields", "feedback", "answer"})
"""What is printed of a call, or given by `Workspace.calls`, and is no part of it."""
_KNOWN = frozenset(Call.__struct_fields__) | _BESIDE


class JsonLines:
    """Reads a file of such lines."""

    def read(self, source: str, fidelity: Fidelity) -> Iterator[Call]:
        """Its calls, in the order of its lines; blank lines are no rows."""
        try:
            lines = Path(source).open(encoding="utf-8")  # noqa: SIM115 - closed below
        except OSError as error:
            raise NotFoundError(
                f"{source!r} cannot be read: {error.strerror or error}.",
                hint="Make one with: freehold calls -n 0 --json > calls.jsonl",
            ) from error
        with lines:
            for number, line in enumerate(lines, 1):
                call = _call(line, f"line {number}", fidelity) if line.strip() else None
                if call is not None:
                    yield call


def _call(line: str, place: str, fidelity: Fidelity) -> Call | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        fidelity.skip("no JSON", place)
        return None
    if not isinstance(row, dict):
        fidelity.skip("no JSON object", place)
        return None
    bodies = {name: row.pop(name, None) for name in _BODIES}
    odd = next((name for name, body in bodies.items() if body is not None and not isinstance(body, str)), None)
    if odd is not None:
        fidelity.skip(f"{odd} is no text", place)
        return None
    try:
        call = msgspec.convert({name: value for name, value in row.items() if name not in _BESIDE}, Call)
        call = structs.replace(call, coins=coins_of(call.tags), tags=without_coins(call.tags))
    except msgspec.ValidationError as error:
        fidelity.skip(" ".join(str(error).split()), place)
        return None
    _tell(row, bodies, call, fidelity)
    request, response = ((bodies[name] or "").encode("utf-8", "surrogatepass") for name in _BODIES)
    return structs.replace(call, request_body=request, response_body=response)


def _tell(row: Mapping[str, Any], bodies: Mapping[str, str | None], call: Call, fidelity: Fidelity) -> None:
    for name in row.keys() - _KNOWN:
        fidelity.changed[f"the field {name!r} is left out"] += 1
    for name, body in bodies.items():
        if body is None or call.redaction == "deleted":
            fidelity.missing[name] += 1
        elif "\N{REPLACEMENT CHARACTER}" in body:
            fidelity.changed[f"bytes of {name} that were no UTF-8"] += 1
