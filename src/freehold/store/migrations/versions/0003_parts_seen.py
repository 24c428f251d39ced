"""When a shared part was last part of a call, so that those that no call needs any more can be deleted safely."""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add a column and an index; parts that are there already count as seen now."""
    op.add_column("parts", sa.Column("seen_at", sa.Float(), nullable=False, server_default="0"))
    op.execute(sa.text("UPDATE parts SET seen_at = :now").bindparams(now=time.time()))
    has_bodies = sa.text("redaction <> 'deleted'")
    op.create_index(
        "calls_with_bodies_by_time", "calls", ["created_at"], sqlite_where=has_bodies, postgresql_where=has_bodies
    )
