"""What functions cost for each success, on a CPU and waiting, and what head changed in that.

Time on a CPU is a function's share of the on-CPU samples times the CPU time of a success. The error of a
share is that of a ratio of batches (Cochran 1977, Sampling Techniques, 6.3), at least that of independent
samples; that of the product is of first order (Goodman 1960, Journal of the American Statistical Association
55:708).

Time in a function is, by Little's law (Operations Research 9, 1961), the mean number of threads in it over
the rate of successes. What of that is neither on a CPU nor waits for one is waiting: a thread that could run
is sampled as on a CPU, so such samples may be more than the CPU time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ci_gate.evidence.stacks import STACKS_CPU, STACKS_WALL, Stacks
from ci_gate.judge.code.attribution import BLOCKS, Function, Samples, count_samples
from ci_gate.judge.code.on_cpu import MOSTLY, keep_on_cpu
from ci_gate.judge.resources import cover
from ci_gate.judge.steady import ClassifiedRecording

REAL: Final = 4.0
"""Standard errors beyond which a figure is named: dozens of functions are looked at, with few samples each,
and of equal versions one in a hundred differed by more than three (benchmarks.equal_code)."""
_HALF: Final = 0.5  # a sample: what was never seen is not known to be nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number with its standard error."""

    value: float
    error: float

    def times(self, other: Estimate) -> Estimate:
        """The product of two that are independent."""
        error = np.hypot(self.error * other.value, other.error * self.value)
        return Estimate(value=self.value * other.value, error=float(error))

    def minus(self, other: Estimate) -> Estimate:
        """The difference of two that are independent."""
        return Estimate(value=self.value - other.value, error=float(np.hypot(self.error, other.error)))


