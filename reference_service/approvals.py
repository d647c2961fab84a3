"""Approvals by a change advisory board (CAB): a queue for each board, and decisions made once only."""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import Connection, bindparam, select, update

from reference_service.tables import APPROVALS, DEPLOYMENTS

MAX_PAGE_BYTES = 200

Decision = Literal["approved", "rejected"]

_PENDING = (
    select(
        APPROVALS.c.id,
        APPROVALS.c.board,
        APPROVALS.c.deployment_id,
        DEPLOYMENTS.c.application,
        DEPLOYMENTS.c.version,
        DEPLOYMENTS.c.ring,
        DEPLOYMENTS.c.device_count,
        DEPLOYMENTS.c.risk_score,
        DEPLOYMENTS.c.created_by,
    )
    .join(DEPLOYMENTS, DEPLOYMENTS.c.id == APPROVALS.c.deployment_id)
    .where(APPROVALS.c.status == "pending")
    .order_by(APPROVALS.c.id)
    .limit(bindparam("page_size"))
)
_PENDING_OF_BOARD = _PENDING.where(APPROVALS.c.board == bindparam("of_board"))
_BY_ID = select(APPROVALS).where(APPROVALS.c.id == bindparam("of_id"))
# The condition on status is what makes a decision final: of any number of concurrent updates one matches.
_DECIDE = (
    update(APPROVALS)
    .where(APPROVALS.c.id == bindparam("of_id"), APPROVALS.c.status == "pending")
    .values(status=bindparam("decision"), decided_by=bindparam("by"), decided_at_s=bindparam("at_s"))
    .returning(APPROVALS.c.deployment_id)
)
_SET_DEPLOYMENT = (
    update(DEPLOYMENTS).where(DEPLOYMENTS.c.id == bindparam("of_id")).values(status=bindparam("decision"))
)


class AlreadyDecidedError(Exception):
    """Somebody has approved or rejected it before; the message says who."""


def list_pending(connection: Connection, *, page_size: int, board: int | None) -> list[dict[str, Any]]:
    """The oldest pending approvals first, of all boards or of one."""
    if board is None:
        rows = connection.execute(_PENDING, {"page_size": page_size})
    else:
        rows = connection.execute(_PENDING_OF_BOARD, {"page_size": page_size, "of_board": board})
    return [dict(row) for row in rows.mappings()]


def decide(
    connection: Connection, approval_id: int, decision: Decision, *, user: str, now_s: float
) -> dict[str, Any] | None:
    """Approve or reject. None where there is no such approval. Raises AlreadyDecidedError."""
    values = {"of_id": approval_id, "decision": decision, "by": user, "at_s": now_s}
    deployment_id = connection.execute(_DECIDE, values).scalar()
    if deployment_id is None:
        _refuse_if_decided(connection, approval_id)
        return None
    connection.execute(_SET_DEPLOYMENT, {"of_id": deployment_id, "decision": decision})
    return {"id": approval_id, "deployment_id": deployment_id, "status": decision, "decided_by": user}


def _refuse_if_decided(connection: Connection, approval_id: int) -> None:
    row = connection.execute(_BY_ID, {"of_id": approval_id}).first()
    if row is not None:
        raise AlreadyDecidedError(f"approval {approval_id} is {row.status}, by {row.decided_by}")
