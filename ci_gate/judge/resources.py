"""What a service used for its successes: CPU, memory of its own, statements sent to its database."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from ci_gate.evidence.ranges import Quantity
from ci_gate.evidence.readings import StrictValue
from ci_gate.evidence.recording import Recording
from ci_gate.thresholds import CPU, DEFAULT_CPU_OF, MEMORY, POSTGRES, STATEMENTS, Metric

_MIN_COVERED: Final = 0.9  # of a phase, for its figures to stand for it
_MIB: Final = 1024**2


class ResourceFigures(StrictValue, frozen=True):
    """Of a steady phase: CPU time and statements for each success, the most memory held; None: not known."""

    cpu_ms: Quantity | None
    memory_mib: Quantity | None
    statements: Quantity | None

    def of(self, metric: Metric) -> float | None:
        """The figure of a metric that is a resource, in its unit."""
        return {CPU: self.cpu_ms, MEMORY: self.memory_mib, STATEMENTS: self.statements}[metric]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How much there had been of something at some moments, which rise: two arrays of one length."""

    times_s: NDArray[np.float64]
    totals: NDArray[np.float64]

    @classmethod
    def of(cls, readings: Iterable[tuple[float, float | None]]) -> Self | None:
        """Of a counter at each time; one that fell began again at 0. None without two readings."""
        known = sorted((at, value) for at, value in readings if value is not None)
        if len(known) < 2:  # noqa: PLR2004 - nothing has risen yet
            return None
        times_s, values = np.array(known, dtype=np.float64).T
        steps = np.diff(values)
        totals = np.concatenate([[0.0], np.cumsum(np.where(steps >= 0, steps, values[1:]))])
        return cls(times_s=times_s, totals=totals)

    def between(self, edges_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """How much there was from each edge to the next; evenly spread between two readings."""
        return np.diff(np.interp(edges_s, self.times_s, self.totals))


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """How much was held at some moments, which rise: two arrays of one length, neither empty."""

    times_s: NDArray[np.float64]
    values: NDArray[np.float64]

    @classmethod
    def of(cls, readings: Iterable[tuple[float, float | None]]) -> Self | None:
        """None without a reading."""
        known = sorted((at, value) for at, value in readings if value is not None)
        return cls(times_s=np.array(known).T[0], values=np.array(known).T[1]) if known else None

    def peak(self, begin_s: float, end_s: float) -> float | None:
        """The greatest of the readings between two moments; None where there is none."""
        within = self.values[(self.times_s > begin_s) & (self.times_s <= end_s)]
        return float(within.max()) if within.size else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What was read of a service and its database; CPU in ms, memory in MiB, None where nothing was.

    ``database`` is that whose own count ``statements`` is; None where the service counted them itself.
    ``server_started_s`` says whose CPU is in ``cpu_ms`` beside the service's; None where nobody's is.
    """

    cpu_ms: Counted | None = None
    memory_mib: Held | None = None
    statements: Counted | None = None
    database: tuple[float, float] | None = None
    server_started_s: float | None = None

    def counted(self, metric: Metric) -> Counted | None:
        """What is counted for each success."""
        return self.cpu_ms if metric == CPU else self.statements


NO_RESOURCES: Final = Resources()


def read_resources(recording: Recording, cpu_of: Collection[str] = DEFAULT_CPU_OF) -> Resources:
    """What the machine's readings and the probes of a recording say; CPU is of all that ``cpu_of`` names."""
    machine = recording.machine
    used = ((each.wall_s, _times(each.service_cpu_s, 1000)) for each in machine)
    held = ((each.wall_s, _times(each.service_memory_bytes, 1 / _MIB)) for each in machine)
    own = Counted.of(_values(recording, "service", "statements"))
    of_database = None if own else Counted.of(_values(recording, "postgres", "statement_calls"))
    cpu_ms, server = Counted.of(used), None
    if POSTGRES in cpu_of:
        of_server = ((at, _times(value, 1000)) for at, value in _values(recording, POSTGRES, "server_cpu_s"))
        cpu_ms = _add(cpu_ms, Counted.of(of_server))
        server = _find_database(recording)
    return Resources(
        cpu_ms=cpu_ms,
        memory_mib=Held.of(held),
        statements=own or of_database,
        database=_find_database(recording) if of_database else None,
        server_started_s=server[0] if server else None,
    )


def _add(first: Counted | None, second: Counted | None) -> Counted | None:
    """Both together, where there were readings of both; None where there never were."""
    if first is None or second is None:
        return None
    begin_s = max(first.times_s[0], second.times_s[0])
    end_s = min(first.times_s[-1], second.times_s[-1])
    if begin_s >= end_s:
        return None
    times_s = np.union1d(first.times_s, second.times_s)
    times_s = times_s[(times_s >= begin_s) & (times_s <= end_s)]
    totals = sum(np.interp(times_s, each.times_s, each.totals) for each in (first, second))
    return Counted(times_s=times_s, totals=np.asarray(totals, dtype=np.float64))


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _values(recording: Recording, probe: str, name: str) -> list[tuple[float, float | None]]:
    return [(each.wall_s, each.values.get(name)) for each in recording.probes if each.probe == probe]


def _find_database(recording: Recording) -> tuple[float, float] | None:
    names = ("server_started_s", "database_oid")
    found = (each.values for each in recording.probes if {*names} <= each.values.keys())
    return next(((values[names[0]], values[names[1]]) for values in found), None)


def have_own_databases(base: Recording, head: Recording) -> bool:
    """Whether the probed databases are known to be two: one would count the statements of both as one."""
    of_base, of_head = _find_database(base), _find_database(head)
    return None not in {of_base, of_head} and of_base != of_head


def cover(resources: Iterable[Counted | None], begin_s: float, end_s: float) -> tuple[float, float] | None:
    """The part of a phase in which all of them were read; None where that is too little of it."""
    latest_s, earliest_s = begin_s, end_s
    for each in resources:
        if each is None:
            return None
        latest_s = max(latest_s, float(each.times_s[0]))
        earliest_s = min(earliest_s, float(each.times_s[-1]))
    is_enough = earliest_s - latest_s >= _MIN_COVERED * (end_s - begin_s) > 0
    return (latest_s, earliest_s) if is_enough else None


def summarise_resources(
    resources: Resources, successes_s: NDArray[np.float64], begin_s: float, end_s: float
) -> ResourceFigures:
    """The figures of a phase, given when each of its successes was due."""
    memory = resources.memory_mib
    return ResourceFigures(
        cpu_ms=per_success(resources.cpu_ms, successes_s, begin_s, end_s),
        memory_mib=memory.peak(begin_s, end_s) if memory else None,
        statements=per_success(resources.statements, successes_s, begin_s, end_s),
    )


def per_success(
    counted: Counted | None, successes_s: NDArray[np.float64], begin_s: float, end_s: float
) -> float | None:
    """What was counted in a phase for each of its successes; None where too little of it was read."""
    covered = cover([counted], begin_s, end_s)
    if counted is None or covered is None:
        return None
    successes = int(((successes_s >= covered[0]) & (successes_s < covered[1])).sum())
    return float(counted.between(np.array(covered))[0]) / successes if successes else None
