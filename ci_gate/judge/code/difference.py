"""Which code head spends more time in than base: a pure function of the stacks of both sides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from ci_gate.evidence.ranges import Count, Quantity
from ci_gate.evidence.readings import StrictValue
from ci_gate.evidence.recording import CODE_BASE, CODE_HEAD
from ci_gate.judge.code.alone import HeadCode, list_costs
from ci_gate.judge.code.attribution import Function
from ci_gate.judge.code.costs import REAL, Costs, Estimate, SideCosts, measure_costs
from ci_gate.judge.code.gaps import find_gaps
from ci_gate.judge.steady import ClassifiedRecording

MAX_FUNCTIONS: Final = 5
_EXPLAINS: Final = 0.5  # of the CPU time that a success takes more
_MUCH_MORE: Final = 0.1  # of the CPU time of a success
_MIN_MS: Final = 0.01


class TimeChange(StrictValue, frozen=True):
    """Time of a success on both sides in ms; ``error_ms`` is the standard error of the difference."""

    base_ms: Quantity
    head_ms: Quantity
    error_ms: Quantity

    @property
    def more_ms(self) -> float:
        """What head takes more."""
        return self.head_ms - self.base_ms

    @property
    def is_real(self) -> bool:
        """Whether head takes more, by REAL times the error."""
        return self.more_ms > max(REAL * self.error_ms, _MIN_MS)


class CodeTime(StrictValue, frozen=True):
    """Time on a CPU, and time that waits for anything else."""

    cpu: TimeChange
    waiting: TimeChange


class FunctionChange(StrictValue, frozen=True):
    """A function in which head spends more time. ``line`` is where most of it is, ``below`` the library.

    ``own`` leaves out what other own functions that it calls take; ``subtree`` has all below it; ``in_file``
    adds up what is own of the functions of its file: all three change alike unless code only moved.
    """

    name: str
    file: str
    line: Count
    is_library: bool
    below: str
    waits: bool  # what grew most is waiting
    own: CodeTime
    subtree: CodeTime
    in_file: CodeTime

    @property
    def grown(self) -> TimeChange:
        """What grew most of its own time."""
        return self.own.waiting if self.waits else self.own.cpu


class CodeChange(StrictValue, frozen=True):
    """What the code of both sides did under the same load, after all that is judged.

    ``functions`` are those that explain most first. ``alone`` is what head's code costs where there is no
    base to compare it with. ``notes`` say what of it cannot be seen, ``why_not`` why nothing is known.
    """

    functions: tuple[FunctionChange, ...] = ()
    samples_base: Count = 0
    samples_head: Count = 0
    cpu: TimeChange | None = None
    alone: HeadCode | None = None
    notes: tuple[str, ...] = ()
    why_not: str = ""


def compare_code(recordings: Mapping[str, ClassifiedRecording], failure: str | None) -> CodeChange | None:
    """The functions of head that cost more than on base; None where their stacks were not to be sampled.

    Where head alone was loaded, the functions that cost most. ``failure`` is why they could not be sampled.
    """
    if failure:
        return CodeChange(why_not=failure)
    if CODE_HEAD not in recordings:
        return None
    known = measure_costs([recordings[name] for name in (CODE_BASE, CODE_HEAD) if name in recordings])
    if isinstance(known, str):
        return CodeChange(why_not=known)
    code = _compare(known) if CODE_BASE in recordings else _list_alone(known[0])
    return msgspec.structs.replace(code, notes=tuple(find_gaps(known)))


def _list_alone(head: SideCosts) -> CodeChange:
    return CodeChange(alone=list_costs(head, MAX_FUNCTIONS))


def _compare(sides: list[SideCosts]) -> CodeChange:
    total = _change(*(side.success.cpu_ms for side in sides))
    functions = sorted(_find_grown(sides), key=lambda each: _rank(each, total), reverse=True)
    return CodeChange(
        functions=tuple(functions[:MAX_FUNCTIONS]),
        samples_base=int(sides[0].on_cpu.totals.sum()),
        samples_head=int(sides[1].on_cpu.totals.sum()),
        cpu=total,
    )


def _rank(function: FunctionChange, total: TimeChange) -> tuple[bool, float]:
    """What explains most of the CPU that head takes more comes first: others then wait for that CPU."""
    is_cpu_worse = total.is_real and total.more_ms > _MUCH_MORE * total.base_ms
    explains = is_cpu_worse and function.own.cpu.more_ms > _EXPLAINS * total.more_ms
    return explains, _grown_in_file(function)


def _grown_in_file(function: FunctionChange) -> float:
    """By how much it grew; one that is new no more than its file: it may have been moved, or renamed."""
    in_file = function.in_file.waiting if function.waits else function.in_file.cpu
    is_new = function.own.cpu.base_ms == function.own.waiting.base_ms == 0
    return min(function.grown.more_ms, in_file.more_ms) if is_new else function.grown.more_ms


def _find_grown(sides: list[SideCosts]) -> Iterator[FunctionChange]:
    own, subtree = [side.own() for side in sides], [side.subtree() for side in sides]
    files: dict[str, list[Function]] = {}
    for function in sorted(sides[0].functions | sides[1].functions):
        files.setdefault(function.file, []).append(function)
    for function in (each for together in files.values() for each in together):
        time = _measure(own, function)
        has_more_threads = _is_more(*(costs.threads(function) for costs in own))
        can_wait = time.waiting.is_real and has_more_threads and not function.is_library
        if not (time.cpu.is_real or can_wait):
            continue
        yield FunctionChange(
            name=function.name,
            file=function.short_file,
            line=sides[1].line_of(function),
            is_library=function.is_library,
            below=sides[1].on_cpu.below.get(function, ""),
            waits=can_wait and time.waiting.more_ms > time.cpu.more_ms and not own[1].is_ready(function),
            own=time,
            subtree=_measure(subtree, function),
            in_file=_measure(own, *files[function.file]),
        )


def _is_more(base: Estimate, head: Estimate) -> bool:
    difference = head.minus(base)
    return difference.value > REAL * difference.error


def _measure(sides: list[Costs], *functions: Function) -> CodeTime:
    return CodeTime(
        cpu=_change(*(side.cpu_ms(*functions) for side in sides)),
        waiting=_change(*(side.waiting_ms(*functions) for side in sides)),
    )


def _change(base: Estimate, head: Estimate) -> TimeChange:
    return TimeChange(base_ms=base.value, head_ms=head.value, error_ms=head.minus(base).error)
