"""The places where requests can be held up: when each counts as saturated, its numbers, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from ci_gate.judge.occupancy import Observed, count_pool_queue
from ci_gate.readings import StatementTotal, StrictValue

FULL: Final = 0.9  # of a resource's capacity, on average
HOST_FULL: Final = 0.95
LEAST_QUEUE: Final = 1.0  # requests: one waits at any time
_ONE_THREAD_CORES: Final = 1.5  # a process that uses more than that is not held by one thread
_MOST_THROTTLED_S: Final = 0.1
_GENERATOR_LATE_S: Final = 0.1
_LONGEST_QUERY: Final = 160

CpuLimit = Literal["service-cpu", "cpu-quota", "host-cpu"]


class Cause(StrictValue, frozen=True):
    """What held the requests up. ``share`` is its part of the requests' time, or for failures of the requests.

    None: that cannot be said.
    """

    code: str
    title: str
    numbers: tuple[str, ...]
    next_step: str
    share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One place of `Occupancy`: its cause's code and words, when it is saturated, and its numbers."""

    code: str
    title: str
    next_step: str
    is_saturated: Callable[[Observed], bool]
    describe: Callable[[Observed], Iterator[str]]


def find_cpu_limit(seen: Observed) -> CpuLimit | None:
    """Which limit of the CPU is reached, if one is: the quota, one core by one thread, or the machine."""
    service, busiest, quota = seen.service_cores or 0.0, seen.busiest_cores or 0.0, seen.quota_cores
    if quota and (service >= FULL * quota or (seen.throttled_s or 0.0) >= _MOST_THROTTLED_S * quota):
        return "cpu-quota"
    if FULL <= busiest <= _ONE_THREAD_CORES or (seen.host_cores and service >= FULL * seen.host_cores):
        return "service-cpu"
    if seen.host_cores and (seen.host_used_cores or 0.0) >= HOST_FULL * seen.host_cores:
        return "host-cpu"
    return None


def is_generator_short(seen: Observed) -> bool:
    return seen.generator_cores >= FULL or seen.generator_lag_s >= _GENERATOR_LATE_S


def are_workers_busy(seen: Observed) -> bool:
    busy, workers = seen.service.mean("workers_busy"), seen.service.mean("workers")
    return bool(workers) and (busy or 0.0) >= FULL * (workers or 0.0)


def _is_pool_full(seen: Observed) -> bool:
    size, in_use = seen.service.mean("pool_size"), seen.service.mean("pool_in_use") or 0.0
    return bool(size) and in_use >= FULL * (size or 0.0) and count_pool_queue(seen) >= LEAST_QUEUE


def _is_database_full(seen: Observed) -> bool:
    return bool(seen.host_cores) and (seen.postgres.mean("on_cpu") or 0.0) >= FULL * (seen.host_cores or 0)


def _describe_pool(seen: Observed) -> Iterator[str]:
    size, in_use, waiting = (seen.service.mean(f"pool_{each}") for each in ("size", "in_use", "waiting"))
    if in_use is not None:
        of_size = f" of {size:.0f}" if size else ""
        queue = "" if waiting is None else f", and {waiting:.1f} requests waited for one"
        yield f"{in_use:.1f}{of_size} connections of the pool were in use{queue}, on average"
    timeouts = seen.service.rate("pool_timeouts")
    if timeouts:
        yield f"{timeouts:.1f} requests a second got no connection in time"
    on_cpu, idle = seen.postgres.mean("on_cpu"), seen.postgres.mean("connections_idle_in_transaction")
    if on_cpu is not None:
        yield f"the database worked on {on_cpu:.1f} statements at a time, and {idle or 0:.1f} sessions idled in a transaction"


