"""What gateways refused today, in words. Not covered: counting it (`freehold.gateway.refusal_counts`)."""

from __future__ import annotations

from freehold.model.key import DAY_S
from freehold.pipeline.workspace import Workspace


def refused_today(workspace: Workspace, now: float, *, key_id: str | None = None) -> dict[str, int]:
    """How many requests were refused in the UTC day of `now` (Unix seconds), by code; those of one key, if named."""
    return workspace.store.refusal_counts.of_day(int(now // DAY_S), key_id=key_id)


def refused_words(counts: dict[str, int]) -> str:
    """The counts as one line. Example: `3 requests (missing_gateway_key 2, bad_body 1)`."""
    if not counts:
        return "nothing"
    listed = ", ".join(f"{code} {count:,}" for code, count in counts.items())
    return f"{sum(counts.values()):,} requests ({listed})"
