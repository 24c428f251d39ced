"""What keys have spent by their gateways' own count, what they have set aside, and counts of refused requests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add two columns and two tables; what was used before is known by the recorded calls alone."""
    op.add_column("key_usage", sa.Column("settled_tokens", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("key_usage", sa.Column("settled_usd", sa.Float(), nullable=False, server_default="0"))
    op.create_table(
        "budget_leases",
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("holder", sa.String(length=36), nullable=False),
        sa.Column("usd", sa.Float(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", "holder"),
    )
    op.create_table(
        "refused",
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "code", "key_id"),
    )
