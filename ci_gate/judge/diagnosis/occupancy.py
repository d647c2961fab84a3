"""Where the requests were: how many of them, on average, at each place of the service.

Little's law: the mean number of requests at a resource is their rate times the time each spends there. So the
mean numbers at all resources, which gauges and counters give, divide the requests' time among them. And as a
queue lasts for as long as those in front hold what is queued for, its time is divided as theirs is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from ci_gate.judge.diagnosis.observation import ResourceUsage

FULL: Final = 0.9  # of a resource's capacity, on average
MIN_SHARE: Final = 0.2
"""Of the requests' time: what holds less of it is not what makes them slow."""
_SIDE_BY_SIDE: Final = frozenset({"outside", "service", "database", "transactions", "pool"})
_WORKING: Final = ("on_cpu", "waiting_lwlock", "waiting_other")
_SESSION_STATES: Final = ("waiting_lock", "waiting_io", *_WORKING)
_GAUGES: Final = {
    "locks": ("waiting_lock",),
    "io": ("waiting_io",),
    "database": _WORKING,
    "transactions": ("connections_idle_in_transaction",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupancy:
    """Mean numbers of requests by what they waited for or used; together they are all in flight."""

    pool: float = 0.0  # a connection that others wait for, held while the database is idle, or that queue
    transactions: float = 0.0  # that are open while the database is idle, and no connection is waited for
    locks: float = 0.0
    io: float = 0.0
    database: float = 0.0  # statements at work
    workers: float = 0.0
    listen: float = 0.0  # in the queue of the service's port
    service: float = 0.0  # the service's CPU
    generator: float = 0.0
    outside: float = 0.0  # nothing that was observed

    @property
    def total(self) -> float:
        return float(sum(getattr(self, name) for name in self.__slots__))

    def divide(self, number: float) -> Occupancy:
        """``number`` requests more, divided as these are. Raises ZeroDivisionError where there are none."""
        total = self.total
        return Occupancy(**{name: number * (getattr(self, name) / total) for name in self.__slots__})

    def add(self, other: Occupancy) -> Occupancy:
        return Occupancy(**{name: getattr(self, name) + getattr(other, name) for name in self.__slots__})


def locate(usage: ResourceUsage, short: frozenset[str] = frozenset()) -> Occupancy:
    """Divide the requests in flight among the resources, of which those named in ``short`` are full.

    Where the CPU (``service``) is short, who has nothing else to wait for waits for it. Where ``workers`` or
    ``listen`` are, a request outside waits for one to take it.
    """
    door, queue = _count_outside(usage, short)
    placed = _locate_inside(usage, usage.in_flight - queue, short)
    if queue <= 0:
        return placed
    # All wait outside: whoever is to take them waits for the CPU, where that is short.
    nobody_inside = "service" if "service" in short else door
    queued = placed.divide(queue) if placed.total else Occupancy(**{nobody_inside: queue})
    # More workers would let them wait, or compute, side by side; but not where something else is short.
    freed = _SIDE_BY_SIDE - short
    through = getattr(queued, door) + sum(getattr(queued, name) for name in freed)
    return placed.add(replace(queued, **dict.fromkeys(freed, 0.0), **{door: through}))


def _count_outside(usage: ResourceUsage, short: frozenset[str]) -> tuple[str, float]:
    """Where requests wait until the service takes them, and how many do."""
    if "workers" in short:
        return "workers", max(usage.in_flight - (usage.service.mean("workers_busy") or 0.0), 0.0)
    if "listen" in short:
        return "listen", count_in_listen_queue(usage)
    return "listen", 0.0


def estimate_error(name: str, usage: ResourceUsage) -> float:
    """The standard error of a place that readings once a second tell, as a share of its number; 0 of others.

    A service that answers quickly has hardly a request in flight, and one reading of a few makes much of it.
    """
    if name == "pool":
        return usage.service.relative_error("pool_waiting")
    return usage.postgres.relative_error(*_GAUGES[name]) if name in _GAUGES else 0.0


def count_in_pool(usage: ResourceUsage) -> float:
    """Requests that hold a connection of the pool or wait for one."""
    return (usage.service.mean("pool_in_use") or 0.0) + count_pool_queue(usage)


def _locate_inside(usage: ResourceUsage, total: float, short: frozenset[str]) -> Occupancy:
    sessions = [usage.postgres.mean(state) or 0.0 for state in _SESSION_STATES]
    in_transaction = usage.postgres.mean("connections_idle_in_transaction") or 0.0
    held = usage.service.mean("pool_in_use")
    if held is None:
        held = sum(sessions) + in_transaction
    held = min(held, total)
    most = min(1.0, held / sum(sessions)) if sum(sessions) else 0.0
    lock, io, *working = (most * number for number in sessions)
    queue = min(count_pool_queue(usage), total - held)
    rest = total - held - queue
    cores = (usage.service_cores or 0.0) + (usage.waited_cores or 0.0)
    free = rest - min(rest, cores)
    generator = min(free, _count_in_generator(usage, short)) if "generator" in short else 0.0
    rest -= generator
    idle = held - lock - io - sum(working)  # connections held while the database has nothing to do for them
    cores = rest + idle if "service" in short else cores
    by_rest = min(rest, cores)
    by_idle = min(idle, cores - by_rest)
    idle -= by_idle
    is_waited_for = "pool" in short or queue >= MIN_SHARE * total
    holders = Occupancy(locks=lock, io=io, database=sum(working), service=by_idle, pool=idle)
    queued = holders.divide(queue) if holders.total else Occupancy(pool=queue)
    if not is_waited_for:  # whoever holds a connection that nobody wants waits for something else
        transactions = min(idle, in_transaction)
        holders = replace(holders, pool=0.0, transactions=transactions, outside=idle - transactions)
    others = Occupancy(service=by_rest, outside=rest - by_rest, generator=generator)
    return holders.add(queued).add(others)


def _count_in_generator(usage: ResourceUsage, short: frozenset[str]) -> float:
    """Requests whose replies wait for Locust, by Little's law: each for as long as its loop is late.

    A process that uses a core has a queue of its own, which the lateness of one timer does not show: of a
    server that is busy for a share r of the time, r / (1 - r) requests on average (M/M/1; L. Kleinrock,
    *Queueing Systems* 1, 1975, 3.2). Whose queue it is, is not known where the service's CPU is short, too.
    """
    late = usage.requests_per_s * usage.generator_lag_s
    if not is_generator_busy(usage) or "service" in short:
        return late
    idle = 1 - usage.busiest_generator_cores
    return max(late, usage.busiest_generator_cores / idle if idle > 0 else math.inf)


def is_generator_busy(usage: ResourceUsage) -> bool:
    """A process of Locust needs a core for itself."""
    return usage.busiest_generator_cores >= FULL


def count_in_listen_queue(usage: ResourceUsage) -> float:
    """By readings of single moments; on average no more wait than requests are in flight."""
    return min(usage.listen_queue or 0.0, usage.in_flight)


def count_pool_queue(usage: ResourceUsage) -> float:
    """By the gauge; where there is none, by the time waited per second, which is the same (Little)."""
    waiting = usage.service.mean("pool_waiting")
    return waiting if waiting is not None else usage.service.rate("pool_wait_seconds") or 0.0
