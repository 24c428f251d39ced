"""What the proof keeps: attempts, labels of pairs, the state of what watches a route, and receipts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

_REFUSE_ON_SQLITE = """
CREATE TRIGGER receipts_are_not_{verb}d BEFORE {verb} ON receipts
BEGIN SELECT RAISE(ABORT, 'receipts are never changed or deleted'); END
"""
_REFUSE_ON_POSTGRESQL = """
CREATE FUNCTION refuse_to_change_receipts() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'receipts are never changed or deleted'; END $$;
CREATE TRIGGER receipts_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON receipts
FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_receipts()
"""

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add four tables; proofs and routes that are there already have no receipts and count as no attempts."""
    op.create_table(
        "attempts",
        sa.Column("task_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("task_id", "number"),
        sa.UniqueConstraint("task_id", "id", name="one_attempt_per_proof"),
    )
    op.create_table(
        "labels",
        sa.Column("task_id", sa.String(length=64), nullable=False),
        sa.Column("model_id", sa.String(length=64), nullable=False),
        sa.Column("example_id", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=128), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("task_id", "model_id", "example_id", "source"),
    )
    op.create_table(
        "watches",
        sa.Column("task_id", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.Float(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("task_id"),
    )
    op.create_table(
        "receipts",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("task_id", sa.String(length=64), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("hash"),
        sa.UniqueConstraint("previous"),
    )
    op.create_index("ix_receipts_task_id", "receipts", ["task_id"])
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(_REFUSE_ON_SQLITE.format(verb=verb))
    else:
        op.execute(_REFUSE_ON_POSTGRESQL)
