"""The metrics page: the figures of all processes of one `freehold up`, added up, in Prometheus' text format 0.0.4.

Each process keeps its figures in a small file of the state folder, replaced once a second when they changed, and goes
on from that file when it is started again. Whichever worker is asked adds its own live figures to the others' files,
so every worker shows the sum, and no counter goes backwards. Not covered: counting (`gateway.telemetry.meter`).
"""

from __future__ import annotations

import asyncio
import logging
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from freehold.gateway.telemetry.meter import (
    CALL_BOUNDS_S,
    GATEWAY_BOUNDS_S,
    Figures,
    Labels,
    Meter,
    Spread,
    add_up,
    joined,
)
from freehold.system.files import write_whole

T = TypeVar("T")

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_SAVE_EVERY_S = 1.0
_LOG = logging.getLogger("freehold.metrics")

_BY_CALL = ("task", "provider", "arm", "status", "dialect")
_COUNTERS: Mapping[str, tuple[str, Labels]] = {
    "freehold_calls": ("Calls that were answered, by who answered and how.", _BY_CALL),
    "freehold_refused": ("Requests that the gateway answered with an error of its own.", ("code",)),
    "freehold_upstream_failures": ("Times that a provider could not be reached or broke off.", ("provider", "kind")),
    "freehold_background_dropped": ("Audits and shadows that were left out for want of room.", ("kind",)),
    "freehold_connections_closed": (
        "Connections closed for want of room: idle ones in place of new ones, and new ones where none was idle (full).",
        ("reason",),
    ),
    "freehold_engine_fallbacks": (
        "Calls that the provider answered because the engine was down, busy, slow, hung, or not in time.",
        ("task", "reason"),
    ),
    "freehold_new_prompt_calls": (
        "Calls with a prompt that their route was not proven with, by version; the provider answered them.",
        ("task", "prompt"),
    ),
    "freehold_recorded_calls": ("Calls that were delivered to the database.", ("task", "provider", "arm")),
    "freehold_tokens": ("Tokens of recorded calls.", ("task", "provider", "arm", "direction")),
    "freehold_cost_usd": ("Cost of recorded calls with a known price, in USD.", ("task", "provider", "arm")),
}
_SPREADS: Mapping[str, tuple[str, Labels, tuple[float, ...]]] = {
    "freehold_call_seconds": ("From a request's first byte to its call's end.", _BY_CALL[:3], CALL_BOUNDS_S),
    "freehold_first_byte_seconds": ("From a request's first byte to the answer's.", _BY_CALL[:3], CALL_BOUNDS_S),
    "freehold_gateway_seconds": ("What the gateway itself added to a call.", ("arm",), GATEWAY_BOUNDS_S),
}
_GAUGES: Mapping[str, str] = {
    "freehold_calls_under_way": "Calls that are being answered now.",
    "freehold_open_connections": "Connections of clients that are open now.",
    "freehold_engine_calls_under_way": "Calls that engines work on now.",
    "freehold_engines_left_alone": "Engines that a worker leaves alone now, because they are slow or hung; the most.",
    "freehold_engine_expected_seconds": "How long the next owned answer is expected to take; the longest.",
    "freehold_record_problem": "1 while calls cannot be written to the journal.",
    "freehold_database_problem": "1 while calls cannot be delivered to the database.",
    "freehold_waiting_bytes": "Bytes of calls that are not in the journal yet.",
    "freehold_journal_bytes": "Bytes of calls in the journal that wait for the database.",
    "freehold_journal_oldest_seconds": "How long the oldest of them has waited.",
}
_LAG = "freehold_delivery_lag_seconds"
_LAG_TEXT = "How long the first call that waits in the journal has waited, evidence of moved tasks and the rest apart."
_LAG_LANES = ("evidence", "rest")
_LEVELS: Mapping[str, str] = {
    "freehold_route_share": "Share of calls that the owned model may answer now, by task and kind of route.",
    "freehold_route_fit": "Share of the last 100 calls with the prompt that the route was proven with.",
    "freehold_route_audit_rate": "Share of local answers that are audited now.",
    "freehold_route_stale": "Reasons why the evidence behind the route is no longer what it was.",
}
_BY_ROUTE = ("task", "route")
Level = tuple[str, Labels, float]
"""The name of a level, its labels (task, route), and its value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where a process finds what it shows: the folder of all figures, its own name in it, and the run it is part of.

    `gauges` are asked when figures are taken, and added up over processes; `levels` are the same for all of them, and
    are asked when the page is. `task_name` turns a task's id into the name that people know.
    """

    folder: Path
    name: str
    run: str
    gauges: Callable[[], Mapping[str, float]] = dict
    levels: Callable[[], Iterable[Level]] = tuple
    task_name: Callable[[str], str] = str


