"""The meter: what one process has counted, in plain integers, cheap enough for every call.

A meter has one writer (a gateway's loop, or the delivery's thread), so there is no lock. The number of series is
bounded: after `MOST_TASKS` tasks the next ones count as `other`. Not covered: the page for Prometheus (`metrics`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

MOST_TASKS = 200
OTHER = "other"
NO_TASK = NOBODY = "none"
CALL_BOUNDS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
GATEWAY_BOUNDS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1.0)
_WORST_OF = (
    "freehold_record_problem",
    "freehold_database_problem",
    "freehold_journal_oldest_seconds",
    "freehold_engines_left_alone",
    "freehold_engine_expected_seconds",
)
_STATUS_CLASSES = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Spread:
    """A histogram as it is kept: calls per bucket (the last one is beyond all bounds) and the sum of the values."""

    buckets: tuple[int, ...]
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one process has counted so far; `run` names the run of `freehold up` that its gauges belong to.

    Counters and spreads are by metric, then by label values in the order that `gateway.telemetry.metrics` declares.
    """

    run: str = ""
    counters: Mapping[str, list[tuple[Labels, float]]] = field(default_factory=dict)
    spreads: Mapping[str, list[tuple[Labels, Spread]]] = field(default_factory=dict)
    gauges: Mapping[str, float] = field(default_factory=dict)


