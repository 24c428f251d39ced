"""One call as the sorter sees it. Not covered: reading it (`sort.run.sort`)."""

from __future__ import annotations

from dataclasses import dataclass

from freehold.model.exchange import Answer, Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was asked and answered, when, and the name of the task that the client gave, if any."""

    call_id: str
    asked: Asked
    answer: Answer | None = None
    explicit_name: str | None = None
    created_at: float = 0.0


def by_time(reading: Reading) -> tuple[float, str]:
    """The order of calls: oldest first."""
    return reading.created_at, reading.call_id
