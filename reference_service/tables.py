"""The database's tables."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, MetaData, String, Table, Text

METADATA = MetaData()

USERS = Table(
    "users",
    METADATA,
    Column("username", String(64), primary_key=True),
    Column("password_hash", Text, nullable=False),
)

DEPLOYMENTS = Table(
    "deployments",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("application", String(128), nullable=False),
    Column("version", String(64), nullable=False),
    Column("ring", String(16), nullable=False),
    Column("device_count", Integer, nullable=False),
    Column("needs_admin", Boolean, nullable=False),
    Column("has_rollback", Boolean, nullable=False),
    Column("risk_score", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("created_at_s", Float, nullable=False),
)
Index("ix_deployments_status", DEPLOYMENTS.c.status, DEPLOYMENTS.c.id)

APPROVALS = Table(
    "approvals",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("deployment_id", Integer, ForeignKey("deployments.id"), nullable=False, unique=True),
    Column("board", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("decided_by", String(64)),
    Column("decided_at_s", Float),
)
Index("ix_approvals_queue", APPROVALS.c.board, APPROVALS.c.status, APPROVALS.c.id)

CONNECTORS = Table(
    "connectors",
    METADATA,
    Column("plane", String(16), primary_key=True),
    Column("endpoint", String(128), nullable=False),
    Column("healthy", Boolean, nullable=False),
)

PUBLICATIONS = Table(
    "publications",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("plane", String(16), ForeignKey("connectors.plane"), nullable=False),
    Column("deployment_id", Integer, ForeignKey("deployments.id"), nullable=False),
    Column("status", String(16), nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("created_at_s", Float, nullable=False),
)
Index("ix_publications_plane", PUBLICATIONS.c.plane, PUBLICATIONS.c.id)

# One row, which only the fault lock_contention updates.
HOT_ROW = Table(
    "hot_row",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("writes", Integer, nullable=False),
)
