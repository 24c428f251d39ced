"""The names among a call's tags that the gateway itself keeps, and that no caller may set.

A call's tags hold the caller's own (`freehold-tags`) beside what chance and the gateway decided about it. The watch
believes the latter, so that a caller who could write them could hide calls from it, or make up audits.

Not covered: who writes which tag (`freehold.gateway`, `freehold.record`).
"""

from __future__ import annotations

from collections.abc import Iterable

from freehold.model.coins import COIN_NAMES

TASK_TAG, TASK_FIELD = "freehold-task", "freehold_task"
"""Where a caller names its task: the tag that the gateway makes of the header, or a field of the body's metadata."""

RESERVED = frozenset(
    {
        *COIN_NAMES,
        "attempt",
        "attempts",
        "breaker_open",
        "fallback_from",
        "hedge",
        "request_encoding",
        "response_encoding",
        "response_not_kept",
        "traceparent",
        "tracestate",
        "usage_option",
    }
)
_PREFIX = "freehold"


def is_reserved(name: str) -> bool:
    """Whether a tag of this name is the gateway's own; so is every name that begins with `freehold`."""
    plain = name.strip().casefold().replace("-", "_")
    return plain in RESERVED or plain.startswith(_PREFIX)


def reserved_among(names: Iterable[str]) -> list[str]:
    """Those of the names that are the gateway's own, in their order."""
    return [name for name in names if is_reserved(name)]
