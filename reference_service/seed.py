"""Fresh state: tables, users, pending approvals, approved deployments, connectors."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

from redis import Redis
from sqlalchemy import Connection, Engine, Table, insert, select
from sqlalchemy.exc import SQLAlchemyError

from reference_service import sessions, throttle
from reference_service.connectors import PLANES
from reference_service.database import open_engine, split_engine
from reference_service.deployments import board_of
from reference_service.passwords import hash_password
from reference_service.settings import Settings
from reference_service.tables import (
    APPROVALS,
    CONNECTORS,
    DEPLOYMENTS,
    HOT_ROW,
    METADATA,
    PUBLICATIONS,
    USERS,
)

APPROVED_COUNT = 250
_BATCH = 1000
_RETRY_EVERY_S = 0.5
_REQUESTER = "user-0000"


def reset_state(settings: Settings) -> None:
    """Drop what is there, create and fill the tables, forget sessions and throttling in Redis. Idempotent."""
    engine, _ = split_engine(open_engine(settings.database_url))
    with engine.begin() as connection:
        METADATA.drop_all(connection)
        METADATA.create_all(connection)
        fill_tables(connection, settings)
    engine.dispose()
    if settings.redis_url is not None:
        with Redis.from_url(settings.redis_url) as client:
            forget_redis_state(client)


def ensure_state(settings: Settings) -> None:
    """Create and fill the tables of a database that has none; leave any other as it is.

    Tries until it works: the database may start after the service.
    """
    engine, _ = split_engine(open_engine(settings.database_url))
    while True:
        try:
            _fill_if_empty(engine, settings)
        except SQLAlchemyError as error:
            sys.stderr.write(f"database not ready: {error}\n")
            time.sleep(_RETRY_EVERY_S)
        else:
            break
    engine.dispose()


def _fill_if_empty(engine: Engine, settings: Settings) -> None:
    with engine.begin() as connection:
        METADATA.create_all(connection)
        if connection.execute(select(USERS.c.username).limit(1)).first() is None:
            fill_tables(connection, settings)


def forget_redis_state(client: Redis) -> None:
    """Delete this service's keys and no others: the Redis may be shared."""
    for prefix in (sessions.KEY_PREFIX, throttle.KEY_PREFIX):
        keys = client.scan_iter(match=f"{prefix}*", count=_BATCH)
        while batch := list(islice(keys, _BATCH)):
            client.delete(*batch)


def fill_tables(connection: Connection, settings: Settings) -> None:
    """Insert the seeded rows into empty tables."""
    # Seeded users share one password and so one hash; checking it costs what any other would.
    password_hash = hash_password(settings.seed_password)
    now_s = time.time()
    users = ({"username": f"user-{n:04}", "password_hash": password_hash} for n in range(settings.seed_users))
    _insert_all(connection, USERS, users)
    _insert_all(connection, CONNECTORS, (_connector(plane) for plane in PLANES))
    connection.execute(insert(HOT_ROW), {"id": 1, "writes": 0})
    approved = (_deployment(n, "approved", now_s) for n in range(APPROVED_COUNT))
    _insert_all(connection, DEPLOYMENTS, approved)
    pending = (_deployment(n, "pending", now_s) for n in range(settings.seed_pending))
    _insert_all(connection, DEPLOYMENTS, pending)
    queued = (
        connection.execute(select(DEPLOYMENTS.c.id).where(DEPLOYMENTS.c.status == "pending")).scalars().all()
    )
    approvals = ({"deployment_id": id_, "board": board_of(id_), "status": "pending"} for id_ in queued)
    _insert_all(connection, APPROVALS, approvals)
    published = (
        connection.execute(select(DEPLOYMENTS.c.id).where(DEPLOYMENTS.c.status == "approved")).scalars().all()
    )
    _insert_all(
        connection, PUBLICATIONS, (_publication(plane, id_, now_s) for id_ in published for plane in PLANES)
    )


def _insert_all(connection: Connection, table: Table, rows: Iterator[dict[str, Any]]) -> None:
    while batch := list(islice(rows, _BATCH)):
        connection.execute(insert(table), batch)


def _connector(plane: str) -> dict[str, Any]:
    return {"plane": plane, "endpoint": f"https://{plane}.example.com/api", "healthy": True}


def _deployment(number: int, status: str, now_s: float) -> dict[str, Any]:
    is_risky = status == "pending"
    return {
        "application": f"application-{number % 40:02}",
        "version": f"{number % 9 + 1}.{number % 7}.0",
        "ring": "global" if is_risky else "canary",
        "device_count": 2000 if is_risky else 50,
        "needs_admin": False,
        "has_rollback": True,
        "risk_score": 60 if is_risky else 0,
        "status": status,
        "created_by": _REQUESTER,
        "created_at_s": now_s,
    }


def _publication(plane: str, deployment_id: int, now_s: float) -> dict[str, Any]:
    return {
        "plane": plane,
        "deployment_id": deployment_id,
        "status": "published",
        "created_by": _REQUESTER,
        "created_at_s": now_s,
    }
