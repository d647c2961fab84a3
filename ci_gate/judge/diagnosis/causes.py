"""The places where requests can be held up: when each counts as saturated, and what to do about it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from ci_gate.evidence.ranges import Quantity
from ci_gate.evidence.readings import StrictValue
from ci_gate.judge.diagnosis.describe_resources import (
    describe_cpu,
    describe_database,
    describe_generator,
    describe_io,
    describe_listen_queue,
    describe_locks,
    describe_open_transactions,
    describe_outside,
    describe_pool,
    describe_workers,
)
from ci_gate.judge.diagnosis.observation import ResourceUsage
from ci_gate.judge.diagnosis.occupancy import Occupancy, count_pool_queue
from ci_gate.judge.foreign import MAX_FOREIGN

FULL: Final = 0.9  # of a resource's capacity, on average
MIN_QUEUE: Final = 1.0  # requests, on average: hardly ever none
ONE_THREAD_CORES: Final = 1.5  # a process that uses more is not held by one thread
MAX_THROTTLED: Final = 0.1  # of the quota's time
LATE_S: Final = 0.1
_MAJORITY: Final = 0.5
_MIN_OVERFLOWS_PER_S: Final = 1.0

UNKNOWN: Final = "unknown"
"""The code of the cause that is left where too little was observed: its next step speaks of what was not."""

CpuLimit = Literal["service-cpu", "cpu-quota", "host-cpu"]


class Cause(StrictValue, frozen=True):
    """What held the requests up, with what was seen and what to do next.

    ``share`` is its part of the requests' time, or for failures of the requests; None: there is no such part.
    """

    code: str
    title: str
    numbers: tuple[str, ...]
    next_step: str
    share: Quantity | None
    share_of: Literal["time", "requests"] = "time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A place of `Occupancy` in words, and whether it is full; for the CPU, `is_short_of` says more."""

    code: str
    title: str
    next_step: str
    is_full: Callable[[ResourceUsage], bool]
    describe: Callable[[ResourceUsage], Iterator[str]]


def find_cpu_limit(usage: ResourceUsage) -> CpuLimit | None:
    """Which limit is reached, if one is: the quota, one core by one thread, or what others leave of it."""
    service, quota = usage.service_cores or 0.0, usage.quota_cores
    if quota and (service >= FULL * quota or (usage.throttled_s or 0.0) >= MAX_THROTTLED * quota):
        return "cpu-quota"
    if usage.host_cores and service >= FULL * usage.host_cores:
        return "service-cpu"
    return name_cpu(usage) if is_one_thread_busy(usage) else None


def name_cpu(usage: ResourceUsage) -> CpuLimit:
    """Its own where it ran for longer than it waited, or would be short without the others too.

    That is where all that is offered takes more than a core, unless others had so much of the machine that
    it was not asked for as much.
    """
    if (usage.busiest_cores or 0.0) >= (usage.busiest_waited_cores or 0.0):
        return "service-cpu"
    is_taken = (usage.foreign_cores or 0.0) >= MAX_FOREIGN * (usage.host_cores or math.inf)
    return "host-cpu" if is_taken or (usage.cores_for_all_offered or 0.0) < FULL else "service-cpu"


def is_one_thread_busy(usage: ResourceUsage) -> bool:
    """The busiest process runs on one core, or waits for one, all the time.

    Where waiting cannot be read: it has most of a core, and all cores of the machine are busy.
    """
    busiest, waited = usage.busiest_cores or 0.0, usage.busiest_waited_cores
    if busiest > ONE_THREAD_CORES:
        return False
    return busiest + (waited or 0.0) >= FULL or (
        waited is None and busiest >= FULL / 2 and is_host_full(usage)
    )


def is_host_full(usage: ResourceUsage) -> bool:
    """All cores of this machine are busy."""
    return bool(usage.host_cores) and (usage.host_used_cores or 0.0) >= FULL * (usage.host_cores or 0)


def is_generator_short(usage: ResourceUsage) -> bool:
    """Locust needs a core for itself, or is late on average."""
    return usage.generator_cores >= FULL or usage.generator_lag_s >= LATE_S


def are_workers_busy(usage: ResourceUsage) -> bool:
    """All of them, on average."""
    busy, workers = usage.service.mean("workers_busy") or 0.0, usage.service.mean("workers") or 0.0
    return workers > 0 and busy >= FULL * workers


def is_pool_full(usage: ResourceUsage) -> bool:
    """All connections are in use, and requests wait for one."""
    size, in_use = usage.service.mean("pool_size") or 0.0, usage.service.mean("pool_in_use") or 0.0
    return size > 0 and in_use >= FULL * size and count_pool_queue(usage) >= MIN_QUEUE


def are_transactions_open(usage: ResourceUsage) -> bool:
    """Connections are held by transactions that do nothing, and no pool is full of them.

    Without a pool that was observed, nothing else holds one while the database idles.
    """
    idle = usage.postgres.mean("connections_idle_in_transaction") or 0.0
    in_use = usage.service.mean("pool_in_use")
    if in_use is None:
        return True
    idle_in_use = in_use - (usage.postgres.mean("connections_active") or 0.0)
    return not is_pool_full(usage) and idle > 0 and idle >= _MAJORITY * idle_in_use


def is_database_full(usage: ResourceUsage) -> bool:
    """It works on as many statements as this machine has cores; those of another machine are not known."""
    return usage.host_cores is not None and (usage.postgres.mean("on_cpu") or 0.0) >= FULL * usage.host_cores


def is_listen_queue_long(usage: ResourceUsage) -> bool:
    """Connections wait to be accepted, hardly ever none."""
    return (usage.listen_queue or 0.0) >= MIN_QUEUE