def lag_gauge(lane: str) -> str:
    """The name under which the lag of a lane (`evidence` or `rest`), in seconds, is a gauge."""
    return f'{_LAG}{{lane="{lane}"}}'


class Metrics:
    """One process' figures in their file, and the page of all of them."""

    def __init__(self, meter: Meter, sources: Sources) -> None:
        self._meter = meter
        self._sources = sources
        self._saved = b""

    def restore(self) -> None:
        """Go on from what the process of this name had counted before."""
        figures = _read(self._path)
        if figures is not None:
            self._meter.restore(figures)

    def save(self) -> None:
        """Write the figures if they changed: a new file that takes the old one's place."""
        encoded = msgspec.json.encode(self._figures())
        if encoded == self._saved:
            return
        self._sources.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self._path, encoded, is_synced=False)
        self._saved = encoded

    async def keep(self) -> None:
        """Save once a second until cancelled, and then once more."""
        try:
            while True:
                await asyncio.sleep(_SAVE_EVERY_S)
                self._save_or_warn()
        finally:
            self._save_or_warn()

    def page(self) -> bytes:
        """The metrics page; what it shows is saved first, so that a process that dies now does not take it back."""
        self._save_or_warn()
        others = [path for path in sorted(self._sources.folder.glob("*.json")) if path != self._path]
        found = [figures for path in others if (figures := _read(path)) is not None]
        sources = self._sources
        return render(add_up([self._figures(), *found], sources.run), sources.task_name, list(sources.levels()))

    @property
    def _path(self) -> Path:
        return self._sources.folder / f"{self._sources.name}.json"

    def _figures(self) -> Figures:
        return self._meter.figures(self._sources.run, self._sources.gauges())

    def _save_or_warn(self) -> None:
        try:
            self.save()
        except OSError as error:
            _LOG.warning("The metrics cannot be kept in %s: %s.", self._path, error.strerror)


def render(figures: Figures, task_name: Callable[[str], str] = str, levels: Sequence[Level] = ()) -> bytes:
    """Figures in the text format; a metric that has never counted is declared all the same."""
    lines: list[str] = []
    for name, (text, labels) in _COUNTERS.items():
        lines += _head(f"{name}_total", text, "counter")
        for values, value in _by_name(labels, figures.counters.get(name, ()), task_name, operator.add):
            lines.append(f"{name}_total{{{_labelled(labels, values)}}} {value:.17g}")
    for name, (text, labels, bounds) in _SPREADS.items():
        lines += _head(name, text, "histogram")
        for values, spread in _by_name(labels, figures.spreads.get(name, ()), task_name, joined):
            lines += _histogram(name, _labelled(labels, values), spread, bounds)
    for name, text in _GAUGES.items():
        lines += [*_head(name, text, "gauge"), f"{name} {figures.gauges.get(name, 0):.17g}"]
    lines += _head(_LAG, _LAG_TEXT, "gauge")
    lines += [f"{lag_gauge(lane)} {figures.gauges.get(lag_gauge(lane), 0):.17g}" for lane in _LAG_LANES]
    for name, text in _LEVELS.items():
        lines += _head(name, text, "gauge")
        pairs = [(labels, value) for level, labels, value in levels if level == name]
        for values, value in _by_name(_BY_ROUTE, pairs, task_name, max):
            lines.append(f"{name}{{{_labelled(_BY_ROUTE, values)}}} {value:.17g}")
    return "\n".join([*lines, ""]).encode()


def _head(name: str, text: str, kind: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"


def _histogram(name: str, labelled: str, spread: Spread, bounds: tuple[float, ...]) -> Iterator[str]:
    if len(spread.buckets) != len(bounds) + 1:
        return  # counted by another version, with other bounds
    count = 0
    for bound, calls in zip((*bounds, "+Inf"), spread.buckets, strict=True):
        count += calls
        yield f'{name}_bucket{{{labelled},le="{bound}"}} {count}'
    yield f"{name}_sum{{{labelled}}} {spread.total:.17g}"
    yield f"{name}_count{{{labelled}}} {count}"


def _by_name(
    labels: Labels, pairs: Iterable[tuple[Labels, T]], task_name: Callable[[str], str], join: Callable[[T, T], T]
) -> list[tuple[Labels, T]]:
    """The values with tasks by name; ids that have one name are one."""
    found: dict[Labels, T] = {}
    for values, value in pairs:
        named = (task_name(values[0]), *values[1:]) if labels[0] == "task" else values
        found[named] = join(found[named], value) if named in found else value
    return sorted(found.items(), key=operator.itemgetter(0))


def _labelled(labels: Labels, values: Labels) -> str:
    return ",".join(f'{label}="{_escaped(value)}"' for label, value in zip(labels, values, strict=True))


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _read(path: Path) -> Figures | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Figures)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        _LOG.warning("The figures in %s cannot be read and are left out: %s.", path, error)
        return None