def _describe_locks(seen: Observed) -> Iterator[str]:
    waiting, longest = seen.postgres.mean("waiting_lock") or 0.0, seen.postgres.peak("longest_transaction_s")
    yield f"{waiting:.1f} database sessions waited for a lock, on average"
    if longest is not None:
        yield f"the longest transaction that was seen was {longest:.2g} s old"
    deadlocks = seen.postgres.rate("deadlocks")
    if deadlocks:
        yield f"{deadlocks:.2g} deadlocks a second"


def _describe_io(seen: Observed) -> Iterator[str]:
    yield f"{seen.postgres.mean('waiting_io') or 0.0:.1f} database sessions waited for storage, on average"
    read, hit = seen.postgres.rate("blocks_read") or 0.0, seen.postgres.rate("blocks_hit") or 0.0
    if read + hit:
        yield f"{read:,.0f} blocks a second were not in its cache ({read / (read + hit):.0%} of those it read)"


def _describe_database(seen: Observed) -> Iterator[str]:
    cores = f"; this machine has {seen.host_cores} cores" if seen.host_cores else ""
    yield f"the database worked on {seen.postgres.mean('on_cpu') or 0.0:.1f} statements at a time{cores}"
    yield from describe_statements(seen)


def _describe_service(seen: Observed) -> Iterator[str]:
    if seen.busiest_cores is not None:
        yield f"the busiest process of the service used {seen.busiest_cores:.0%} of a core"
    if seen.service_cores is not None:
        yield f"the service used {seen.service_cores:.2f} cores altogether"
    if seen.quota_cores:
        held = (
            f", its threads were held back for {seen.throttled_s:.2f} s each second"
            if seen.throttled_s
            else ""
        )
        yield f"its quota is {seen.quota_cores:g} cores{held}"
    if seen.host_used_cores is not None:
        others = max(seen.host_used_cores - (seen.service_cores or 0.0) - seen.generator_cores, 0.0)
        machine = f"of this machine's {seen.host_cores} cores {seen.host_used_cores:.1f} were busy"
        yield f"{machine}: Locust {seen.generator_cores:.1f}, others than it and the service {others:.1f}"
    if seen.requests_per_s and seen.service_cores:
        yield f"{1000 * seen.service_cores / seen.requests_per_s:.2g} ms of CPU per request"


def _describe_workers(seen: Observed) -> Iterator[str]:
    busy, workers = seen.service.mean("workers_busy") or 0.0, seen.service.mean("workers") or 0.0
    yield f"{busy:.1f} of {workers:.0f} workers were busy on average, the service used {seen.service_cores or 0.0:.1f} cores"


def _describe_generator(seen: Observed) -> Iterator[str]:
    yield f"Locust used {seen.generator_cores:.0%} of a core, its event loop was late by {1000 * seen.generator_lag_s:,.0f} ms"


def _describe_outside(seen: Observed) -> Iterator[str]:
    known = []
    if seen.service_cores is not None:
        known.append(f"the service used {seen.service_cores:.2f} cores")
    if seen.postgres.readings:
        known.append(f"{seen.postgres.mean('connections_active') or 0.0:.1f} database sessions were active")
    if (in_use := seen.service.mean("pool_in_use")) is not None:
        known.append(f"{in_use:.1f} connections of the pool in use")
    if (cpu := seen.redis.rate("cpu_s")) is not None:
        known.append(f"Redis used {cpu:.0%} of a core")
    if known:
        yield "on average " + ", ".join(known)


def describe_statements(seen: Observed) -> Iterator[str]:
    """How many statements a request sends, where the service counts them."""
    if (count := seen.statements_per_request) is not None:
        yield f"{count:,.1f} statements per request"


def describe_slowest(statements: tuple[StatementTotal, ...]) -> Iterator[str]:
    """The statement that took the database longest."""
    slowest = max(statements, key=lambda each: each.total_ms, default=None)
    if slowest is not None and slowest.total_ms > 0:
        text = " ".join(slowest.query.split())
        shown = text if len(text) <= _LONGEST_QUERY else text[:_LONGEST_QUERY] + "…"
        yield f"longest altogether: {slowest.calls:,} x {shown} ({slowest.total_ms / 1000:,.1f} s)"


