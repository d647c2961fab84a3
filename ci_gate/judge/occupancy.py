"""Where the requests were: how many of them, on average, at each place of the service.

Little's law: the mean number of requests at a place is their rate times the time each spends there. So the
mean numbers at all places, which gauges and counters give, divide the requests' time among the places. And as
a queue lasts for as long as those in front hold what is queued for, a queue's time is divided as theirs is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ci_gate.evidence import Recording
from ci_gate.judge.summary import find_steady_bounds
from ci_gate.readings import ProbeReading
from ci_gate.samples import UNSENT

_SESSION_STATES: Final = ("waiting_lock", "waiting_io", "on_cpu", "waiting_lwlock", "waiting_other")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeWindow:
    """What one probe read in a stretch of time, oldest first; ``error`` is the last one."""

    readings: tuple[ProbeReading, ...]
    failed: int = 0
    error: str = ""

    def mean(self, gauge: str) -> float | None:
        """None where it was never read."""
        values = self._values(gauge)
        return float(np.mean([value for _at, value in values])) if values else None

    def peak(self, gauge: str) -> float | None:
        return max((value for _at, value in self._values(gauge)), default=None)

    def rise(self, counter: str) -> float:
        """By how much it rose between the first and the last reading; one that fell began again at zero."""
        values = self._values(counter)
        return float(sum(new - old if new >= old else new for (_, old), (_, new) in pairwise(values)))

    def rate(self, counter: str) -> float | None:
        """Increase per second; None where it was read less than twice."""
        values = self._values(counter)
        passed_s = values[-1][0] - values[0][0] if values else 0.0
        return self.rise(counter) / passed_s if passed_s > 0 else None

    def _values(self, name: str) -> list[tuple[float, float]]:
        return [(each.wall_s, each.values[name]) for each in self.readings if name in each.values]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Means over the steady phase. CPU is in cores; None is what could not be read."""

    duration_s: float  # 0: the steady phase never began
    in_flight: float  # requests sent and not yet answered
    requests_per_s: float
    service_cores: float | None
    busiest_cores: float | None  # by the busiest of the service's processes
    waited_cores: float | None  # threads of the service that could have run, and had no CPU
    quota_cores: float | None
    throttled_s: float | None  # in each second, its threads together
    host_cores: int | None
    host_used_cores: float | None
    generator_cores: float
    generator_lag_s: float
    postgres: ProbeWindow
    redis: ProbeWindow
    service: ProbeWindow
    offered_per_s: float | None  # what the users would send if every reply came at once

    @property
    def busiest_waited_cores(self) -> float | None:
        """Threads of the busiest process that had no CPU, if they waited as its share of the CPU is."""
        if self.waited_cores is None or not self.service_cores:
            return self.waited_cores
        return self.waited_cores * (self.busiest_cores or 0.0) / self.service_cores

    @property
    def cores_for_all_offered(self) -> float | None:
        """What the busiest process would use at that rate: rate x CPU per request (utilisation law)."""
        if self.offered_per_s is None or self.busiest_cores is None or not self.requests_per_s:
            return None
        return self.offered_per_s * self.busiest_cores / self.requests_per_s

    @property
    def statements_per_request(self) -> float | None:
        """As the service counts both, else as it counts its statements and Locust the requests."""
        statements = self.service.rate("statements")
        requests = self.service.rate("requests") or self.requests_per_s
        return statements / requests if statements is not None and requests else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupancy:
    """Mean numbers of requests by what they waited for or used; together they are all in flight."""

    pool: float = 0.0  # a connection that is held while the database is idle, or the queue for it
    locks: float = 0.0
    io: float = 0.0
    database: float = 0.0  # statements at work
    workers: float = 0.0
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


def count_in_flight(
    starts_s: NDArray[np.float64], times_ms: NDArray[np.float64], begin_s: float, end_s: float
) -> float:
    """The time average of how many requests were under way between two moments; 0 for an empty stretch.

    Exact, with requests that began before or ended after it: each counts for as long as it overlaps.
    """
    if end_s <= begin_s or not len(starts_s):
        return 0.0
    ends_s = starts_s + times_ms / 1000
    overlaps_s = np.minimum(ends_s, end_s) - np.maximum(starts_s, begin_s)
    return float(np.maximum(overlaps_s, 0).sum() / (end_s - begin_s))


