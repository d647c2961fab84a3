"""What was seen at each place where requests can be held up, in short sentences with their figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ci_gate.evidence.readings import StatementTotal
from ci_gate.judge.diagnosis.observation import Observed
from ci_gate.wording import format_exact, format_number

_LONGEST_QUERY: Final = 160


def describe_pool(seen: Observed) -> Iterator[str]:
    """The pool's connections, and that the database has nothing to do."""
    size, in_use, waiting = (seen.service.mean(f"pool_{each}") for each in ("size", "in_use", "waiting"))
    if in_use is not None:
        of_size = f" of {size:.0f}" if size else ""
        queue = "" if waiting is None else f", and {waiting:.1f} requests waited for one"
        yield f"{in_use:.1f}{of_size} connections of the pool were in use{queue}"
    if timeouts := seen.service.rate("pool_timeouts"):
        yield f"{timeouts:.1f} requests a second got no connection in time"
    if (on_cpu := seen.postgres.mean("on_cpu")) is not None:
        idle = seen.postgres.mean("connections_idle_in_transaction") or 0.0
        yield f"the database worked on {on_cpu:.1f} statements; {idle:.1f} sessions idled in a transaction"
    yield from _describe_statements(seen)


def describe_locks(seen: Observed) -> Iterator[str]:
    """Sessions that wait for a lock, and for how long one is held."""
    yield f"{seen.postgres.mean('waiting_lock') or 0.0:.1f} database sessions waited for a lock"
    if (longest_s := seen.postgres.peak("longest_transaction_s")) is not None:
        yield f"the longest transaction that was seen was {format_number(longest_s)} s old"
    if deadlocks := seen.postgres.rate("deadlocks"):
        yield f"{format_number(deadlocks)} deadlocks a second"


def describe_io(seen: Observed) -> Iterator[str]:
    """Sessions that wait for storage, and what the cache did not have."""
    yield f"{seen.postgres.mean('waiting_io') or 0.0:.1f} database sessions waited for storage"
    read, hit = seen.postgres.rate("blocks_read") or 0.0, seen.postgres.rate("blocks_hit") or 0.0
    if read + hit:
        yield f"{read:,.0f} blocks a second were not in its cache ({read / (read + hit):.1%} of all)"


def describe_database(seen: Observed) -> Iterator[str]:
    """Statements at work."""
    cores = f"; this machine has {seen.host_cores} cores" if seen.host_cores else ""
    yield f"the database worked on {seen.postgres.mean('on_cpu') or 0.0:.1f} statements at a time{cores}"
    yield from _describe_statements(seen)


def describe_cpu(seen: Observed) -> Iterator[str]:
    """Who used how much of the CPU."""
    if seen.busiest_cores is not None:
        yield f"the busiest process of the service used {seen.busiest_cores:.0%} of a core"
    if seen.service_cores is not None:
        waited = f"; {seen.waited_cores:.2f} of its threads waited for one" if seen.waited_cores else ""
        yield f"the service used {seen.service_cores:.2f} cores{waited}"
    if seen.quota_cores:
        held = f"; it held threads back for {seen.throttled_s:.2f} s a second" if seen.throttled_s else ""
        yield f"its quota is {format_exact(seen.quota_cores)} cores{held}"
    if seen.host_used_cores is not None:
        others = max(seen.host_used_cores - (seen.service_cores or 0.0) - seen.generator_cores, 0.0)
        machine = f"{seen.host_used_cores:.1f} of this machine's {seen.host_cores} cores were busy"
        yield f"{machine}: Locust used {seen.generator_cores:.1f}, others beside the service {others:.1f}"
    if seen.requests_per_s and seen.service_cores:
        cpu_ms = 1000 * seen.service_cores / seen.requests_per_s
        yield f"{format_number(cpu_ms)} ms of the service's CPU per request"
    yield from _describe_statements(seen)


def describe_workers(seen: Observed) -> Iterator[str]:
    """Busy workers beside a CPU that is not."""
    busy, workers = (seen.service.mean(role) or 0.0 for role in ("workers_busy", "workers"))
    cores = "" if seen.service_cores is None else f"; the service used {seen.service_cores:.2f} cores"
    yield f"{busy:.1f} of {workers:.0f} workers were busy{cores}"


def describe_generator(seen: Observed) -> Iterator[str]:
    """Locust's CPU and lateness."""
    late = f"its event loop was late by {1000 * seen.generator_lag_s:,.0f} ms"
    yield f"Locust used {seen.generator_cores:.0%} of a core, and {late}"


def describe_outside(seen: Observed) -> Iterator[str]:
    """How little everything did that was observed."""
    if seen.service_cores is not None:
        yield f"the service used {seen.service_cores:.2f} cores"
    if (in_use := seen.service.mean("pool_in_use")) is not None:
        yield f"{in_use:.1f} connections of the pool were in use"
    if seen.postgres.readings:
        yield f"{seen.postgres.mean('connections_active') or 0.0:.1f} database sessions were active"
    if (cpu := seen.redis.rate("cpu_s")) is not None:
        yield f"Redis used {cpu:.0%} of a core"


def _describe_statements(seen: Observed) -> Iterator[str]:
    if (count := seen.statements_per_request) is not None:
        yield f"{count:,.1f} statements per request"


def describe_slowest(statements: tuple[StatementTotal, ...]) -> Iterator[str]:
    """The statement that took the database longest altogether."""
    slowest = max(statements, key=lambda each: each.total_ms, default=None)
    if slowest is not None:
        yield f"longest altogether: {_shorten(slowest.query)} ({slowest.total_ms / 1000:,.1f} s)"


def describe_most_called(statements: tuple[StatementTotal, ...]) -> Iterator[str]:
    """Of those that took the database longest, the one that was sent most often."""
    most = max(statements, key=lambda each: each.calls, default=None)
    if most is not None:
        yield f"most often: {most.calls:,} x {_shorten(most.query)}"


def _shorten(query: str) -> str:
    text = " ".join(query.split())
    return text if len(text) <= _LONGEST_QUERY else text[:_LONGEST_QUERY] + "…"
