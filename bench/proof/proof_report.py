"""The tables of `proof.py`, as Markdown, and all of it as one JSON value.

A figure is shown with its standard error where that is known. Not covered: measuring.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from proof_figures import Part, Row, is_held


def print_part(name: str, part: Part) -> None:
    """What one part promises beside what was measured, then its tables."""
    print(f"\n## {name}: {part.title}\n")
    if part.rows:
        _print(["", "measured", "wanted", "runs", ""], [_line(row) for row in part.rows])
    for table in part.tables:
        print(f"\n{table.title}:\n")
        _print(table.head, table.rows)
    for line in part.left_out:
        print(f"\nLeft out: {line}")


def print_end(parts: Mapping[str, Part]) -> None:
    """How many figures are as wanted, and which are not."""
    rows = [(name, row) for name, part in parts.items() for row in part.rows if is_held(row)]
    short = [(name, row) for name, row in rows if not row["ok"]]
    seconds = sum(part.seconds for part in parts.values())
    left_out = sum(len(part.left_out) for part in parts.values())
    besides = f", {left_out} left out" if left_out else ""
    print(f"\n{len(rows) - len(short)} of {len(rows)} figures are as wanted{besides}; {seconds:.0f} s.")
    for name, row in short:
        print(f"SHORT: {name}: {row['name']}: {_number(row['measured'])}, wanted {row['wanted']}")


def is_whole(parts: Mapping[str, Part]) -> bool:
    """Whether every figure is as wanted."""
    return all(row["ok"] for part in parts.values() for row in part.rows)


def as_json(parts: Mapping[str, Part], about: Mapping[str, Any]) -> str:
    """Everything on one line; a figure that is not finite is null."""
    told = {name: _part(part) for name, part in parts.items()}
    aims = [_aim(name, row) for name, part in parts.items() for row in part.rows if is_held(row)]
    return json.dumps({**about, "is_whole": is_whole(parts), "parts": told, "aims": aims}, allow_nan=False)


def _aim(name: str, row: Row) -> dict[str, Any]:
    """One figure that is held to something: what is wanted, what was measured, whether it is met."""
    measured = _finite(row["measured"])
    return {"name": f"{name}: {row['name']}", "aim": row["wanted"], "measured": measured, "met": row["ok"]}


def _part(part: Part) -> dict[str, Any]:
    return {
        "seconds": round(part.seconds, 1),
        "rows": [{**row, "measured": _finite(row["measured"])} for row in part.rows],
        "tables": [
            {"title": t.title, "head": list(t.head), "rows": [list(row) for row in t.rows]} for t in part.tables
        ],
        "left_out": list(part.left_out),
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _line(row: Row) -> list[str]:
    measured, runs = row["measured"], row.get("runs", 0)
    error = f" ± {row['error']:.2g}" if row.get("error") else ""
    verdict = "" if not is_held(row) else "ok" if row["ok"] else "**SHORT**"
    return [row["name"], _number(measured) + error, row["wanted"], f"{runs:,}" if runs else "", verdict]


def _number(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.4g}"


def _print(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    for line in (head, ["---"] * len(head), *rows):
        print(f"| {' | '.join(line)} |")
