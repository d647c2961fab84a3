"""A flame graph: head's stacks merged, each block with what base spends there where base was sampled too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from ci_gate.evidence.ranges import Count, Quantity, Share
from ci_gate.evidence.readings import StrictValue
from ci_gate.evidence.recording import CODE_BASE, CODE_HEAD
from ci_gate.evidence.stacks import STACKS_CPU, STACKS_WALL, Stacks
from ci_gate.judge.code.attribution import Function, function_of
from ci_gate.judge.code.costs import SuccessCost, measure_stacks
from ci_gate.judge.steady import ClassifiedRecording

_MIN_WIDTH: Final = 0.004  # of the graph: what is narrower cannot be seen
_MAX_DEPTH: Final = 60
_MAX_BLOCKS: Final = 1500
_MAX_STACKS: Final = 5000  # the commonest: more are no code that anybody wrote, and others cannot be seen
_Path = tuple[int, ...]  # places in the list of all functions: hundreds of thousands are compared


class FlameBlock(StrictValue, frozen=True):
    """A function in the place where it was called: ``left`` and ``width`` are shares of the whole graph.

    ``base_ms`` is None where head was sampled alone.
    """

    name: str
    file: str
    depth: Count
    left: Share
    width: Share
    base_ms: Quantity | None
    head_ms: Quantity


class Flame(StrictValue, frozen=True):
    """Blocks from the outermost inwards. ``is_wall``: of all time in own code, not only that on a CPU."""

    is_wall: bool
    base_ms: Quantity | None
    head_ms: Quantity
    blocks: tuple[FlameBlock, ...]


def draw_flames(recordings: Mapping[str, ClassifiedRecording]) -> tuple[Flame, ...]:
    """Of the time on a CPU, and of all time in own code; () where a side that was loaded was not sampled."""
    if CODE_HEAD not in recordings:
        return ()
    measured = measure_stacks([recordings[name] for name in (CODE_HEAD, CODE_BASE) if name in recordings])
    return () if isinstance(measured, str) else tuple(_draw_kinds(measured))


def _draw_kinds(sides: Sequence[tuple[SuccessCost, Mapping[str, Stacks]]]) -> Iterator[Flame]:
    """``sides`` are head, and base where there is one."""
    for name in (STACKS_CPU, STACKS_WALL):
        functions: dict[Function, int] = {}
        head, *others = (
            _sum_paths(each[name], functions, _ms_per_sample(cost, name, each[name]), name == STACKS_WALL)
            if name in each
            else {}
            for cost, each in sides
        )
        base = others[0] if others else None
        total_ms = head.get((), 0.0)
        if total_ms:
            yield Flame(
                is_wall=name == STACKS_WALL,
                base_ms=None if base is None else base.get((), 0.0),
                head_ms=total_ms,
                blocks=tuple(_lay_out(tuple(functions), base, head, total_ms))[:_MAX_BLOCKS],
            )


def _ms_per_sample(cost: SuccessCost, name: str, stacks: Stacks) -> float:
    """What one sample stands for, of a success."""
    if name == STACKS_CPU:
        return cost.cpu_ms.value / max(sum(map(len, stacks.threads)), 1)
    return 1000 / cost.rate_per_s / max(stacks.ticks, 1)


def _sum_paths(
    stacks: Stacks, places: dict[Function, int], sample_ms: float, only_own: bool
) -> dict[_Path, float]:
    """The time of each path from the outermost function on; that of the empty path is the whole.

    ``places`` grows by the functions that are new.
    """
    functions = [function_of(frame) for frame in stacks.frames]
    sums: Counter[_Path] = Counter()
    seen = Counter(stack for thread in stacks.threads for stack in thread)
    for stack, times in seen.most_common(_MAX_STACKS):
        calls: list[Function] = []
        for function in (functions[frame] for frame in stack if stacks.frames[frame].file):
            if not calls or calls[-1] != function:
                calls.append(function)
        if only_own:
            calls = _cut_idle(calls)
            if not calls:
                continue
        path = tuple(places.setdefault(function, len(places)) for function in calls[:_MAX_DEPTH])
        for depth in range(len(path) + 1):
            sums[path[:depth]] += times
    return {path: times * sample_ms for path, times in sums.items()}


def _cut_idle(path: list[Function]) -> list[Function]:
    """From the first own function below a library on; () where a thread only waits for work."""
    has_library = False
    for place, function in enumerate(path):
        if function.is_library:
            has_library = True
        elif has_library:
            return path[place:]
    return []


def _lay_out(
    functions: tuple[Function, ...],
    base: Mapping[_Path, float] | None,
    head: Mapping[_Path, float],
    total_ms: float,
) -> Iterator[FlameBlock]:
    shown = [path for path, time_ms in head.items() if path and time_ms >= _MIN_WIDTH * total_ms]
    below: dict[_Path, list[_Path]] = {}
    for path in sorted(shown, key=lambda path: functions[path[-1]]):
        below.setdefault(path[:-1], []).append(path)
    row: list[tuple[_Path, float]] = [((), 0.0)]
    while row:
        next_row = []
        for above, left_ms in row:
            at_ms = left_ms
            for path in below.get(above, ()):
                function = functions[path[-1]]
                yield FlameBlock(
                    name=function.name,
                    file=function.short_file,
                    depth=len(path) - 1,
                    left=min(at_ms / total_ms, 1.0),
                    width=min(head[path] / total_ms, 1.0),
                    base_ms=None if base is None else base.get(path, 0.0),
                    head_ms=head[path],
                )
                next_row.append((path, at_ms))
                at_ms += head[path]
        row = next_row
