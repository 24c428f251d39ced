"""The tables of `proof.py`, as Markdown, and all of it as one JSON value.

Not covered: measuring.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from proof_figures import Part, Row, Table


def print_part(part: Part) -> None:
    """What one part promises beside what was measured, then its tables."""
    print(f"\n## {part.title}\n")
    if part.rows:
        head = ["", "measured", "promised", "bound", "runs", ""]
        _print(head, [_line(row) for row in part.rows])
    for table in part.tables:
        print(f"\n{table.title}:\n")
        _print(table.head, table.rows)
        if table.note:
            print(f"\n{table.note}")
    for line in part.skipped:
        print(f"\nLeft out: {line}")


def print_end(parts: Sequence[Part]) -> None:
    """How many guarantees hold, and which do not."""
    rows = [row for part in parts for row in part.rows if row.wanted is not None]
    short = [row for row in rows if not row.is_ok]
    seconds = sum(part.seconds for part in parts)
    print(f"\n{len(rows) - len(short)} of {len(rows)} figures are as promised; {seconds:.0f} s.")
    for row in short:
        print(f"SHORT: {row.name}: {_number(row.measured)}, wanted {_wanted(row)}")


def as_json(parts: Sequence[Part], about: dict[str, Any]) -> str:
    """Everything on one line; a figure that is not finite is null."""
    value = {
        "about": about,
        "is_whole": all(row.is_ok for p in parts for row in p.rows),
        "parts": [_part(p) for p in parts],
    }
    return json.dumps(value, allow_nan=False)


def _part(part: Part) -> dict[str, Any]:
    rows = [{**asdict(row), "measured": _finite(row.measured), "is_ok": row.is_ok} for row in part.rows]
    tables = [_as_dict(table) for table in part.tables]
    return {
        "name": part.name,
        "seconds": round(part.seconds, 1),
        "guarantees": rows,
        "tables": tables,
        "left_out": list(part.skipped),
    }


def _as_dict(table: Table) -> dict[str, Any]:
    return {"title": table.title, "head": list(table.head), "rows": [list(row) for row in table.rows]}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _line(row: Row) -> list[str]:
    promised = (
        "-" if row.level is None else f"{'more than' if row.kind == 'control' else 'at most'} {_number(row.level)}"
    )
    error = f" ± {row.error:.4f}" if row.error is not None else ""
    verdict = "" if row.wanted is None else "ok" if row.is_ok else "**short**"
    return [
        row.name,
        _number(row.measured) + error,
        promised,
        _wanted(row),
        f"{row.runs:,}" if row.runs else "-",
        verdict,
    ]


def _wanted(row: Row) -> str:
    if row.wanted is None:
        return "-"
    return f"{'≤' if row.kind in ('rate', 'at most') else '≥'} {_number(row.wanted)}"


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "unknown"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.4f}" if abs(value) < 1 else f"{value:.2f}"


def _print(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    for line in (head, ["---"] * len(head), *rows):
        print(f"| {' | '.join(line)} |")
