"""Who may call: throttling per address and per user, sign-in, bearer tokens."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import Annotated

import msgspec
from sqlalchemy import Connection, bindparam, select
from starlette.requests import Request

from reference_service.database import Database
from reference_service.metrics import Metrics
from reference_service.passwords import PasswordChecker
from reference_service.quantities import Rate
from reference_service.replies import ApiError
from reference_service.sessions import Sessions
from reference_service.settings import Settings
from reference_service.tables import USERS
from reference_service.throttle import Throttle

_PASSWORD_HASH = select(USERS.c.password_hash).where(USERS.c.username == bindparam("username"))


class Credentials(msgspec.Struct, forbid_unknown_fields=True):
    """What a client sends to sign in."""

    username: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    password: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]


class Admission:
    """Lets requests in or ends them with an ApiError: 401 or 429."""

    def __init__(
        self,
        settings: Settings,
        sessions: Sessions,
        throttle: Throttle,
        passwords: PasswordChecker,
        metrics: Metrics,
    ) -> None:
        self._sessions = sessions
        self._throttle = throttle
        self._passwords = passwords
        self._metrics = metrics
        self._user_rate = settings.throttle_user
        self._address_rate = settings.faults.throttle or settings.throttle_address

    async def admit_address(self, request: Request) -> None:
        """Raises ApiError 429."""
        if self._address_rate is not None:
            host = request.client.host if request.client else "unknown"
            await self._take("address", host, self._address_rate)

    async def admit_user(self, request: Request) -> str:
        """The user whose token the request bears. Raises ApiError 401 or 429."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        user = await self._sessions.find_user(token) if scheme.lower() == "bearer" and token else None
        if user is None:
            raise _unauthorized("no_session", "sign in and send the token as 'Authorization: Bearer TOKEN'")
        if self._user_rate is not None:
            await self._take("user", user, self._user_rate)
        return user

    async def sign_in(self, database: Database, credentials: Credentials) -> str:
        """A new token. Raises ApiError 401 or 429, the latter also to slow down guessing."""
        if self._user_rate is not None:
            await self._take("user", credentials.username, self._user_rate)

        def find_hash(connection: Connection) -> str | None:
            found = connection.execute(_PASSWORD_HASH, {"username": credentials.username}).scalar()
            return None if found is None else str(found)

        # The connection is given back before the hash is checked, which takes far longer than the query.
        password_hash = await database.read(find_hash)
        if not await self._passwords.check(password_hash, credentials.password):
            raise _unauthorized("bad_credentials", "unknown user or wrong password")
        return await self._sessions.open(credentials.username)

    async def _take(self, scope: str, name: str, rate: Rate) -> None:
        wait_s = await self._throttle.take(f"{scope}:{name}", rate)
        if wait_s > 0:
            self._metrics.throttled.labels(scope).inc()
            raise ApiError(
                HTTPStatus.TOO_MANY_REQUESTS,
                "throttled",
                f"more than {rate.count} requests in {rate.period_s:g} s by this {scope}",
                {"Retry-After": str(math.ceil(wait_s))},
            )


def _unauthorized(code: str, message: str) -> ApiError:
    return ApiError(HTTPStatus.UNAUTHORIZED, code, message, {"WWW-Authenticate": "Bearer"})
