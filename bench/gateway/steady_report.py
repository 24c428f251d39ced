"""The rows of `steady.py` as a table, and as the JSON line that its aims are read from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from steady_figures import Row

_WORDS = {True: "met", False: "SHORT", None: ""}


def print_rows(title: str, rows: Sequence[Row]) -> None:
    """One line a row; the other checkout's value beside it where there is one."""
    has_other = any(row.against is not None for row in rows)
    width = max((len(row.name) for row in rows), default=0)
    print(f"\n{title}" + ("  (behind the bar: the other checkout)" if has_other else ""))
    for row in rows:
        other = f" | {_figure(row.against):>12}" if has_other else ""
        tail = "  ".join(part for part in (row.aim, _WORDS[row.is_met], row.note) if part)
        print(f"  {row.name:<{width}}  {_figure(row.value):>12}{other}  {row.unit:<8}  {tail}".rstrip())


def json_line(by_case: dict[str, list[Row]], about: dict[str, object]) -> str:
    """All rows, and each aim with what was measured."""
    rows = {case: [asdict(row) for row in rows] for case, rows in by_case.items()}
    aims = [
        {"name": f"{case}: {row.name}", "aim": row.aim, "measured": row.value, "met": row.is_met}
        for case, found in by_case.items()
        for row in found
        if row.aim
    ]
    return json.dumps({**about, "rows": rows, "aims": aims})


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:,.3g}"