_CPU_WORDS: Final[dict[str, tuple[str, str]]] = {
    "service-cpu": (
        "the service's CPU",
        "profile the service under this load; let it do less per request, or run more worker processes",
    ),
    "cpu-quota": (
        "the CPU quota of the service's container",
        "raise cpus, or profile the service under this load and let it do less per request",
    ),
    "host-cpu": (
        "the CPU of the machine that service, Locust and all else share",
        "measure on more cores, or give the largest of its users less to do; end what is not part of the test",
    ),
}


def make_places(seen: Observed, cpu: CpuLimit | None) -> dict[str, Place]:
    """Each place of `Occupancy` by its name. What the CPU and the outside are called depends on what was seen."""
    cpu_title, cpu_step = _CPU_WORDS[cpu or "service-cpu"]
    return {
        "pool": Place(
            code="connection-pool",
            title="connections of the pool, held while the database is idle",
            next_step="give connections back before calling other systems or computing; then raise the pool's size",
            is_saturated=_is_pool_full,
            describe=_describe_pool,
        ),
        "locks": Place(
            code="lock-contention",
            title="locks in the database",
            next_step="find the row or table that all writers change (pg_blocking_pids), lock it last and for shorter",
            is_saturated=lambda seen: (seen.postgres.mean("waiting_lock") or 0.0) >= LEAST_QUEUE,
            describe=_describe_locks,
        ),
        "io": Place(
            code="database-io",
            title="the database's storage",
            next_step="look for statements without an index, and give the database more memory for its cache",
            is_saturated=lambda seen: (seen.postgres.mean("waiting_io") or 0.0) >= LEAST_QUEUE,
            describe=_describe_io,
        ),
        "database": Place(
            code="database-cpu",
            title="the database at work on statements",
            next_step="see EXPLAIN ANALYZE of the slowest statements: an index, fewer rows, fewer statements",
            is_saturated=_is_database_full,
            describe=_describe_database,
        ),
        "workers": Place(
            code="workers",
            title="too few workers",
            next_step="run more worker processes or threads, or let a worker wait for less",
            is_saturated=are_workers_busy,
            describe=_describe_workers,
        ),
        "service": Place(
            code=cpu or "service-cpu",
            title=cpu_title,
            next_step=cpu_step,
            is_saturated=lambda _seen: cpu is not None,
            describe=_describe_service,
        ),
        "generator": Place(
            code="generator",
            title="Locust itself: replies waited for it",
            next_step="give it more cores, or make the users' code do less; its response times are too long",
            is_saturated=is_generator_short,
            describe=_describe_generator,
        ),
        "outside": _make_outside(seen),
    }


def _make_outside(seen: Observed) -> Place:
    """What is left: known to be outside only where everything inside was observed."""
    code, title, next_step = "unknown", "something that was not observed", "observe what is listed as unknown"
    is_redis_full = (seen.redis.rate("cpu_s") or 0.0) >= FULL
    if is_redis_full:
        code, title = "redis-cpu", "Redis: its one thread is at work all the time"
        next_step = "see SLOWLOG for long commands, and send fewer of them per request"
    elif is_inside_observed(seen):
        code = "slow-dependency"
        title = "something outside: the service's CPU, its connections and the database had nothing to do"
        next_step = "measure the calls that the service makes to other systems, and its own sleeps and locks"
    return Place(
        code=code,
        title=title,
        next_step=next_step,
        is_saturated=lambda _seen: is_redis_full,
        describe=_describe_outside,
    )


def is_inside_observed(seen: Observed) -> bool:
    """CPU, pool and database: enough to say that a wait is for none of them."""
    has_pool = seen.service.mean("pool_in_use") is not None
    return seen.service_cores is not None and has_pool and bool(seen.postgres.readings)
