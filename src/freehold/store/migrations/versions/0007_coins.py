"""Columns for the coins of calls: what chance decided, and what came of the owned side. They were tags before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_COLUMNS: Mapping[str, Any] = {
    "audit": sa.String(length=16),
    "audit_rate": sa.Float(),
    "shadow": sa.String(length=16),
    "coin": sa.String(length=16),
    "owned": sa.Text(),
    "engine": sa.Text(),
    "slice": sa.Text(),
    "new_prompt": sa.Integer(),
}
_ROWS_PER_PAGE = 1000


def upgrade() -> None:
    """Add the columns and move what is in the tags; a tag that cannot be a coin is dropped with them."""
    for name, kind in _COLUMNS.items():
        op.add_column("calls", sa.Column(name, kind))
    connection = op.get_bind()
    calls = sa.table(
        "calls", sa.column("id", sa.String), sa.column("tags", sa.JSON), *(sa.column(n, k) for n, k in _COLUMNS.items())
    )
    text = sa.cast(calls.c.tags, sa.Text)
    has_coins = sa.or_(*(text.like(f'%"{name}"%') for name in _COLUMNS))
    values: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in (*_COLUMNS, "tags")}
    moved = sa.update(calls).where(calls.c.id == sa.bindparam("this")).values(values)
    last = ""
    while True:
        page = sa.select(calls.c.id, calls.c.tags).where(calls.c.id > last, has_coins)
        rows = connection.execute(page.order_by(calls.c.id).limit(_ROWS_PER_PAGE)).all()
        if not rows:
            return
        last = rows[-1].id
        connection.execute(moved, [{"this": row.id, **_moved(row.tags)} for row in rows])


def _moved(tags: object) -> dict[str, object]:
    """The new values of a row with these tags."""
    known = tags if isinstance(tags, dict) else {}
    told = {name: str(value) for name, value in known.items() if isinstance(value, str | int | float)}
    coins = {f"new_{name}": _coin(name, told.get(name)) for name in _COLUMNS}
    kept = {name: value for name, value in known.items() if name not in _COLUMNS} if isinstance(tags, dict) else tags
    return {**coins, "new_tags": kept}


def _coin(name: str, text: str | None) -> object:
    """A coin out of its tag; None where it cannot be one."""
    if text is None:
        return None
    match name:
        case "audit" | "shadow":
            return text if text in ("due", "dropped") else None
        case "coin":
            return text if text in ("owned", "rented") else None
        case "new_prompt":
            return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None
        case "audit_rate":
            return _share(text)
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _share(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0.0 < value <= 1.0 else None