def observe(
    recording: Recording,
    begin_s: float,
    end_s: float,
    host_cores: int | None = None,
    offered_per_s: float | None = None,
) -> Observed:
    """Everything that was read between two moments of a recording."""
    unsent = [number for number, text in enumerate(recording.strings) if text == UNSENT]
    samples = recording.samples
    samples = samples[~np.isin(samples["endpoint"], unsent)] if unsent else samples
    sent = (samples["start_s"] >= begin_s) & (samples["start_s"] < end_s)
    machine = [each for each in recording.machine if begin_s < each.wall_s <= end_s]
    generator = [each for each in recording.readings if begin_s < each.wall_s <= end_s]
    host = _mean(each.host_cpu_percent for each in machine)
    busiest = _mean(each.service_busiest_percent for each in machine)
    service = _mean(each.service_cpu_percent for each in machine)
    return Observed(
        duration_s=end_s - begin_s if begin_s < end_s else 0.0,
        in_flight=count_in_flight(samples["start_s"], samples["response_ms"], begin_s, end_s),
        requests_per_s=float(sent.sum()) / (end_s - begin_s) if end_s > begin_s else 0.0,
        service_cores=None if service is None else service / 100,
        busiest_cores=None if busiest is None else busiest / 100,
        waited_cores=_mean(each.service_waited_s for each in machine),
        quota_cores=_mean(each.service_cpus for each in machine),
        throttled_s=_mean(each.service_throttled_s for each in machine),
        host_cores=host_cores,
        host_used_cores=None if host is None or host_cores is None else host / 100 * host_cores,
        generator_cores=(_mean(each.cpu_percent for each in generator) or 0.0) / 100,
        generator_lag_s=(_mean(each.lag_ms for each in generator) or 0.0) / 1000,
        postgres=find_window(recording, "postgres", begin_s, end_s),
        redis=find_window(recording, "redis", begin_s, end_s),
        service=find_window(recording, "service", begin_s, end_s),
        offered_per_s=offered_per_s,
    )


def observe_steady(
    recording: Recording, host_cores: int | None = None, offered_per_s: float | None = None
) -> Observed:
    """`observe` in the steady phase; of nothing where it never began."""
    return observe(recording, *find_steady_bounds(recording), host_cores, offered_per_s)


def locate(
    seen: Observed, *, is_cpu_short: bool, is_generator_short: bool, are_workers_busy: bool
) -> Occupancy:
    """Divide the requests in flight among the places.

    ``is_cpu_short`` says that who has nothing else to wait for waits for CPU; ``are_workers_busy`` that a
    request outside all workers waits for one of them.
    """
    admitted = seen.service.mean("workers_busy") if are_workers_busy else None
    inside = seen.in_flight if admitted is None else min(admitted, seen.in_flight)
    placed = _locate_inside(seen, inside, is_cpu_short=is_cpu_short, is_generator_short=is_generator_short)
    queue = seen.in_flight - inside
    if queue <= 0:
        return placed
    queued = placed.divide(queue) if placed.total else Occupancy(workers=queue)
    # More workers would let them wait, or compute, side by side; but not where something else is short.
    freed = queued.outside + (0.0 if is_cpu_short else queued.service)
    service = queued.service if is_cpu_short else 0.0
    return placed.add(replace(queued, outside=0.0, service=service, workers=queued.workers + freed))


def count_in_pool(seen: Observed) -> float:
    """Requests that hold a connection of the pool or wait for one."""
    return (seen.service.mean("pool_in_use") or 0.0) + count_pool_queue(seen)


def _locate_inside(
    seen: Observed, total: float, *, is_cpu_short: bool, is_generator_short: bool
) -> Occupancy:
    sessions = [seen.postgres.mean(state) or 0.0 for state in _SESSION_STATES]
    held = seen.service.mean("pool_in_use")
    if held is None:
        held = sum(sessions) + (seen.postgres.mean("connections_idle_in_transaction") or 0.0)
    held = min(held, total)
    most = min(1.0, held / sum(sessions)) if sum(sessions) else 0.0
    lock, io, *working = (most * number for number in sessions)
    queue = min(count_pool_queue(seen), total - held)
    rest = total - held - queue
    generator = min(rest, seen.requests_per_s * seen.generator_lag_s) if is_generator_short else 0.0
    rest -= generator
    idle = held - lock - io - sum(working)  # connections held while the database has nothing to do for them
    cores = rest + idle if is_cpu_short else (seen.service_cores or 0.0) + (seen.waited_cores or 0.0)
    by_rest = min(rest, cores)
    by_idle = min(idle, cores - by_rest)
    holders = Occupancy(locks=lock, io=io, database=sum(working), service=by_idle, pool=idle - by_idle)
    queued = holders.divide(queue) if holders.total else Occupancy(pool=queue)
    others = Occupancy(service=by_rest, outside=rest - by_rest, generator=generator)
    return holders.add(queued).add(others)


def count_pool_queue(seen: Observed) -> float:
    """By the gauge; where there is none, by the time waited per second, which is the same (Little)."""
    waiting = seen.service.mean("pool_waiting")
    return waiting if waiting is not None else seen.service.rate("pool_wait_seconds") or 0.0


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def find_window(
    recording: Recording, probe: str, begin_s: float = -np.inf, end_s: float = np.inf
) -> ProbeWindow:
    """What a probe read between two moments, or in the whole recording."""
    own = [each for each in recording.probes if each.probe == probe and begin_s <= each.wall_s <= end_s]
    own.sort(key=lambda each: each.wall_s)
    errors = [each.error for each in own if each.error]
    return ProbeWindow(
        readings=tuple(each for each in own if not each.error),
        failed=len(errors),
        error=errors[-1] if errors else "",
    )
