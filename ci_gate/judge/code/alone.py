"""What head's code costs where there is nothing to compare it with: a pure function of its stacks."""

from __future__ import annotations

from typing import Final

from ci_gate.evidence.ranges import Count, Quantity
from ci_gate.evidence.readings import StrictValue
from ci_gate.judge.code.attribution import Function
from ci_gate.judge.code.costs import NOTHING, REAL, Costs, Estimate, SideCosts

_MIN_MS: Final = 0.01


class CodeCost(StrictValue, frozen=True):
    """Time of a success in ms, with its standard error."""

    ms: Quantity
    error_ms: Quantity


class FunctionCost(StrictValue, frozen=True):
    """A function and what is its own, on a CPU and waiting; ``subtree`` is all below it on a CPU, too.

    ``line`` is where most of it is, ``below`` the library that was at work most for it.
    """

    name: str
    file: str
    line: Count
    is_library: bool
    below: str
    cpu: CodeCost
    waiting: CodeCost
    subtree: CodeCost

    @property
    def total_ms(self) -> float:
        """All of its own time, but for what waited for a core."""
        return self.cpu.ms + self.waiting.ms

    @property
    def is_real(self) -> bool:
        """Whether that is more than chance shows."""
        return any(cost.ms > max(REAL * cost.error_ms, _MIN_MS) for cost in (self.cpu, self.waiting))


class HeadCode(StrictValue, frozen=True):
    """The functions that cost most first, and the CPU time of a success altogether."""

    functions: tuple[FunctionCost, ...]
    samples: Count
    cpu: CodeCost


def list_costs(side: SideCosts, max_functions: int) -> HeadCode:
    """The functions of one side that cost a success most, by CPU and waiting together."""
    own, subtree = side.own(), side.subtree()
    functions = [_measure(side, own, subtree, each) for each in sorted(side.functions)]
    known = sorted((each for each in functions if each.is_real), key=lambda each: -each.total_ms)
    return HeadCode(
        functions=tuple(known[:max_functions]),
        samples=int(side.on_cpu.totals.sum()),
        cpu=_cost(side.success.cpu_ms),
    )


def _measure(side: SideCosts, own: Costs, subtree: Costs, function: Function) -> FunctionCost:
    """A library waits for work, or for what called it; a thread that is always in a function only waits."""
    can_wait = side.wall is not None and not function.is_library and function not in side.wall.always
    return FunctionCost(
        name=function.name,
        file=function.short_file,
        line=side.line_of(function),
        is_library=function.is_library,
        below=side.on_cpu.below.get(function, ""),
        cpu=_cost(own.cpu_ms(function)),
        waiting=_cost(own.waiting_ms(function) if can_wait else NOTHING),
        subtree=_cost(subtree.cpu_ms(function)),
    )


def _cost(estimate: Estimate) -> CodeCost:
    return CodeCost(ms=estimate.value, error_ms=estimate.error)
