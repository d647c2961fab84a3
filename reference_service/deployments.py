"""Deployments: created with a risk score that decides whether a board has to approve them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from sqlalchemy import Connection, Insert, bindparam, insert, select

from reference_service.tables import APPROVALS, DEPLOYMENTS

BOARD_COUNT = 25
APPROVAL_NEEDED_ABOVE = 50
MAX_PAGE_BYTES = 200

Ring = Literal["canary", "pilot", "department", "global"]
_RING_RISK: Mapping[Ring, int] = {"canary": 0, "pilot": 10, "department": 25, "global": 40}
_RISK_BY_DEVICES = ((10_000, 30), (1_000, 20), (100, 10))


class DeploymentDraft(msgspec.Struct, forbid_unknown_fields=True):
    """What a client sends to create a deployment."""

    application: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    version: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    ring: Ring
    device_count: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    needs_admin: bool = False
    has_rollback: bool = True


def score_risk(draft: DeploymentDraft) -> int:
    """From 0 to 100: how far it reaches, with which rights, and whether it can be taken back."""
    reach = next((risk for devices, risk in _RISK_BY_DEVICES if draft.device_count >= devices), 0)
    rights = 15 if draft.needs_admin else 0
    no_way_back = 0 if draft.has_rollback else 15
    return _RING_RISK[draft.ring] + reach + rights + no_way_back


_INSERT = insert(DEPLOYMENTS)
_INSERT_APPROVAL = insert(APPROVALS)
_BY_ID = select(DEPLOYMENTS).where(DEPLOYMENTS.c.id == bindparam("id"))
_NEWEST = select(DEPLOYMENTS).order_by(DEPLOYMENTS.c.id.desc()).limit(bindparam("page_size"))
_NEWEST_IN_STATUS = _NEWEST.where(DEPLOYMENTS.c.status == bindparam("wanted"))


def create_deployment(
    connection: Connection, draft: DeploymentDraft, *, user: str, now_s: float
) -> dict[str, Any]:
    """Insert the deployment, approved at once or with a pending approval, and return it."""
    risk_score = score_risk(draft)
    is_risky = risk_score > APPROVAL_NEEDED_ABOVE
    row = {
        **msgspec.structs.asdict(draft),
        "risk_score": risk_score,
        "status": "pending" if is_risky else "approved",
        "created_by": user,
        "created_at_s": now_s,
    }
    deployment_id = inserted_id(connection, _INSERT, row)
    approval_id = None
    if is_risky:
        approval = {"deployment_id": deployment_id, "board": board_of(deployment_id), "status": "pending"}
        approval_id = inserted_id(connection, _INSERT_APPROVAL, approval)
    return {"id": deployment_id, **row, "approval_id": approval_id}


def board_of(deployment_id: int) -> int:
    """Which board, from 1 to BOARD_COUNT, decides on it."""
    return deployment_id % BOARD_COUNT + 1


def find_deployment(connection: Connection, deployment_id: int) -> dict[str, Any] | None:
    """The deployment's row; None where there is none."""
    row = connection.execute(_BY_ID, {"id": deployment_id}).mappings().first()
    return None if row is None else dict(row)


def list_deployments(connection: Connection, *, page_size: int, status: str | None) -> list[dict[str, Any]]:
    """The newest deployments first, all or those in one status."""
    if status is None:
        rows = connection.execute(_NEWEST, {"page_size": page_size})
    else:
        rows = connection.execute(_NEWEST_IN_STATUS, {"page_size": page_size, "wanted": status})
    return [dict(row) for row in rows.mappings()]


def reload_each(connection: Connection, deployment_ids: list[int], *, times: int) -> None:
    """The fault n_plus_one: fetch each row again, a statement at a time."""
    for deployment_id in deployment_ids:
        for _ in range(times):
            find_deployment(connection, deployment_id)


def inserted_id(connection: Connection, statement: Insert, row: Mapping[str, object]) -> int:
    """Insert the row and return its key."""
    key = connection.execute(statement, row).inserted_primary_key
    assert key is not None  # noqa: S101  # for the type: None only where RETURNING was asked for
    return int(key[0])
