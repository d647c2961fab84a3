"""What was seen at each place where requests can be held up, in short sentences with their figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ci_gate.evidence.readings import StatementTotal
from ci_gate.judge.diagnosis.observation import ResourceUsage
from ci_gate.judge.diagnosis.occupancy import is_generator_busy
from ci_gate.judge.diagnosis.statement_texts import shorten_query
from ci_gate.judge.foreign import describe_takers
from ci_gate.wording import count, format_exact, format_number, in_percent

_MAX_QUERY_LENGTH: Final = 160
_OWN_SERVERS: Final = "what may work for it, as its database,"
_MIN_IDLE: Final = 0.5  # sessions, on average: less is no more than one that is just at it


def describe_pool(usage: ResourceUsage) -> Iterator[str]:
    """The pool's connections, and that the database has nothing to do."""
    size, in_use, waiting = (usage.service.mean(f"pool_{each}") for each in ("size", "in_use", "waiting"))
    if in_use is not None:
        of_size = f" of {size:.0f}" if size else ""
        queue = "" if waiting is None else f", and {waiting:.1f} requests waited for one"
        yield f"{in_use:.1f}{of_size} connections of the pool were in use{queue}"
    if timeouts := usage.service.rate("pool_timeouts"):
        yield f"{timeouts:.1f} requests a second got no connection in time"
    if (on_cpu := usage.postgres.mean("on_cpu")) is not None:
        idle = usage.postgres.mean("connections_idle_in_transaction") or 0.0
        yield f"the database worked on {on_cpu:.1f} statements; {idle:.1f} sessions idled in a transaction"
    yield from _describe_statements(usage)


def describe_locks(usage: ResourceUsage) -> Iterator[str]:
    """Sessions that wait for a lock, and for how long one is held."""
    yield f"{usage.postgres.mean('waiting_lock') or 0.0:.1f} database sessions waited for a lock"
    if (longest_s := usage.postgres.peak("longest_transaction_s")) is not None:
        yield f"the longest transaction was {format_number(longest_s)} s old"
    yield from _describe_idle_sessions(usage)
    if deadlocks := usage.postgres.rate("deadlocks"):
        yield f"{format_number(deadlocks)} deadlocks a second"


def describe_open_transactions(usage: ResourceUsage) -> Iterator[str]:
    """Sessions that idle in a transaction, beside a database and a service that have little to do."""
    yield from _describe_idle_sessions(usage)
    if (longest_s := usage.postgres.peak("longest_transaction_s")) is not None:
        yield f"the longest transaction was {format_number(longest_s)} s old"
    cores = "" if usage.service_cores is None else f"; the service used {usage.service_cores:.2f} cores"
    yield f"the database worked on {usage.postgres.mean('on_cpu') or 0.0:.1f} statements{cores}"


def _describe_idle_sessions(usage: ResourceUsage) -> Iterator[str]:
    idle = usage.postgres.mean("connections_idle_in_transaction") or 0.0
    if idle >= _MIN_IDLE:
        most = usage.postgres.peak("connections_idle_in_transaction")
        yield f"{idle:.1f} database sessions idled in a transaction, {most:.0f} at most"


def describe_io(usage: ResourceUsage) -> Iterator[str]:
    """Sessions that wait for storage, and what the cache did not have."""
    yield f"{usage.postgres.mean('waiting_io') or 0.0:.1f} database sessions waited for storage"
    read, hit = usage.postgres.rate("blocks_read") or 0.0, usage.postgres.rate("blocks_hit") or 0.0
    if read + hit:
        share = in_percent(read / (read + hit), 1)
        yield f"{read:,.0f} blocks a second were not in its cache ({share} of all)"


def describe_database(usage: ResourceUsage) -> Iterator[str]:
    """Statements at work."""
    cores = f"; this machine has {usage.host_cores} cores" if usage.host_cores else ""
    yield f"the database worked on {usage.postgres.mean('on_cpu') or 0.0:.1f} statements at a time{cores}"
    yield from _describe_statements(usage)


def describe_cpu(usage: ResourceUsage) -> Iterator[str]:
    """Who used how much of the CPU."""
    if usage.busiest_cores is not None:
        yield f"the busiest process of the service used {in_percent(usage.busiest_cores)} of a core"
    if usage.service_cores is not None:
        waited = f"; {usage.waited_cores:.2f} of its threads waited for one" if usage.waited_cores else ""
        yield f"the service used {usage.service_cores:.2f} cores{waited}"
    if usage.quota_cores:
        held = f"; it held threads back for {usage.throttled_s:.2f} s a second" if usage.throttled_s else ""
        yield f"its quota is {format_exact(usage.quota_cores)} cores{held}"
    if usage.pinned_cores:
        yield f"it may use {count(usage.pinned_cores, 'core')}: the processes of Locust have others"
    yield from describe_machine(usage)
    yield from _describe_queue(usage)
    yield from _describe_idle_sessions(usage)
    if usage.requests_per_s and usage.service_cores:
        cpu_ms = 1000 * usage.service_cores / usage.requests_per_s
        yield f"{format_number(cpu_ms)} ms of the service's CPU per request"
    yield from _describe_statements(usage)


