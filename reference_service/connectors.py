"""Connectors: the five planes that a deployment is published to."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, insert, select, update

from reference_service.deployments import find_deployment, inserted_id
from reference_service.tables import CONNECTORS, PUBLICATIONS

PLANES = ("intune", "jamf", "sccm", "landscape", "ansible")
_RECENT = 20


class PublishOrder(msgspec.Struct, forbid_unknown_fields=True):
    """Which deployment to publish."""

    deployment_id: int


class RemediateOrder(msgspec.Struct, forbid_unknown_fields=True):
    """Which publication has drifted and is to be applied again."""

    publication_id: int


class NotApprovedError(Exception):
    """A deployment that is not approved cannot be published."""


_CONNECTOR = select(CONNECTORS).where(CONNECTORS.c.plane == bindparam("of_plane"))
_INSERT = insert(PUBLICATIONS)
_LATEST = (
    select(PUBLICATIONS.c.id, PUBLICATIONS.c.deployment_id, PUBLICATIONS.c.status)
    .where(PUBLICATIONS.c.plane == bindparam("of_plane"))
    .order_by(PUBLICATIONS.c.id.desc())
    .limit(_RECENT)
)
_REMEDIATE = (
    update(PUBLICATIONS)
    .where(PUBLICATIONS.c.id == bindparam("of_id"), PUBLICATIONS.c.plane == bindparam("of_plane"))
    .values(status="remediated")
    .returning(PUBLICATIONS.c.deployment_id)
)


def publish(
    connection: Connection, plane: str, deployment_id: int, *, user: str, now_s: float
) -> dict[str, Any] | None:
    """Record a publication. None where there is no such deployment. Raises NotApprovedError."""
    deployment = find_deployment(connection, deployment_id)
    if deployment is None:
        return None
    if deployment["status"] != "approved":
        raise NotApprovedError(f"deployment {deployment_id} is {deployment['status']}")
    row = {
        "plane": plane,
        "deployment_id": deployment_id,
        "status": "published",
        "created_by": user,
        "created_at_s": now_s,
    }
    return {"id": inserted_id(connection, _INSERT, row), **row}


def read_status(connection: Connection, plane: str) -> dict[str, Any]:
    """The connector and its latest publications, newest first."""
    connector = connection.execute(_CONNECTOR, {"of_plane": plane}).mappings().one()
    latest = connection.execute(_LATEST, {"of_plane": plane}).mappings()
    return {**connector, "publications": [dict(row) for row in latest]}


def remediate(connection: Connection, plane: str, publication_id: int) -> dict[str, Any] | None:
    """Apply a publication again. None where the plane has no such publication."""
    values = {"of_id": publication_id, "of_plane": plane}
    deployment_id = connection.execute(_REMEDIATE, values).scalar()
    if deployment_id is None:
        return None
    return {"id": publication_id, "plane": plane, "deployment_id": deployment_id, "status": "remediated"}
