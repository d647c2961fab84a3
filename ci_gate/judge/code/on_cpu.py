"""The samples of threads on a CPU without those that only look so.

The state of a thread and its stack are not read in the same moment: a thread that just ended its work counts
as on a CPU, in the line where it then waits. On a busy machine that is most of an idle service's samples. But
there are no more samples on a CPU than there was CPU time: what is beyond that is taken from the lines where
threads mostly wait. From both sides, for what is left on one of them alone would look like its work.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from ci_gate.evidence.stacks import STACKS_CPU, STACKS_WALL, Frame, Stack, Stacks

_CHANCE: Final = 3.0  # standard errors by which there may be more samples than CPU time
MOSTLY: Final = 3.0
"""As much time in a line as ready to run in it: threads mostly wait there, and not for a core."""


def keep_on_cpu(sides: Sequence[tuple[Mapping[str, Stacks], float]]) -> list[Stacks]:
    """The on-CPU stacks of each side, without those in lines where threads wait.

    ``sides`` are what was sampled of a service, and how many cores it used.
    """
    waiting = [_find_waiting(stacks) for stacks, _ in sides]
    dropped = {
        (leaf.file, leaf.name)
        for (stacks, cores), lines in zip(sides, waiting, strict=True)
        for leaf in _select_excess(stacks, cores, lines)
    }
    return [
        _drop(stacks[STACKS_CPU], {leaf for leaf in lines if (leaf.file, leaf.name) in dropped})
        for (stacks, _), lines in zip(sides, waiting, strict=True)
    ]


def _find_waiting(stacks: Mapping[str, Stacks]) -> dict[Frame, float]:
    """The lines where threads mostly wait: how much more time they were in one than ready to run in it."""
    on_cpu, wall = stacks[STACKS_CPU], stacks.get(STACKS_WALL)
    if wall is None:
        return {}
    all_leaves = _count_leaves(wall)
    times = {
        leaf: all_leaves[leaf] * wall.period_s / (count * on_cpu.period_s)
        for leaf, count in _count_leaves(on_cpu).items()
    }
    return {leaf: more for leaf, more in times.items() if more >= MOSTLY}


def _select_excess(stacks: Mapping[str, Stacks], cores: float, waiting: Mapping[Frame, float]) -> set[Frame]:
    """Those that have what is beyond the CPU time, most waited in first; none where that is chance."""
    on_cpu, wall = stacks[STACKS_CPU], stacks.get(STACKS_WALL)
    if wall is None:
        return set()
    leaves = _count_leaves(on_cpu)
    possible = cores * wall.ticks * wall.period_s / on_cpu.period_s
    excess = int(leaves.total() - possible)
    if excess <= _CHANCE * math.sqrt(possible):
        return set()
    dropped: set[Frame] = set()
    for leaf in sorted(waiting, key=lambda leaf: (-waiting[leaf], leaf.file, leaf.name, leaf.line)):
        if excess <= 0:
            break
        dropped.add(leaf)  # whole lines: the few that are left would be chance, and differ between two sides
        excess -= leaves[leaf]
    return dropped


def _leaf(stacks: Stacks, stack: Stack) -> Frame | None:
    """The innermost line of code."""
    return next((stacks.frames[frame] for frame in reversed(stack) if stacks.frames[frame].file), None)


def _count_leaves(stacks: Stacks) -> Counter[Frame]:
    counts: Counter[Frame] = Counter()
    for stack, times in Counter(stack for thread in stacks.threads for stack in thread).items():
        if leaf := _leaf(stacks, stack):
            counts[leaf] += times
    return counts


def _drop(stacks: Stacks, leaves: set[Frame]) -> Stacks:
    if not leaves:
        return stacks
    threads = (
        tuple(stack for stack in thread if _leaf(stacks, stack) not in leaves) for thread in stacks.threads
    )
    return replace(stacks, threads=tuple(thread for thread in threads if thread))
