"""What was seen of a recording's steady phase: how many requests were in flight, and who was how busy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ci_gate.evidence.processes import list_generators
from ci_gate.evidence.readings import MachineReading, ProbeReading, Reading
from ci_gate.evidence.recording import Recording
from ci_gate.evidence.samples import UNSENT
from ci_gate.judge.foreign import find_foreign
from ci_gate.judge.steady import ClassifiedRecording


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeWindow:
    """What one probe read in a stretch of time, oldest first; ``errors`` of those that failed."""

    readings: tuple[ProbeReading, ...]
    errors: tuple[str, ...] = ()

    @property
    def error(self) -> str:
        """The last one."""
        return self.errors[-1] if self.errors else ""

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

    def relative_error(self, *gauges: str) -> float:
        """The standard error of the mean of their sum, as a share of it; 1 of a single reading."""
        sums = [
            sum(each.values.get(gauge, 0.0) for gauge in gauges)
            for each in self.readings
            if not each.values.keys().isdisjoint(gauges)
        ]
        if sum(sums) <= 0:
            return 0.0
        return float(np.std(sums, ddof=1) / np.sqrt(len(sums)) / np.mean(sums)) if len(sums) > 1 else 1.0

    def _values(self, name: str) -> list[tuple[float, float]]:
        return [(each.wall_s, each.values[name]) for each in self.readings if name in each.values]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceUsage:
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
    foreign_cores: float | None  # by programs that are neither the service, nor Locust, nor a known server
    takers: tuple[tuple[str, float], ...]  # who took most of that
    listen_queue: float | None  # connections to its port that the service has not accepted yet
    listen_queue_share: float  # of its readings that found one waiting
    max_listen_queue: int | None
    accepting: int | None  # processes that accept, at most; None: not known
    listen_overflows_per_s: float  # connections that came to a full queue; 0 also where that is not known
    generator_cores: float  # by all processes of Locust
    busiest_generator_cores: float  # by the busiest of them
    generator_lag_s: float  # on average, of the one that was late for longest
    postgres: ProbeWindow
    redis: ProbeWindow
    service: ProbeWindow
    offered_per_s: float | None  # what the users would send if every reply came at once
    pinned_cores: int | None = None  # the service may use so many, because Locust has the others; None: all

    @property
    def is_stuck(self) -> bool:
        """Nothing was sent, for every user waited for a reply: there is no latency to be too long."""
        return self.in_flight >= 1 and not self.requests_per_s

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

    @property
    def database_statements_per_request(self) -> float | None:
        """As the database counts its statements, of whomever, and Locust the requests."""
        statements = self.postgres.rate("statement_calls")
        return statements / self.requests_per_s if statements is not None and self.requests_per_s else None


def count_in_flight(
    starts_s: NDArray[np.float64], times_ms: NDArray[np.float64], begin_s: float, end_s: float
) -> float:
    """The time average of how many requests were under way between two moments; 0 for an empty stretch.

    Exact, with requests that began before or ended after it: each counts for as long as it overlaps.
    """
    if end_s <= begin_s or not len(starts_s):
        return 0.0
    overlaps_s = times_ms / 1000  # and from here on in place: there may be millions
    overlaps_s += starts_s
    np.minimum(overlaps_s, end_s, out=overlaps_s)
    overlaps_s -= np.maximum(starts_s, begin_s)
    np.maximum(overlaps_s, 0, out=overlaps_s)
    return float(overlaps_s.sum() / (end_s - begin_s))


def select_sent(recording: Recording) -> NDArray[np.void]:
    """The samples without arrivals that brought no request."""
    unsent = [number for number, text in enumerate(recording.strings) if text == UNSENT]
    samples = recording.samples
    return samples[~np.isin(samples["endpoint"], unsent)] if unsent else samples


def observe(
    recording: Recording,
    begin_s: float,
    end_s: float,
    host_cores: int | None = None,
    offered_per_s: float | None = None,
) -> ResourceUsage:
    """Everything that was read between two moments of a recording."""
    samples = select_sent(recording)
    sent = (samples["start_s"] >= begin_s) & (samples["start_s"] < end_s)
    machine = [each for each in recording.machine if begin_s < each.wall_s <= end_s]
    generator = [each for each in recording.readings if begin_s < each.wall_s <= end_s]
    processes = [
        [each for each in readings if begin_s < each.wall_s <= end_s]
        for _, readings in list_generators(recording.workers, recording.readings)
    ]
    host = _mean(each.host_cpu_percent for each in machine)
    busiest = _mean(each.service_busiest_percent for each in machine)
    service = _mean(each.service_cpu_percent for each in machine)
    foreign = find_foreign(machine)
    queues = [each.service_listen_queue for each in machine if each.service_listen_queue is not None]
    return ResourceUsage(
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
        foreign_cores=foreign[0] if foreign else None,
        takers=foreign[1] if foreign else (),
        listen_queue=_mean(queues),
        listen_queue_share=_mean(float(each > 0) for each in queues) or 0.0,
        max_listen_queue=max(queues, default=None),
        listen_overflows_per_s=_count_overflows(machine),
        accepting=max((each.service_accepting or 0 for each in machine), default=0) or None,
        generator_cores=(_mean(each.cpu_percent for each in generator) or 0.0) / 100,
        busiest_generator_cores=max(_mean(each.cpu_percent for each in own) or 0.0 for own in processes)
        / 100,
        generator_lag_s=max(_mean(map(_lag_ms, own)) or 0.0 for own in processes) / 1000,
        postgres=find_window(recording, "postgres", begin_s, end_s),
        redis=find_window(recording, "redis", begin_s, end_s),
        service=find_window(recording, "service", begin_s, end_s),
        offered_per_s=offered_per_s,
    )


def _lag_ms(reading: Reading) -> float:
    """The average over its second; where only the longest was written down, that."""
    return reading.lag_ms if reading.mean_lag_ms is None else reading.mean_lag_ms


def _count_overflows(machine: Sequence[MachineReading]) -> float:
    counts = [
        (each.wall_s, each.service_listen_overflows)
        for each in machine
        if each.service_listen_overflows is not None
    ]
    if not counts:
        return 0.0
    (first_s, first), (last_s, last) = min(counts), max(counts)
    return max(last - first, 0) / (last_s - first_s) if last_s > first_s else 0.0


def observe_steady(
    classified: ClassifiedRecording, host_cores: int | None = None, offered_per_s: float | None = None
) -> ResourceUsage:
    """`observe` in the steady phase; of nothing where it never began."""
    steady = classified.steady
    return observe(classified.recording, steady.begin_s, steady.end_s, host_cores, offered_per_s)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def find_window(
    recording: Recording, probe: str, begin_s: float = -np.inf, end_s: float = np.inf
) -> ProbeWindow:
    """What a probe read between two moments, or in the whole recording."""
    own = [each for each in recording.probes if each.probe == probe and begin_s <= each.wall_s <= end_s]
    own.sort(key=lambda each: each.wall_s)
    return ProbeWindow(
        readings=tuple(each for each in own if not each.error),
        errors=tuple(each.error for each in own if each.error),
    )
