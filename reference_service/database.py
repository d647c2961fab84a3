"""The database: a bounded pool of connections, and units of work that run on it off the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event, make_url, update

from reference_service.metrics import Metrics
from reference_service.settings import Settings
from reference_service.tables import HOT_ROW

Result = TypeVar("Result")

_BUSY_TIMEOUT_MS = 30_000
_LARGE_POOL = 100


class PoolTimeoutError(Exception):
    """No connection came free within the pool's time-out."""


class Database:
    """Runs units of work, functions of a Connection, each in one transaction.

    At most ``pool_size`` run at once; the others wait in the event loop, in order of arrival, and get a
    PoolTimeoutError after ``pool_timeout_s``. Waiting there and not in a thread keeps the thread count at the
    pool's size, and makes the wait visible as a metric.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        faults = settings.faults
        size = settings.pool_size if faults.tiny_pool is None else 1
        size = size if faults.open_transaction is None else _LARGE_POOL
        self._hold_s = faults.tiny_pool or faults.open_transaction or 0.0
        self._lock_s = faults.lock_contention or 0.0
        self._timeout_s = settings.pool_timeout_s
        self._slots = asyncio.Semaphore(size)
        self._metrics = metrics
        metrics.pool_size.set(size)
        engine = open_engine(settings.database_url, pool_size=size)
        event.listen(engine, "before_cursor_execute", lambda *_: metrics.statements.inc())
        self._engine = engine
        self._write_engine, self._read_engine = split_engine(engine)
        if faults.open_transaction is not None:
            self._read_engine = engine  # else reads have no transaction that could stay open
        self._readers = ThreadPoolExecutor(size, thread_name_prefix="db")
        # SQLite has one writer at a time. A queue in front of it is fair; its own busy handler sleeps.
        is_sqlite = engine.dialect.name == "sqlite"
        self._writers = ThreadPoolExecutor(1, thread_name_prefix="db-write") if is_sqlite else self._readers

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """Run ``work``, which may not change anything. Raises PoolTimeoutError."""
        async with self._slot():
            return await asyncio.get_running_loop().run_in_executor(self._readers, self._run_read, work)

    async def write(self, work: Callable[[Connection], Result]) -> Result:
        """Run ``work`` in a transaction that is committed when it returns. Raises PoolTimeoutError."""
        async with self._slot():
            return await asyncio.get_running_loop().run_in_executor(self._writers, self._run_write, work)

    def close(self) -> None:
        self._readers.shutdown()
        self._writers.shutdown()
        self._engine.dispose()

    def _run_read(self, work: Callable[[Connection], Result]) -> Result:
        with self._read_engine.connect() as connection:
            result = work(connection)
            self._hold()
            return result

    def _run_write(self, work: Callable[[Connection], Result]) -> Result:
        with self._write_engine.begin() as connection:
            if self._lock_s:
                connection.execute(update(HOT_ROW).values(writes=HOT_ROW.c.writes + 1))
                time.sleep(self._lock_s)
            result = work(connection)
            self._hold()
            return result

    def _hold(self) -> None:
        if self._hold_s:
            time.sleep(self._hold_s)

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        if self._slots.locked():
            await self._wait_for_slot()
        else:
            await self._slots.acquire()
        self._metrics.pool_in_use.inc()
        try:
            yield
        finally:
            self._metrics.pool_in_use.dec()
            self._slots.release()

    async def _wait_for_slot(self) -> None:
        metrics = self._metrics
        began_s = time.perf_counter()
        metrics.pool_waits.inc()
        try:
            with metrics.pool_waiting.track_inprogress():
                async with asyncio.timeout(self._timeout_s):
                    await self._slots.acquire()
        except TimeoutError:
            metrics.pool_timeouts.inc()
            raise PoolTimeoutError(f"no database connection came free within {self._timeout_s:g} s") from None
        finally:
            metrics.pool_wait_s.inc(time.perf_counter() - began_s)


def open_engine(database_url: str, *, pool_size: int = 1) -> Engine:
    """An engine for ``sqlite:///...`` (write-ahead log) or ``postgresql://...``."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, poolclass=QueuePool, pool_size=pool_size, max_overflow=0)
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    return create_engine(url.set(drivername="postgresql+psycopg"), pool_size=pool_size, max_overflow=0)


def split_engine(engine: Engine) -> tuple[Engine, Engine]:
    """The same pool for writes and for reads; on PostgreSQL, reads save the round trips of a transaction."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(sqlite_writes=True), engine
    return engine, engine.execution_options(isolation_level="AUTOCOMMIT")


def _configure_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401  # the driver's own type
    # The driver's implicit BEGIN is deferred; such a write fails at once when another one holds the lock.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    if connection.get_execution_options().get("sqlite_writes"):
        # Past SQLAlchemy's own execution: no statement to count or compile, as on PostgreSQL.
        driver: Any = connection.connection.dbapi_connection
        driver.execute("BEGIN IMMEDIATE")
