"""The places where requests can be held up: when each counts as saturated, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from ci_gate.judge.occupancy import Observed, Occupancy, count_pool_queue
from ci_gate.judge.place_numbers import (
    describe_cpu,
    describe_database,
    describe_generator,
    describe_io,
    describe_locks,
    describe_outside,
    describe_pool,
    describe_workers,
)
from ci_gate.readings import StrictValue

FULL: Final = 0.9  # of a resource's capacity, on average
LEAST_QUEUE: Final = 1.0  # requests, on average: hardly ever none
ONE_THREAD_CORES: Final = 1.5  # a process that uses more is not held by one thread
MOST_THROTTLED: Final = 0.1  # of the quota's time
LATE_S: Final = 0.1

CpuLimit = Literal["service-cpu", "cpu-quota", "host-cpu"]


class Cause(StrictValue, frozen=True):
    """What held the requests up, with what was seen and what to do next.

    ``share`` is its part of the requests' time, or for failures of the requests; None: there is no such part.
    """

    code: str
    title: str
    numbers: tuple[str, ...]
    next_step: str
    share: float | None
    share_of: Literal["time", "requests"] = "time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place of `Occupancy` in words."""

    code: str
    title: str
    next_step: str
    is_saturated: bool
    describe: Callable[[Observed], Iterator[str]]


def find_cpu_limit(seen: Observed) -> CpuLimit | None:
    """Which limit is reached, if one is: the quota, one core by one thread, or what others leave of it."""
    service, busiest, quota = seen.service_cores or 0.0, seen.busiest_cores or 0.0, seen.quota_cores
    if quota and (service >= FULL * quota or (seen.throttled_s or 0.0) >= MOST_THROTTLED * quota):
        return "cpu-quota"
    if seen.host_cores and service >= FULL * seen.host_cores:
        return "service-cpu"
    if busiest <= ONE_THREAD_CORES and busiest + seen.waited_cores >= FULL:
        return "service-cpu" if busiest >= seen.waited_cores else "host-cpu"
    return None


def is_generator_short(seen: Observed) -> bool:
    """Locust needs a core for itself, or is late on average."""
    return seen.generator_cores >= FULL or seen.generator_lag_s >= LATE_S


def are_workers_busy(seen: Observed) -> bool:
    """All of them, on average."""
    busy, workers = seen.service.mean("workers_busy") or 0.0, seen.service.mean("workers") or 0.0
    return workers > 0 and busy >= FULL * workers


def is_pool_full(seen: Observed) -> bool:
    """All connections are in use, and requests wait for one."""
    size, in_use = seen.service.mean("pool_size") or 0.0, seen.service.mean("pool_in_use") or 0.0
    return size > 0 and in_use >= FULL * size and count_pool_queue(seen) >= LEAST_QUEUE


def is_database_full(seen: Observed) -> bool:
    """It works on as many statements as this machine has cores; those of another machine are not known."""
    return seen.host_cores is not None and (seen.postgres.mean("on_cpu") or 0.0) >= FULL * seen.host_cores


def is_inside_observed(seen: Observed) -> bool:
    """CPU, pool and database: enough to say that a wait is for none of them."""
    has_pool = seen.service.mean("pool_in_use") is not None
    return seen.service_cores is not None and has_pool and bool(seen.postgres.readings)


_CPU_WORDS: Final[dict[CpuLimit, tuple[str, str]]] = {
    "service-cpu": (
        "the service's CPU",
        "profile the service under this load; let it do less per request, or run more worker processes",
    ),
    "cpu-quota": (
        "the CPU quota of the service's container",
        "raise cpus, or profile the service under this load and let it do less per request",
    ),
    "host-cpu": (
        "the CPU of this machine, which service, Locust and all else share",
        "measure on more cores, or end what is no part of the test; then look at the largest user of CPU",
    ),
}


def make_places(seen: Observed, occupancy: Occupancy, cpu: CpuLimit | None) -> dict[str, Place]:
    """Each place of ``occupancy`` by its name. The CPU and the outside are called by what was seen."""
    cpu_title, cpu_step = _CPU_WORDS[cpu or "service-cpu"]
    run_queue = occupancy.service - (seen.service_cores or 0.0)
    return {
        "pool": Place(
            code="connection-pool",
            title="connections of the pool, held while the database is idle",
            next_step="give connections back before calling other systems or computing; then raise its size",
            is_saturated=is_pool_full(seen),
            describe=describe_pool,
        ),
        "locks": Place(
            code="lock-contention",
            title="locks in the database",
            next_step="find the row or table that all writers change (pg_blocking_pids); "
            "lock it last, and not across other work",
            is_saturated=(seen.postgres.mean("waiting_lock") or 0.0) >= LEAST_QUEUE,
            describe=describe_locks,
        ),
        "io": Place(
            code="database-io",
            title="the database's storage",
            next_step="look for statements without an index; give the database more memory for its cache",
            is_saturated=(seen.postgres.mean("waiting_io") or 0.0) >= LEAST_QUEUE,
            describe=describe_io,
        ),
        "database": Place(
            code="database-cpu",
            title="the database at work on statements",
            next_step="EXPLAIN ANALYZE the slowest statements: an index, fewer rows, fewer statements",
            is_saturated=is_database_full(seen),
            describe=describe_database,
        ),
        "workers": Place(
            code="workers",
            title="too few workers: all were busy, and mostly waited",
            next_step="run more worker processes or threads, or let each wait for less",
            is_saturated=are_workers_busy(seen),
            describe=describe_workers,
        ),
        "service": Place(
            code=cpu or "service-cpu",
            title=cpu_title,
            next_step=cpu_step,
            is_saturated=cpu is not None and run_queue >= LEAST_QUEUE,
            describe=describe_cpu,
        ),
        "generator": Place(
            code="generator",
            title="Locust itself: replies waited for it",
            next_step="give it a core of its own, or let the users' code do less per request",
            is_saturated=is_generator_short(seen),
            describe=describe_generator,
        ),
        "outside": _make_outside(seen),
    }


def _make_outside(seen: Observed) -> Place:
    """What is left: known to be outside only where everything inside was observed."""
    code, title, next_step = "unknown", "something that was not observed", "probe what is listed as unknown"
    is_redis_full = (seen.redis.rate("cpu_s") or 0.0) >= FULL
    if is_redis_full:
        code, title = "redis-cpu", "Redis: its one thread works all the time"
        next_step = "look for long commands (SLOWLOG), and send fewer per request"
    elif is_inside_observed(seen):
        code = "slow-dependency"
        title = "something outside: the service's CPU, its connections and its database had little to do"
        next_step = "measure the service's calls to other systems, and its own sleeps and locks"
    return Place(
        code=code,
        title=title,
        next_step=next_step,
        is_saturated=is_redis_full,
        describe=describe_outside,
    )