def is_listen_queue_overflowing(usage: ResourceUsage) -> bool:
    """It is so short that most who wait are not even in it: they try to connect again and again."""
    return is_listen_queue_long(usage) and usage.listen_overflows_per_s >= _MIN_OVERFLOWS_PER_S


def is_redis_full(usage: ResourceUsage) -> bool:
    """It runs commands in one thread."""
    return (usage.redis.rate("cpu_s") or 0.0) >= FULL


def is_inside_observed(usage: ResourceUsage) -> bool:
    """CPU, pool and database: enough to say that a wait is for none of them."""
    has_pool = usage.service.mean("pool_in_use") is not None
    return usage.service_cores is not None and has_pool and bool(usage.postgres.readings)


def find_full(usage: ResourceUsage, cpu: CpuLimit | None) -> frozenset[str]:
    """The places of `Occupancy` that are full."""
    full = {name for name, resource in _PLACES.items() if resource.is_full(usage)}
    full |= {"service"} if cpu else set()
    return frozenset(full | ({"outside"} if is_redis_full(usage) else set()))


def find_resource(name: str, usage: ResourceUsage, cpu: CpuLimit | None) -> Resource:
    """The place of this name; the CPU and the outside are called by what was seen of them."""
    if name == "service":
        return _CPU[cpu or name_cpu(usage)]
    if name == "pool" and are_transactions_open(usage):
        return _OPEN_TRANSACTION
    if name == "outside":
        return next(resource for resource in _OUTSIDE if resource.is_full(usage))
    return _PLACES[name]


def is_short_of(name: str, usage: ResourceUsage, occupancy: Occupancy, cpu: CpuLimit | None) -> bool:
    """Full, and at least one request waits for it on average.

    A machine that others use is no resource of the service: it explains what is too slow, no more.
    """
    if name == "service":
        run_queue = occupancy.service - (usage.service_cores or 0.0)
        return cpu in {"service-cpu", "cpu-quota"} and run_queue >= MIN_QUEUE
    if name == "outside":
        return is_redis_full(usage)
    return _PLACES[name].is_full(usage)


_PLACES: Final[dict[str, Resource]] = {
    "pool": Resource(
        code="connection-pool",
        title="connections of the pool, held while the database is idle",
        next_step="give connections back before calling other systems or computing; then raise its size",
        is_full=is_pool_full,
        describe=describe_pool,
    ),
    "locks": Resource(
        code="lock-contention",
        title="locks in the database",
        next_step="find the row or table that all writers change (pg_blocking_pids); "
        "lock it last, and not across other work",
        is_full=lambda usage: (usage.postgres.mean("waiting_lock") or 0.0) >= MIN_QUEUE,
        describe=describe_locks,
    ),
    "io": Resource(
        code="database-io",
        title="the database's storage",
        next_step="look for statements without an index; give the database more memory for its cache",
        is_full=lambda usage: (usage.postgres.mean("waiting_io") or 0.0) >= MIN_QUEUE,
        describe=describe_io,
    ),
    "database": Resource(
        code="database-cpu",
        title="the database at work on statements",
        next_step="EXPLAIN ANALYZE the slowest statements: an index, fewer rows, fewer statements",
        is_full=is_database_full,
        describe=describe_database,
    ),
    "workers": Resource(
        code="workers",
        title="too few workers: all were busy, and mostly waited",
        next_step="run more worker processes or threads, or let each wait for less",
        is_full=are_workers_busy,
        describe=describe_workers,
    ),
    "listen": Resource(
        code="listen-queue",
        title="connections wait in the queue of the service's port until it accepts them",
        next_step="let more processes or threads accept, let each wait for less, and block no event loop",
        is_full=is_listen_queue_long,
        describe=describe_listen_queue,
    ),
    "generator": Resource(
        code="generator",
        title="Locust itself: replies waited for it",
        next_step="give it a core of its own, or let the users' code do less per request",
        is_full=is_generator_short,
        describe=describe_generator,
    ),
}
_OPEN_TRANSACTION: Final = Resource(
    code="open-transaction",
    title="transactions that are kept open while the database has nothing to do for them",
    next_step="commit before computing or calling other systems, and begin as late as possible",
    is_full=lambda _seen: False,
    describe=describe_open_transactions,
)
_CPU: Final[dict[CpuLimit, Resource]] = {
    "service-cpu": Resource(
        code="service-cpu",
        title="the service's CPU",
        next_step="profile the service under this load; let it do less per request, or run more processes",
        is_full=lambda _seen: True,
        describe=describe_cpu,
    ),
    "cpu-quota": Resource(
        code="cpu-quota",
        title="the CPU quota of the service's container",
        next_step="raise cpus, or profile the service under this load and let it do less per request",
        is_full=lambda _seen: True,
        describe=describe_cpu,
    ),
    "host-cpu": Resource(
        code="host-cpu",
        title="the CPU of this machine, most of which others than the service took",
        next_step="measure on more cores, or end what is no part of the test",
        is_full=lambda _seen: True,
        describe=describe_cpu,
    ),
}
# The first that fits: what is left is known to be outside only where everything inside was observed.
_OUTSIDE: Final = (
    Resource(
        code="redis-cpu",
        title="Redis: its one thread works all the time",
        next_step="look for long commands (SLOWLOG), and send fewer per request",
        is_full=is_redis_full,
        describe=describe_outside,
    ),
    Resource(
        code="slow-dependency",
        title="something outside: the service's CPU, its connections and its database had little to do",
        next_step="measure the service's calls to other systems, and its own sleeps and locks",
        is_full=is_inside_observed,
        describe=describe_outside,
    ),
    Resource(
        code=UNKNOWN,
        title="something that was not observed",
        next_step="probe what is listed as not observed",
        is_full=lambda _seen: True,
        describe=describe_outside,
    ),
)
