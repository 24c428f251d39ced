"""The tables of the record.

Values that are only ever read whole (a manifest, a card, a verdict, a route) are one JSON document beside the columns
that are searched. Not covered: how tables came to be (`migrations/`).
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()

_HAS_BODIES = text("redaction <> 'deleted'")

calls = Table(
    "calls",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("created_at", Float, nullable=False),
    Column("parent_id", String(36)),
    Column("task_id", String(64)),
    Column("task_key", String(64)),
    Column("dialect", String(32), nullable=False),
    Column("method", String(16), nullable=False),
    Column("path", Text, nullable=False),
    Column("request_body", LargeBinary, nullable=False),
    Column("request_parts", JSON, nullable=False),
    Column("response_body", LargeBinary, nullable=False),
    Column("arm", String(16), nullable=False),
    Column("propensity", Float, nullable=False),
    Column("confidence", Float),
    Column("provider", String(128), nullable=False),
    Column("model_asked", Text),
    Column("model_answered", Text),
    Column("system_fingerprint", Text),
    Column("status", Integer, nullable=False),
    Column("finish_reason", Text),
    Column("error", Text),
    Column("input_tokens", Integer),
    Column("cached_tokens", Integer),
    Column("output_tokens", Integer),
    Column("cost_usd", Float),
    Column("latency_ms", Float, nullable=False),
    Column("ttft_ms", Float),
    Column("gateway_ms", Float),
    Column("is_stream", Boolean, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("user_key", Text),
    Column("session_key", Text),
    Column("key_id", String(16)),
    Column("route_version", Integer, nullable=False),
    Column("redaction", String(16), nullable=False),
    Column("written_tokens", Integer),
    Column("reasoning_tokens", Integer),
    Column("is_estimated", Boolean, nullable=False, server_default=text("false")),
    Column("api", JSON, nullable=False, server_default="{}"),
    Column("audit", String(16)),
    Column("audit_rate", Float),
    Column("shadow", String(16)),
    Column("coin", String(16)),
    Column("owned", Text),
    Column("engine", Text),
    Column("slice", Text),
    Column("new_prompt", Integer),
    Index("calls_by_task", "task_id", "created_at"),
    Index("calls_by_parent", "parent_id"),
    Index("calls_by_time", "created_at"),
    Index("calls_with_bodies_by_time", "created_at", sqlite_where=_HAS_BODIES, postgresql_where=_HAS_BODIES),
)

parts = Table(
    "parts",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("seen_at", Float, nullable=False, server_default="0"),
)

feedback = Table(
    "feedback",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("call_id", String(36), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("value", Text, nullable=False),
    Index("feedback_by_call", "call_id"),
)

tasks = Table(
    "tasks",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(128), nullable=False, unique=True),
    Column("created_at", Float, nullable=False),
    Column("changed_at", Float, nullable=False),
    Column("document", JSON, nullable=False),
)

task_edits = Table(
    "task_edits",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("created_at", Float, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("undone_at", Float),
    Column("document", JSON, nullable=False),
)

datasets = Table(
    "datasets",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("task_id", String(64), nullable=False, index=True),
    Column("created_at", Float, nullable=False),
    Column("path", Text, nullable=False),
    Column("document", JSON, nullable=False),
)

models = Table(
    "models",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("task_id", String(64), nullable=False, index=True),
    Column("created_at", Float, nullable=False),
    Column("document", JSON, nullable=False),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("task_id", String(64), nullable=False, index=True),
    Column("created_at", Float, nullable=False),
    Column("document", JSON, nullable=False),
)

routes = Table(
    "routes",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("task_id", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("document", JSON, nullable=False),
    UniqueConstraint("task_id", "version", name="one_route_per_version"),
)

_IS_NOT_REVOKED = text("revoked_at IS NULL")

keys = Table(
    "keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("created_at", Float, nullable=False),
    Column("revoked_at", Float),
    Column("document", JSON, nullable=False),
    Index("one_key_per_name", "name", unique=True, sqlite_where=_IS_NOT_REVOKED, postgresql_where=_IS_NOT_REVOKED),
)

key_usage = Table(
    "key_usage",
    metadata,
    Column("span_s", Integer, primary_key=True, autoincrement=False),
    Column("began_at", BigInteger, primary_key=True, autoincrement=False),
    Column("key_id", String(16), primary_key=True),
    Column("admitted", BigInteger, nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("cost_usd", Float, nullable=False),
    Column("unpriced", BigInteger, nullable=False),
    Column("settled_tokens", BigInteger, nullable=False, server_default="0"),
    Column("settled_usd", Float, nullable=False, server_default="0"),
)

budget_leases = Table(
    "budget_leases",
    metadata,
    Column("key_id", String(16), primary_key=True),
    Column("holder", String(36), primary_key=True),
    Column("usd", Float, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("expires_at", Float, nullable=False),
)

refused = Table(
    "refused",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("code", String(64), primary_key=True),
    Column("key_id", String(16), primary_key=True),
    Column("requests", BigInteger, nullable=False),
)
"""Requests that the gateway refused, by UTC day (days since 1970), code and key; no key is an empty text."""

attempts = Table(
    "attempts",
    metadata,
    Column("task_id", String(64), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("id", String(64), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("document", JSON, nullable=False),
    UniqueConstraint("task_id", "id", name="one_attempt_per_proof"),
)

labels = Table(
    "labels",
    metadata,
    Column("task_id", String(64), primary_key=True),
    Column("model_id", String(64), primary_key=True),
    Column("example_id", String(64), primary_key=True),
    Column("source", String(128), primary_key=True),
    Column("created_at", Float, nullable=False),
    Column("document", JSON, nullable=False),
)

watches = Table(
    "watches",
    metadata,
    Column("task_id", String(64), primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("changed_at", Float, nullable=False),
    Column("document", JSON, nullable=False),
)

receipts = Table(
    "receipts",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("previous", String(64), nullable=False, unique=True),
    Column("created_at", Float, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("task_id", String(64), nullable=False, index=True),
    Column("document", Text, nullable=False),
)
"""Only ever appended to: triggers of the migration refuse UPDATE and DELETE."""
