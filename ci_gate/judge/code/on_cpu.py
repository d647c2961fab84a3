"""The samples of threads on a CPU without those that only look so.

The state of a thread and its stack are not read in the same moment: a thread that just ended its work counts
as on a CPU, in the line where it then waits. On a busy machine that is most of an idle service's samples. But
there are no more samples on a CPU than there was CPU time: what is beyond that is taken from the lines where
threads mostly wait.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from ci_gate.evidence.stacks import STACKS_CPU, STACKS_WALL, Frame, Stack, Stacks

_CHANCE: Final = 3.0  # standard errors by which there may be more samples than CPU time
MOSTLY: Final = 3.0
"""As much time in a line as ready to run in it: threads mostly wait there, and not for a core."""


def keep_on_cpu(stacks: Mapping[str, Stacks], cores: float) -> Stacks:
    """The on-CPU stacks of a service that uses so many cores, without those in lines where threads wait."""
    on_cpu, wall = stacks[STACKS_CPU], stacks.get(STACKS_WALL)
    if wall is None:
        return on_cpu
    leaves, all_leaves = _count_leaves(on_cpu), _count_leaves(wall)
    possible = cores * wall.ticks * wall.period_s / on_cpu.period_s
    excess = int(leaves.total() - possible)
    if excess <= _CHANCE * math.sqrt(possible):
        return on_cpu
    waiting = {
        leaf: all_leaves[leaf] * wall.period_s / (count * on_cpu.period_s) for leaf, count in leaves.items()
    }
    dropped: set[Frame] = set()
    for leaf in sorted(leaves, key=lambda leaf: (-waiting[leaf], leaf.file, leaf.name, leaf.line)):
        if waiting[leaf] < MOSTLY or excess <= 0:
            break
        dropped.add(leaf)  # whole lines: the few that are left would be chance, and differ between two sides
        excess -= leaves[leaf]
    return _drop(on_cpu, dropped)


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
    threads = (
        tuple(stack for stack in thread if _leaf(stacks, stack) not in leaves) for thread in stacks.threads
    )
    return replace(stacks, threads=tuple(thread for thread in threads if thread))