class _Histogram:
    __slots__ = ("bounds", "buckets", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.buckets = [0] * (len(bounds) + 1)
        self.total = 0.0


class _Series:
    """The counters that one combination of labels leads to, so that a call looks up its labels once."""

    __slots__ = ("calls", "first_byte", "gateway", "latency")

    def __init__(self, latency: _Histogram, first_byte: _Histogram, gateway: _Histogram) -> None:
        self.calls = 0.0
        self.latency = latency
        self.first_byte = first_byte
        self.gateway = gateway


class Meter:
    """Counts for one process.

    The gateway keeps `calls_under_way` and `connections` itself, by adding and subtracting one; `more_gauges` are asked
    when figures are taken.
    """

    def __init__(self) -> None:
        self.calls_under_way = 0
        self.connections = 0
        self.more_gauges: Callable[[], Mapping[str, float]] = dict
        self._series: dict[tuple[str | None, str, str, int, str], _Series] = {}
        self._tasks: set[str] = set()
        self._histograms: dict[str, dict[Labels, _Histogram]] = {}
        self._counters: dict[str, dict[Labels, float]] = {}

    def observe(
        self,
        *,
        task: str | None,
        provider: str,
        arm: str,
        status: int,
        dialect: str,
        latency_s: float,
        first_byte_s: float | None,
        gateway_s: float,
    ) -> None:
        """Count one finished call; `gateway_s` is what the gateway itself added to it."""
        key = (task, provider, arm, status // 100, dialect)
        try:
            series = self._series[key]
        except KeyError:
            series = self._open(key)
        series.calls += 1
        spread = series.latency
        spread.buckets[bisect_left(CALL_BOUNDS_S, latency_s)] += 1
        spread.total += latency_s
        if first_byte_s is not None:
            spread = series.first_byte
            spread.buckets[bisect_left(CALL_BOUNDS_S, first_byte_s)] += 1
            spread.total += first_byte_s
        spread = series.gateway
        spread.buckets[bisect_left(GATEWAY_BOUNDS_S, gateway_s)] += 1
        spread.total += gateway_s

    def refuse(self, code: str) -> None:
        """Count a request that the gateway answered with an error of its own."""
        self.add("freehold_refused", (code,))

    def fail_upstream(self, provider: str, kind: str) -> None:
        """Count a failure of a provider; `kind` is the error's code, such as `upstream_timeout`."""
        self.add("freehold_upstream_failures", (provider, kind))

    def add(self, name: str, labels: Labels, amount: float = 1) -> None:
        """Raise a counter; `labels` are in the order that `gateway.telemetry.metrics` declares."""
        values = self._counters.setdefault(name, {})
        values[labels] = values.get(labels, 0) + amount

    def task_label(self, task: str | None) -> str:
        """The label of a task: itself, or `other` once there are too many."""
        name = task or NO_TASK
        if name not in self._tasks:
            if len(self._tasks) >= MOST_TASKS:
                return OTHER
            self._tasks.add(name)
        return name

    def figures(self, run: str = "", gauges: Mapping[str, float] | None = None) -> Figures:
        """All that was counted so far, as a value, from any thread; `gauges` join those of the meter."""
        calls: dict[Labels, float] = {}
        for key, series in list(self._series.items()):
            labels = _call_labels(key)
            calls[labels] = calls.get(labels, 0) + series.calls
        counters = self._counters | {"freehold_calls": _added(self._counters.get("freehold_calls", {}), calls)}
        own = {"freehold_calls_under_way": self.calls_under_way, "freehold_open_connections": self.connections}
        return Figures(
            run=run,
            counters={name: list(values.items()) for name, values in list(counters.items())},
            spreads={
                name: [(labels, Spread(tuple(h.buckets), h.total)) for labels, h in list(values.items())]
                for name, values in list(self._histograms.items())
            },
            gauges={**own, **self.more_gauges(), **(gauges or {})},
        )

    def restore(self, figures: Figures) -> None:
        """Go on from what an earlier process had counted, so that no counter goes backwards; gauges begin anew."""
        for name, counted in figures.counters.items():
            self._counters[name] = dict(counted)
            if name == "freehold_calls":
                self._tasks.update(labels[0] for labels, _ in counted)
        for name, spreads in figures.spreads.items():
            bounds = GATEWAY_BOUNDS_S if name == "freehold_gateway_seconds" else CALL_BOUNDS_S
            for labels, spread in spreads:
                if len(spread.buckets) == len(bounds) + 1:
                    histogram = self._histogram(name, labels, bounds)
                    histogram.buckets, histogram.total = list(spread.buckets), spread.total

    def _open(self, key: tuple[str | None, str, str, int, str]) -> _Series:
        task, provider, arm, status_class, dialect = key
        name = self.task_label(task)
        if name == OTHER:
            key = (OTHER, provider, arm, status_class, dialect)
        if key not in self._series:
            self._series[key] = _Series(
                self._histogram("freehold_call_seconds", (name, provider or NOBODY, arm), CALL_BOUNDS_S),
                self._histogram("freehold_first_byte_seconds", (name, provider or NOBODY, arm), CALL_BOUNDS_S),
                self._histogram("freehold_gateway_seconds", (arm,), GATEWAY_BOUNDS_S),
            )
        return self._series[key]

    def _histogram(self, name: str, labels: Labels, bounds: tuple[float, ...]) -> _Histogram:
        by_labels = self._histograms.setdefault(name, {})
        if labels not in by_labels:
            by_labels[labels] = _Histogram(bounds)
        return by_labels[labels]


def add_up(all_figures: Iterable[Figures], run: str) -> Figures:
    """The sum of several processes; gauges count only where they are of this run, and 0/1 gauges show the worst."""
    counters: dict[str, dict[Labels, float]] = {}
    spreads: dict[str, dict[Labels, Spread]] = {}
    gauges: dict[str, float] = {}
    for figures in all_figures:
        for name, values in figures.counters.items():
            counters[name] = _added(counters.get(name, {}), dict(values))
        for name, listed in figures.spreads.items():
            known = spreads.setdefault(name, {})
            for labels, spread in listed:
                known[labels] = joined(known[labels], spread) if labels in known else spread
        if figures.run == run:
            for name, value in figures.gauges.items():
                gauges[name] = max(gauges.get(name, 0), value) if name in _WORST_OF else gauges.get(name, 0) + value
    return Figures(
        run=run,
        counters={name: list(values.items()) for name, values in counters.items()},
        spreads={name: list(values.items()) for name, values in spreads.items()},
        gauges=gauges,
    )


def _added(one: Mapping[Labels, float], other: Mapping[Labels, float]) -> dict[Labels, float]:
    return {labels: one.get(labels, 0) + other.get(labels, 0) for labels in {**one, **other}}


def joined(one: Spread, other: Spread) -> Spread:
    """The sum of two histograms; the fuller one where their bounds differ."""
    if len(one.buckets) != len(other.buckets):
        return max(one, other, key=lambda spread: sum(spread.buckets))
    buckets = tuple(a + b for a, b in zip(one.buckets, other.buckets, strict=True))
    return Spread(buckets, one.total + other.total)


def _call_labels(key: tuple[str | None, str, str, int, str]) -> Labels:
    task, provider, arm, status_class, dialect = key
    is_known = 0 < status_class < len(_STATUS_CLASSES)
    return (task or NO_TASK, provider or NOBODY, arm, _STATUS_CLASSES[status_class if is_known else 0], dialect)
