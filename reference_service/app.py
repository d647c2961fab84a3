"""The application: its parts wired together, its routes, its life from start to end."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus

from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reference_service.admission import Admission
from reference_service.database import Database, PoolTimeoutError
from reference_service.endpoints import Endpoints, UserHandler
from reference_service.injection import LOGIN_PATH, Injection
from reference_service.metrics import Metrics
from reference_service.passwords import PasswordChecker
from reference_service.replies import ApiError, error_reply, json_reply
from reference_service.sessions import MemorySessions, RedisSessions
from reference_service.settings import Settings, parse_settings
from reference_service.throttle import MemoryThrottle, RedisThrottle

_REDIS_CONNECTIONS = 20
_LABEL = "reference.endpoint"

Handler = Callable[[Request], Awaitable[Response]]


class Service:
    """Everything that one process holds: opened here, closed by ``run``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.metrics = Metrics()
        self._database = Database(settings, self.metrics)
        self._passwords = PasswordChecker()
        self._redis = open_redis(settings.redis_url)
        lifetime_s = settings.session_lifetime_s
        if self._redis is None:
            self._admission = Admission(
                settings, MemorySessions(lifetime_s), MemoryThrottle(), self._passwords, self.metrics
            )
        else:
            sessions, throttle = RedisSessions(self._redis, lifetime_s), RedisThrottle(self._redis)
            self._admission = Admission(settings, sessions, throttle, self._passwords, self.metrics)
        self._injection = Injection(settings.faults)

    @asynccontextmanager
    async def run(self, _app: Starlette) -> AsyncIterator[None]:
        yield
        self._database.close()
        self._passwords.close()
        if self._redis is not None:
            await self._redis.aclose()

    def routes(self) -> list[Route]:
        statements_per_row = self._settings.faults.n_plus_one or 0
        endpoints = Endpoints(self._database, self._admission, statements_per_row=statements_per_row)
        api = [
            Route(path, self._guard(f"{method} {path}", partial(self._with_user, handler)), methods=[method])
            for method, path, handler in endpoints.for_users()
        ]
        sign_in = self._guard(f"POST {LOGIN_PATH}", endpoints.sign_in)
        return [
            *api,
            Route(LOGIN_PATH, sign_in, methods=["POST"]),
            Route("/healthz", self.report_health),
            Route("/metrics", self.show_metrics),
        ]

    async def report_health(self, _request: Request) -> Response:
        """200 when a request could be served now: the database and Redis answer."""
        if self._injection.is_starting:
            return error_reply(HTTPStatus.SERVICE_UNAVAILABLE, "starting", "not ready yet")
        try:
            await self._database.read(lambda connection: connection.execute(text("SELECT 1")).scalar())
            if self._redis is not None:
                await self._redis.ping()
        except (SQLAlchemyError, PoolTimeoutError, RedisError) as error:
            return error_reply(HTTPStatus.SERVICE_UNAVAILABLE, "not_ready", str(error))
        return json_reply({"status": "ready"})

    async def show_metrics(self, _request: Request) -> Response:
        return Response(self.metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    def _guard(self, label: str, handler: Handler) -> Handler:
        """The handler behind what every API request passes: throttle and faults."""

        async def endpoint(request: Request) -> Response:
            request.scope[_LABEL] = label
            if self._injection.is_starting:
                raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "starting", "not ready yet")
            await self._admission.admit_address(request)
            struck = await self._injection.strike(request)
            return struck if struck is not None else await handler(request)

        return endpoint

    async def _with_user(self, handler: UserHandler, request: Request) -> Response:
        return await handler(request, await self._admission.admit_user(request))


class Observation:
    """Middleware: measures every request, whatever answers it."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = int(HTTPStatus.INTERNAL_SERVER_ERROR)
        began_s = time.perf_counter()

        async def observed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._metrics.in_progress.inc()
        try:
            await self._app(scope, receive, observed_send)
        finally:
            self._metrics.in_progress.dec()
            self._metrics.observe(scope.get(_LABEL, "other"), status, time.perf_counter() - began_s)


def open_redis(url: str | None) -> Redis | None:
    """A client that waits for a free connection instead of opening one for each request in flight."""
    if url is None:
        return None
    return Redis(
        connection_pool=BlockingConnectionPool.from_url(url, max_connections=_REDIS_CONNECTIONS, timeout=5)
    )


def build_app(settings: Settings) -> Starlette:
    """The ASGI application; its connections open when it starts."""
    service = Service(settings)
    return Starlette(
        routes=service.routes(),
        lifespan=service.run,
        middleware=[Middleware(Observation, metrics=service.metrics)],
        exception_handlers={
            ApiError: _reply_api_error,
            HTTPException: _reply_http_error,
            PoolTimeoutError: _reply_pool_timeout,
            Exception: _reply_crash,
        },
    )


def build_app_from_environment() -> Starlette:
    """What each worker of uvicorn calls."""
    return build_app(parse_settings(os.environ))


async def _reply_api_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)  # noqa: S101  # registered for this type
    return error_reply(error.status, error.code, str(error), error.headers)


async def _reply_http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for this type
    code = HTTPStatus(error.status_code).name.lower()
    return error_reply(error.status_code, code, error.detail, error.headers)


async def _reply_pool_timeout(_request: Request, error: Exception) -> Response:
    # Without Retry-After: this is no throttling, and nobody knows when a connection comes free.
    return error_reply(HTTPStatus.SERVICE_UNAVAILABLE, "pool_timeout", str(error))


async def _reply_crash(_request: Request, _error: Exception) -> Response:
    return error_reply(
        HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "the service failed; its log says why"
    )