NOTHING: Final = Estimate(value=0.0, error=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SuccessCost:
    """What a success costs under the load that was sampled: its CPU time, and how many there were."""

    cpu_ms: Estimate
    rate_per_s: float
    successes: int

    @property
    def cores(self) -> float:
        """How many the service used."""
        return self.cpu_ms.value * self.rate_per_s / 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class SideCosts:
    """What a side's code costs."""

    on_cpu: Samples
    wall: Samples | None
    success: SuccessCost

    @property
    def functions(self) -> frozenset[Function]:
        """All that were ever seen."""
        return frozenset((*self.on_cpu.functions, *(self.wall.functions if self.wall else ())))

    def line_of(self, function: Function) -> int:
        """The line where most of a function's samples are; 0 where that is not known."""
        waiting = self.wall.lines if self.wall else {}
        return self.on_cpu.lines.get(function) or waiting.get(function, 0)

    def own(self) -> Costs:
        """Of each function what is its own, libraries below it included."""
        return Costs(self, lambda samples: samples.own)

    def subtree(self) -> Costs:
        """Of each function all below it."""
        return Costs(self, lambda samples: samples.subtree)


class Costs:
    """Costs of functions, or of groups of them, by one way to count samples."""

    def __init__(self, side: SideCosts, counts: Callable[[Samples], NDArray[np.float64]]) -> None:
        self._side = side
        self._on_cpu, self._wall = (
            (samples, counts(samples), {function: place for place, function in enumerate(samples.functions)})
            if samples
            else None
            for samples in (side.on_cpu, side.wall)
        )

    def cpu_ms(self, *functions: Function) -> Estimate:
        """CPU time of a success in them, in ms."""
        column = _add(self._on_cpu, functions)
        share = _estimate_share(column, self._side.on_cpu.totals)
        return share.times(self._side.success.cpu_ms)

    def threads(self, *functions: Function) -> Estimate:
        """How many threads are in them on average, on a CPU or not."""
        wall = self._side.wall
        if wall is None or not wall.ticks:
            return NOTHING
        column = _add(self._wall, functions)
        scatter = float(np.var(column, ddof=1) * BLOCKS)
        error = np.sqrt(max(scatter, column.sum() + _HALF)) / wall.ticks
        return Estimate(value=float(column.sum()) / wall.ticks, error=float(error))

    def is_ready(self, function: Function) -> bool:
        """Whether threads in it mostly can run: they compute, or wait for a core, which others have."""
        return self.threads(function).value < MOSTLY * self._ready(function).value

    def waiting_ms(self, *functions: Function) -> Estimate:
        """Time of a success in them that waits for anything but a core, in ms."""
        success, wall = self._side.success, self._side.wall
        if wall is None:
            return NOTHING
        per_thread = 1000 / success.rate_per_s
        time_ms = Estimate(value=per_thread, error=per_thread / np.sqrt(success.successes))
        cpu, ready = self.cpu_ms(*functions), self._ready(*functions).times(time_ms)
        running = ready if ready.value > cpu.value else cpu
        waiting = self.threads(*functions).times(time_ms).minus(running)
        return Estimate(value=max(waiting.value, 0.0), error=waiting.error)

    def _ready(self, *functions: Function) -> Estimate:
        """How many threads in them are on a CPU or wait for one: both are sampled as on one."""
        on_cpu, wall = self._side.on_cpu, self._side.wall
        if wall is None or not wall.ticks:
            return NOTHING
        each = on_cpu.period_s / (wall.ticks * wall.period_s)
        samples = float(_add(self._on_cpu, functions).sum())
        return Estimate(value=samples * each, error=float(np.sqrt(max(samples, _HALF))) * each)


_Counted = tuple[Samples, NDArray[np.float64], dict[Function, int]]


def _add(counted: _Counted | None, functions: tuple[Function, ...]) -> NDArray[np.float64]:
    """The samples of all these functions, by block."""
    if counted is None:
        return np.zeros(BLOCKS)
    _, counts, places = counted
    columns = [places[function] for function in functions if function in places]
    added: NDArray[np.float64] = counts[:, columns].sum(axis=1)
    return added


def _estimate_share(column: NDArray[np.float64], totals: NDArray[np.float64]) -> Estimate:
    total, mine = float(totals.sum()), float(column.sum())
    if not total:
        return NOTHING
    share = mine / total
    residuals = column - share * totals
    scatter = float((residuals**2).sum()) * BLOCKS / (BLOCKS - 1) / total**2
    seen = (mine + _HALF) / (total + 1)
    independent = seen * (1 - seen) / total
    return Estimate(value=share, error=float(np.sqrt(max(scatter, independent))))


def measure_costs(sides: Sequence[ClassifiedRecording]) -> list[SideCosts] | str:
    """What the code of each side costs under this load; or why that is not known of one."""
    measured = measure_stacks(sides)
    if isinstance(measured, str):
        return measured
    return [
        SideCosts(
            on_cpu=count_samples(stacks[STACKS_CPU]),
            wall=count_samples(stacks[STACKS_WALL]) if STACKS_WALL in stacks else None,
            success=success,
        )
        for success, stacks in measured
    ]


def measure_stacks(sides: Sequence[ClassifiedRecording]) -> list[tuple[SuccessCost, dict[str, Stacks]]] | str:
    """What a success of each side costs, and its stacks, on a CPU those that were there; or why not known."""
    costs: list[SuccessCost] = []
    for side in sides:
        cost = _measure_success(side)
        if isinstance(cost, str):
            return cost
        costs.append(cost)
    stacks = [side.recording.stacks for side in sides]
    on_cpu = keep_on_cpu([(each, cost.cores) for each, cost in zip(stacks, costs, strict=True)])
    return [
        (cost, {**each, STACKS_CPU: kept}) for cost, each, kept in zip(costs, stacks, on_cpu, strict=True)
    ]


def _measure_success(recording: ClassifiedRecording) -> SuccessCost | str:
    """What a success of a sampled side costs; or why that is not known."""
    steady = recording.steady
    if STACKS_CPU not in recording.recording.stacks:
        return "no stacks were sampled"
    counted = steady.resources.cpu_ms
    covered = cover([counted], steady.begin_s, steady.end_s)
    successes_s = steady.samples["intended_s"][steady.success]
    if counted is None or covered is None:
        return "the CPU time of the service could not be read"
    edges_s = np.linspace(*covered, BLOCKS + 1)
    done = np.histogram(successes_s, edges_s)[0].astype(np.float64)
    used = counted.between(edges_s)
    if not done.sum():
        return "no request succeeded under that load"
    return SuccessCost(
        cpu_ms=_estimate_ratio(used, done),
        rate_per_s=float(done.sum()) / (covered[1] - covered[0]),
        successes=int(done.sum()),
    )


def _estimate_ratio(used: NDArray[np.float64], done: NDArray[np.float64]) -> Estimate:
    ratio = float(used.sum() / done.sum())
    residuals = used - ratio * done
    error = np.sqrt(float((residuals**2).sum()) * BLOCKS / (BLOCKS - 1)) / done.sum()
    return Estimate(value=ratio, error=float(error))
