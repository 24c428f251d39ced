"""The figures of one system, as they are measured and printed.

Not covered: how they come about (`gateway_measure`), what is made of them (`gateway_report`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """What came of as many requests as would go over the connections; `answered` counts good answers alone."""

    answered: int
    failed: int
    duration_s: float

    @property
    def per_s(self) -> float:
        """Good answers a second."""
        return self.answered / self.duration_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """What came of requests at a constant rate; the percentiles are over all that were answered or still awaited."""

    answered: int
    failed: int
    unanswered: int
    p50_ms: float
    p99_ms: float

    @property
    def is_held(self) -> bool:
        """Whether all of them were answered: else the latencies are those of a growing queue."""
        return not self.unanswered and not self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Cpu:
    """CPU microseconds for each answered request, or chunk; `parent` is the process that was started."""

    parent_us: float
    children_us: float

    @property
    def total_us(self) -> float:
        """Of the whole process tree."""
        return self.parent_us + self.children_us


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """Calls that are not streamed, over 32 connections; `per_s` is the median of the rounds."""

    per_s: float
    rounds: tuple[float, ...]
    failed: int
    cpu: Cpu | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Many:
    """The long run: resident bytes of the whole tree before and after, the highest between, and the rate it held."""

    calls: int
    failed: int
    per_s: float
    before_bytes: int
    after_bytes: int
    highest_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """All calls answered up to here, those in the record, and the seconds until they were all in it (None: not all)."""

    answered: int
    recorded: int
    lag_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """Streams over 32 connections as fast as they go."""

    chunks_per_s: float
    failed: int
    cpu: Cpu | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """All figures of one system; `problem` says what cut its measuring short."""

    name: str
    version: str
    keeps: str
    plain: Plain | None = None
    steady: Steady | None = None
    many: Many | None = None
    record: Record | None = None
    streams: Streams | None = None
    first_chunk: Steady | None = None
    stream_record: Record | None = None
    problem: str | None = None
