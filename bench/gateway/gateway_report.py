"""The tables of `gateway.py`, the aims beside what was measured, and all of it as one JSON value.

A ratio is the system's figure divided by Freehold's. Added latency is the difference to the upstream asked directly
in the same run, percentile by percentile. Not covered: measuring.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from gateway_figures import Plain, Record, Result, Steady, Streams
from gateway_measure import RATE, STREAM_RATE
from gateway_systems import on_one_core

MB = 1e6


@dataclass(frozen=True, slots=True)
class Aim:
    """What Freehold wants to reach, what it did, and whether that is enough; None where it was not measured."""

    text: str
    measured: str
    is_met: bool | None


@dataclass(frozen=True, slots=True)
class Report:
    """The results of one run, by system."""

    results: Sequence[Result]

    def find(self, name: str) -> Result | None:
        """The result of one system."""
        return next((result for result in self.results if result.name == name), None)

    @property
    def freehold(self) -> Result | None:
        """What the ratios are to."""
        return self.find("freehold")

    def added(self, result: Result, of: Callable[[Result], Steady | None]) -> tuple[float, float] | None:
        """Milliseconds at the median and at p99 that a system adds to the upstream."""
        direct = self.find("direct")
        base, measured = (of(direct) if direct else None), of(result)
        if base is None or measured is None or result is direct:
            return None
        return measured.p50_ms - base.p50_ms, measured.p99_ms - base.p99_ms

    def ratio(self, result: Result, of: Callable[[Result], float | None]) -> float | None:
        """A system's figure over Freehold's; None where one of them is missing or not positive."""
        mine = of(self.freehold) if self.freehold else None
        other = of(result)
        return other / mine if mine and other and mine > 0 and other > 0 else None


def print_tables(report: Report) -> None:
    """Plain calls, latency, streams, memory and record; then what could not be measured."""
    plain = [
        [r.name, r.version, r.keeps, _number(_per_s(r)), _ratio(report.ratio(r, _per_s)), *_cost(r.plain)]
        for r in report.results
    ]
    _table("Plain calls, 32 connections", ["", "version", "keeps", "requests/s", "ratio", "CPU us", "failed"], plain)
    _latency(report)
    streams = [
        [r.name, _number(_chunks_per_s(r)), _ratio(report.ratio(r, _chunks_per_s)), *_cost(r.streams)]
        for r in report.results
    ]
    _table("Streams, 32 connections", ["", "chunks/s", "ratio", "CPU us/chunk", "failed"], streams)
    _memory(report)
    for result in report.results:
        if (cpu := result.plain and result.plain.cpu) and result.name.startswith("freehold") and cpu.children_us > 1:
            print(
                f"{result.name}: of {cpu.total_us:,.0f} CPU us a request the gateway's workers took "
                f"{cpu.children_us:,.0f}, the parent that delivers the record {cpu.parent_us:,.0f}."
            )
    for result in report.results:
        if result.problem:
            print(f"{result.name}: {result.problem}")


def print_aims(found: Sequence[Aim]) -> None:
    """One line an aim; nothing where Freehold was not measured."""
    if not found:
        return
    words = {True: "met", False: "SHORT", None: "not measured"}
    _table("Aims", ["", "measured", ""], [[aim.text, aim.measured, words[aim.is_met]] for aim in found], right=())


def aims(report: Report, workers: int) -> list[Aim]:
    """Every aim with what this run says about it."""
    mine = report.freehold
    if mine is None:
        return []
    per_s = _per_s(mine)
    added = report.added(mine, lambda r: r.steady)
    many = mine.many
    growth = many.after_bytes / many.before_bytes - 1 if many and many.before_bytes else None

    def over(name: str) -> float | None:
        other = report.find(name)
        theirs = _per_s(other) if other else None
        return per_s / theirs if per_s and theirs else None

    scaled = report.find(f"freehold x{workers}")
    gain = report.ratio(scaled, _per_s) if scaled else None
    together = report.find(on_one_core(workers))
    shared = report.ratio(together, _per_s) if together else None
    nginx = over("nginx")
    return [
        _at_least("10,000 requests/s or more", per_s, 10_000, "{:,.0f}"),
        _at_least("60 times LiteLLM or more", over("litellm"), 60, "{:.1f}x"),
        _at_least("8 times Portkey or more", over("portkey"), 8, "{:.1f}x"),
        _at_least("ahead of TensorZero", over("tensorzero"), 1, "{:.2f}x"),
        _at_least("beside Firstpass", over("firstpass"), 1, "{:.2f}x"),
        _at_most("within 6 times of nginx", 1 / nginx if nginx else None, 6, "{:.1f}x"),
        _at_most("added latency below 1 ms, median", added[0] if added else None, 1, "{:.2f} ms"),
        _at_most("added latency below 3 ms, p99", added[1] if added else None, 3, "{:.2f} ms"),
        _at_most("resident memory below 150 MB", many.highest_bytes / MB if many else None, 150, "{:.0f} MB"),
        _at_most("memory grows by less than 5%", growth, 0.05, "{:+.1%}"),
        _at_least(f"{workers} workers: {0.8 * workers:.1f} times one, or more", gain, 0.8 * workers, "{:.2f}x"),
        _at_least(f"{workers} workers on one core: 0.8 of one, or more", shared, 0.8, "{:.2f}x"),
        Aim("no call failed", f"{_all_failed(mine):,} failed", _all_failed(mine) == 0),
        Aim("every answered call is in the record", _record(mine.record), _is_whole(mine)),
    ]


def as_json(report: Report, found: Sequence[Aim], about: dict[str, object]) -> str:
    """Everything in one line."""
    systems = []
    for result in report.results:
        added, first = report.added(result, lambda r: r.steady), report.added(result, lambda r: r.first_chunk)
        more = {"requests_ratio": report.ratio(result, _per_s), "chunks_ratio": report.ratio(result, _chunks_per_s)}
        systems.append({**asdict(result), **more, "added_ms": added, "added_first_chunk_ms": first})
    return json.dumps({**about, "systems": systems, "aims": [asdict(aim) for aim in found]})


def _latency(report: Report) -> None:
    rows = []
    for result in report.results:
        row = [result.name]
        for of in (lambda r: r.steady), (lambda r: r.first_chunk):
            measured, added = of(result), report.added(result, of)
            sign = "" if measured is None or measured.is_held else ">"
            row += [f"{sign}{value:,.2f}" for value in added] if added else ["-", "-"]
            row.append(_ratio(report.ratio(result, lambda r, of=of: (report.added(r, of) or (None,))[0])))
        rows.append(row)
    headings = ["", "p50", "p99", "ratio p50", "first p50", "first p99", "ratio p50"]
    title = f"Milliseconds added: to the answer at {RATE:g} calls/s, to the first chunk at {STREAM_RATE:g} streams/s"
    _table(title, headings, [row for row in rows if row[0] != "direct"])
    if any(cell.startswith(">") for row in rows for cell in row):
        print("  >: the rate was not held, so these are the waits of a growing queue")
    if direct := report.find("direct"):
        whole = [f"{s.p50_ms:.2f} and {s.p99_ms:.2f}" if s else "-" for s in (direct.steady, direct.first_chunk)]
        print(f"  asked directly: {whole[0]} to the answer, {whole[1]} to the first chunk")


def _memory(report: Report) -> None:
    rows = []
    for result in report.results:
        if (many := result.many) is None:
            continue
        growth = many.after_bytes / many.before_bytes - 1
        row = [result.name, f"{many.calls:,}", f"{many.per_s:,.0f}"]
        row += [f"{size / MB:,.1f}" for size in (many.before_bytes, many.after_bytes, many.highest_bytes)]
        rows.append([*row, f"{growth:+.1%}", _record(result.record)])
    headings = ["", "calls", "requests/s", "MB before", "MB after", "highest", "growth", "in the record"]
    _table("Many calls: resident memory of the whole process tree, and the record", headings, rows)


def _record(record: Record | None) -> str:
    if record is None:
        return "-"
    when = "NOT ALL" if record.lag_s is None else f"all after {record.lag_s:.1f} s"
    return f"{record.recorded:,} of {record.answered:,}, {when}"


def _all_failed(result: Result) -> int:
    parts = (result.plain, result.steady, result.many, result.streams, result.first_chunk)
    return sum(part.failed for part in parts if part is not None)


def _is_whole(result: Result) -> bool | None:
    records = [record for record in (result.record, result.stream_record) if record is not None]
    return all(record.lag_s is not None for record in records) if records else None


def _at_least(text: str, value: float | None, least: float, form: str) -> Aim:
    return Aim(text, "-", None) if value is None else Aim(text, form.format(value), value >= least)


def _at_most(text: str, value: float | None, most: float, form: str) -> Aim:
    return Aim(text, "-", None) if value is None else Aim(text, form.format(value), value < most)


def _per_s(result: Result) -> float | None:
    return result.plain.per_s if result.plain else None


def _chunks_per_s(result: Result) -> float | None:
    return result.streams.chunks_per_s if result.streams else None


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}x"


def _cost(figures: Plain | Streams | None) -> list[str]:
    if figures is None:
        return ["-", "-"]
    return [f"{figures.cpu.total_us:,.1f}" if figures.cpu else "-", f"{figures.failed:,}"]


def _table(title: str, headings: list[str], rows: list[list[str]], right: Sequence[int] | None = None) -> None:
    table = [headings, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(headings))]
    aligned = range(1, len(headings)) if right is None else right
    print(f"\n{title}")
    for row in table:
        cells = [
            cell.rjust(width) if i in aligned else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  " + "  ".join(cells).rstrip())
