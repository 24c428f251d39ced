"""What a call's tokens are made of, whether they are an estimate, its API version; and edits of tasks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add columns and a table; calls that are there already are no estimates and asked for no known version."""
    op.add_column("calls", sa.Column("written_tokens", sa.Integer()))
    op.add_column("calls", sa.Column("reasoning_tokens", sa.Integer()))
    no = sa.text("false")
    op.add_column("calls", sa.Column("is_estimated", sa.Boolean(), nullable=False, server_default=no))
    op.add_column("calls", sa.Column("api", sa.JSON(), nullable=False, server_default="{}"))
    op.create_table(
        "task_edits",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("undone_at", sa.Float()),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
