"""The API's handlers: each decodes a request, runs one unit of work and replies with JSON."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import Any

import msgspec
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from reference_service import approvals, connectors, deployments
from reference_service.admission import Admission, Credentials
from reference_service.database import Database
from reference_service.replies import ApiError, decode_body, json_reply, not_found, read_number

_MAX_ID = 2**31 - 1

_CREDENTIALS = msgspec.json.Decoder(Credentials)
_DRAFT = msgspec.json.Decoder(deployments.DeploymentDraft)
_PUBLISH = msgspec.json.Decoder(connectors.PublishOrder)
_REMEDIATE = msgspec.json.Decoder(connectors.RemediateOrder)

UserHandler = Callable[[Request, str], Awaitable[Response]]


class Endpoints:
    """The handlers. ``statements_per_row`` above 0 is the fault n_plus_one."""

    def __init__(self, database: Database, admission: Admission, *, statements_per_row: int) -> None:
        self._database = database
        self._admission = admission
        self._statements_per_row = statements_per_row

    def for_users(self) -> tuple[tuple[str, str, UserHandler], ...]:
        """Method, path and handler of each endpoint that needs a session."""
        return (
            ("POST", "/api/v1/deployments", self.create_deployment),
            ("GET", "/api/v1/deployments", self.list_deployments),
            ("GET", "/api/v1/deployments/{id}", self.get_deployment),
            ("GET", "/api/v1/approvals", self.list_pending_approvals),
            ("POST", "/api/v1/approvals/{id}/approve", partial(self.decide_approval, "approved")),
            ("POST", "/api/v1/approvals/{id}/reject", partial(self.decide_approval, "rejected")),
            ("POST", "/api/v1/connectors/{plane}/publish", self.publish),
            ("GET", "/api/v1/connectors/{plane}/status", self.read_connector),
            ("POST", "/api/v1/connectors/{plane}/remediate", self.remediate),
        )

    async def sign_in(self, request: Request) -> Response:
        credentials = await decode_body(request, _CREDENTIALS)
        token = await self._admission.sign_in(self._database, credentials)
        return json_reply({"token": token, "token_type": "bearer", "username": credentials.username})

    async def create_deployment(self, request: Request, user: str) -> Response:
        draft = await decode_body(request, _DRAFT)
        now_s = time.time()
        created = await self._database.write(
            lambda connection: deployments.create_deployment(connection, draft, user=user, now_s=now_s)
        )
        return json_reply(created, HTTPStatus.CREATED)

    async def list_deployments(self, request: Request, _user: str) -> Response:
        page_size = _page_size(request, default=50, highest=deployments.MAX_PAGE_BYTES)
        status = request.query_params.get("status")

        def work(connection: Connection) -> list[dict[str, Any]]:
            found = deployments.list_deployments(connection, page_size=page_size, status=status)
            deployments.reload_each(connection, [row["id"] for row in found], times=self._statements_per_row)
            return found

        return json_reply({"items": await self._database.read(work)})

    async def get_deployment(self, request: Request, _user: str) -> Response:
        deployment_id = _path_id(request)
        found = await self._database.read(
            lambda connection: deployments.find_deployment(connection, deployment_id)
        )
        if found is None:
            raise not_found(f"there is no deployment {deployment_id}")
        return json_reply(found)

    async def list_pending_approvals(self, request: Request, _user: str) -> Response:
        page_size = _page_size(request, default=120, highest=approvals.MAX_PAGE_BYTES)
        query = request.query_params
        board = read_number(query, "board", default=1, lowest=1, highest=deployments.BOARD_COUNT)
        wanted = board if "board" in query else None

        def work(connection: Connection) -> list[dict[str, Any]]:
            found = approvals.list_pending(connection, page_size=page_size, board=wanted)
            ids = [row["deployment_id"] for row in found]
            deployments.reload_each(connection, ids, times=self._statements_per_row)
            return found

        return json_reply({"items": await self._database.read(work)})

    async def decide_approval(self, decision: approvals.Decision, request: Request, user: str) -> Response:
        approval_id = _path_id(request)
        now_s = time.time()
        try:
            decided = await self._database.write(
                lambda connection: approvals.decide(connection, approval_id, decision, user=user, now_s=now_s)
            )
        except approvals.AlreadyDecidedError as error:
            raise ApiError(HTTPStatus.CONFLICT, "already_decided", str(error)) from None
        if decided is None:
            raise not_found(f"there is no approval {approval_id}")
        return json_reply(decided)

    async def publish(self, request: Request, user: str) -> Response:
        plane = _path_plane(request)
        order = await decode_body(request, _PUBLISH)
        now_s = time.time()
        try:
            published = await self._database.write(
                lambda connection: connectors.publish(
                    connection, plane, order.deployment_id, user=user, now_s=now_s
                )
            )
        except connectors.NotApprovedError as error:
            raise ApiError(HTTPStatus.CONFLICT, "not_approved", str(error)) from None
        if published is None:
            raise not_found(f"there is no deployment {order.deployment_id}")
        return json_reply(published, HTTPStatus.CREATED)

    async def read_connector(self, request: Request, _user: str) -> Response:
        plane = _path_plane(request)
        return json_reply(
            await self._database.read(lambda connection: connectors.read_status(connection, plane))
        )

    async def remediate(self, request: Request, _user: str) -> Response:
        plane = _path_plane(request)
        order = await decode_body(request, _REMEDIATE)
        remediated = await self._database.write(
            lambda connection: connectors.remediate(connection, plane, order.publication_id)
        )
        if remediated is None:
            raise not_found(f"{plane} has no publication {order.publication_id}")
        return json_reply(remediated)


def _page_size(request: Request, *, default: int, highest: int) -> int:
    return read_number(request.query_params, "limit", default=default, lowest=1, highest=highest)


def _path_id(request: Request) -> int:
    return read_number(request.path_params, "id", default=0, lowest=1, highest=_MAX_ID)


def _path_plane(request: Request) -> str:
    plane = str(request.path_params["plane"])
    if plane not in connectors.PLANES:
        raise not_found(f"there is no plane {plane!r}; there are {', '.join(connectors.PLANES)}")
    return plane
