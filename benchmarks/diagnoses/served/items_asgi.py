"""Items of a table, by ASGI: one event loop, and a pool of connections that nothing outside can see."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

STALL_S = float(os.environ.get("STALL_S", "0"))
REPORT_S = float(os.environ.get("REPORT_S", "0"))
EVERY_S = 2.5
POOL = AsyncConnectionPool(
    os.environ["DATABASE_URL"], min_size=4, max_size=4, open=False, kwargs={"autocommit": True}
)


async def block_the_loop() -> None:
    """What a blocking call in a coroutine does to all others."""
    while True:
        await asyncio.sleep(EVERY_S)
        time.sleep(STALL_S)  # noqa: ASYNC251 - the fault


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    """With the pool open."""
    async with POOL, asyncio.TaskGroup() as tasks:
        blocking = tasks.create_task(block_the_loop()) if STALL_S else None
        yield
        if blocking:
            blocking.cancel()


async def find_item(request: Request) -> JSONResponse:
    """By its number."""
    async with POOL.connection() as connection:
        found = await connection.execute(
            "SELECT name FROM items WHERE id = %s", [int(request.path_params["number"])]
        )
        return JSONResponse({"names": [name for (name,) in await found.fetchall()]})


async def report(_request: Request) -> JSONResponse:
    """After REPORT_S."""
    await asyncio.sleep(REPORT_S)
    return JSONResponse({"items": 1})


async def healthz(_request: Request) -> JSONResponse:
    """Without the database."""
    return JSONResponse({})


app = Starlette(
    routes=[Route("/items/{number}", find_item), Route("/report", report), Route("/healthz", healthz)],
    lifespan=lifespan,
)
