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
    found = [_find_waiting(stacks, cores) for stacks, cores in sides]
    dropped = {(leaf.file, leaf.name) for _, beyond in found for leaf in beyond}
    return [
        _drop(stacks[STACKS_CPU], {leaf for leaf in waiting if (leaf.file, leaf.name) in dropped})
        for (stacks, _), (waiting, _) in zip(sides, found, strict=True)
    ]


def _find_waiting(stacks: Mapping[str, Stacks], cores: float) -> tuple[list[Frame], list[Frame]]:
    """The lines where threads mostly wait, most first; and of them, those with what is beyond the CPU time.

    There are none of these where it is so little that it is chance.
    """
    on_cpu, wall = stacks[STACKS_CPU], stacks.get(STACKS_WALL)
    if wall is None:
        return [], []
    leaves, all_leaves = _count_leaves(on_cpu), _count_leaves(wall)
    times = {
        leaf: all_leaves[leaf] * wall.period_s / (count * on_cpu.period_s) for leaf, count in leaves.items()
    }
    waiting = sorted(
        (leaf for leaf in leaves if times[leaf] >= MOSTLY),
        key=lambda leaf: (-times[leaf], leaf.file, leaf.name, leaf.line),
    )
    possible = cores * wall.ticks * wall.period_s / on_cpu.period_s
    excess = int(leaves.total() - possible)
    beyond: list[Frame] = []
    if excess > _CHANCE * math.sqrt(possible):
        for leaf in waiting:
            if excess <= 0:
                break
            beyond.append(leaf)  # whole lines: the few that are left would be chance
            excess -= leaves[leaf]
    return waiting, beyond


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
