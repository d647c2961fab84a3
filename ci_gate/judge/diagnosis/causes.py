"""The places where requests can be held up, in words: what each is called, and what to do about it."""

from __future__ import annotations

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
from ci_gate.judge.diagnosis.occupancy import Occupancy
from ci_gate.judge.diagnosis.saturation import (
    MIN_QUEUE,
    CpuLimit,
    are_workers_busy,
    is_database_full,
    is_generator_short,
    is_inside_observed,
    is_listen_queue_long,
    is_pool_full,
    is_redis_full,
    name_cpu,
)

GENERATOR: Final = "generator"
UNKNOWN: Final = "unknown"
"""The code of the cause that is left where too little was observed: its next step speaks of what was not."""


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


def find_full(usage: ResourceUsage, cpu: CpuLimit | None) -> frozenset[str]:
    """The places of `Occupancy` that are full."""
    full = {name for name, resource in _PLACES.items() if resource.is_full(usage)}
    full |= {"service"} if cpu else set()
    return frozenset(full | ({"outside"} if is_redis_full(usage) else set()))


def find_resource(name: str, usage: ResourceUsage, cpu: CpuLimit | None) -> Resource:
    """The place of this name; the CPU and the outside are called by what was seen of them."""
    if name == "service":
        return _CPU[cpu or name_cpu(usage)]
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
    "transactions": Resource(
        code="open-transaction",
        title="transactions that are kept open while the database has nothing to do for them",
        next_step="commit before computing or calling other systems, and begin as late as possible",
        is_full=lambda _seen: False,
        describe=describe_open_transactions,
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
    GENERATOR: Resource(
        code=GENERATOR,
        title="Locust itself: replies waited for it",
        next_step="give it a core of its own, or let the users' code do less per request",
        is_full=is_generator_short,
        describe=describe_generator,
    ),
}
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
        title="the CPU of this machine: the service waited for a core for longer than it had one",
        next_step="measure on more cores, or end what is no part of the test",
        is_full=lambda _seen: True,
        describe=describe_cpu,
    ),
}
# The first that fits: what is left is known to be outside only where everything inside was observed.
_OUTSIDE: Final = (
    Resource(
        code="redis-cpu",
        title="Redis: its one thread was nearly always at work",
        next_step="look for long commands (SLOWLOG), and send fewer per request",
        is_full=is_redis_full,
        describe=describe_outside,
    ),
    Resource(
        code="slow-dependency",
        title="something else than the service's CPU, its connections and its database",
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