def describe_machine(usage: ResourceUsage) -> Iterator[str]:
    """How many of its cores were busy, and who used them; nothing where that could not be read."""
    if usage.host_used_cores is not None:
        others = max(usage.host_used_cores - (usage.service_cores or 0.0) - usage.generator_cores, 0.0)
        own = 0.0 if usage.foreign_cores is None else max(others - usage.foreign_cores, 0.0)
        names = (describe_takers(usage.takers), describe_takers([(_OWN_SERVERS, own)]))
        takers = f" ({named})" if (named := ", ".join(filter(None, names))) else ""
        machine = f"{usage.host_used_cores:.1f} of this machine's {usage.host_cores} cores were busy"
        locust = f"Locust used {usage.generator_cores:.1f}"
        yield f"{machine}: {locust}, others beside the service {others:.1f}{takers}"


def describe_workers(usage: ResourceUsage) -> Iterator[str]:
    """Busy workers beside a CPU that is not."""
    busy, workers = (usage.service.mean(role) or 0.0 for role in ("workers_busy", "workers"))
    cores = "" if usage.service_cores is None else f"; the service used {usage.service_cores:.2f} cores"
    yield f"{busy:.1f} of {workers:.0f} workers were busy{cores}"
    yield from _describe_queue(usage)


def describe_listen_queue(usage: ResourceUsage) -> Iterator[str]:
    """How many connections waited to be accepted, by how many processes, and how busy those were."""
    yield from _describe_queue(usage)
    if usage.service_cores is not None:
        busiest = ""
        if usage.busiest_cores is not None:
            busiest = f", its busiest process {in_percent(usage.busiest_cores)} of one"
        yield f"the service used {usage.service_cores:.2f} cores{busiest}"
    if usage.postgres.readings:
        yield f"{usage.postgres.mean('connections_active') or 0.0:.1f} database sessions were active"


def _describe_queue(usage: ResourceUsage) -> Iterator[str]:
    if (usage.listen_queue or 0.0) >= 1:
        accepting = (
            f"; {count(usage.accepting, 'process accepts', 'processes accept')} them"
            if usage.accepting
            else ""
        )
        most = f"{usage.max_listen_queue:,} at most"
        yield f"{usage.listen_queue:,.1f} connections waited to be accepted, {most}{accepting}"
        if usage.listen_overflows_per_s:
            times = f"{format_number(usage.listen_overflows_per_s)} times a second"
            yield f"a connection found a listen queue full {times}, and had to try again later"


def describe_generator(usage: ResourceUsage) -> Iterator[str]:
    """Locust's CPU and lateness; of several processes, of the worst."""
    late = f"its event loop was late by {1000 * usage.generator_lag_s:,.0f} ms on average"
    yield f"Locust used {in_percent(usage.busiest_generator_cores)} of a core, and {late}"
    if is_generator_busy(usage):
        yield "what waited for nothing else that was observed may have waited for it"


def describe_outside(usage: ResourceUsage) -> Iterator[str]:
    """How little everything did that was observed."""
    if usage.service_cores is not None:
        yield f"the service used {usage.service_cores:.2f} cores"
    if (in_use := usage.service.mean("pool_in_use")) is not None:
        yield f"{in_use:.1f} connections of the pool were in use"
    if usage.postgres.readings:
        yield f"{usage.postgres.mean('connections_active') or 0.0:.1f} database sessions were active"
    if (cpu := usage.redis.rate("cpu_s")) is not None:
        yield f"Redis used {in_percent(cpu)} of a core"


def _describe_statements(usage: ResourceUsage) -> Iterator[str]:
    if (count := usage.statements_per_request) is not None:
        yield f"{count:,.1f} statements per request"


def describe_slowest(statements: tuple[StatementTotal, ...]) -> Iterator[str]:
    """The statement that took the database longest altogether."""
    slowest = max(statements, key=lambda each: each.total_ms, default=None)
    if slowest is not None:
        query = shorten_query(slowest.query, _MAX_QUERY_LENGTH)
        yield f"longest altogether: {query} ({slowest.total_ms / 1000:,.1f} s)"


def describe_most_called(statements: tuple[StatementTotal, ...]) -> Iterator[str]:
    """Of those that took the database longest, the one that was sent most often."""
    most = max(statements, key=lambda each: each.calls, default=None)
    if most is not None:
        yield f"most often: {most.calls:,} x {shorten_query(most.query, _MAX_QUERY_LENGTH)}"
