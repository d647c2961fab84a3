"""Which function each sampled stack counts for, and in which it lies.

A library is called by somebody: its cost counts for the deepest function of the service's own code that is on
the stack, and for the library's own function only where there is none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ci_gate.evidence.stacks import Frame, Stack, Stacks

BLOCKS: Final = 24
"""Separate batches behind a standard error: 10 to 30 do (Schmeiser 1982, Operations Research 30:556)."""
_MIN_ENTRY: Final = 0.98
"""Of a thread's samples: what is on so many of its stacks started it, and does not decide what they cost."""
_LIBRARY: Final = re.compile(r"(^|/)(site-packages|dist-packages|lib(64)?/python\d[^/]*|s?bin)/|^<|^$")
_BEFORE_LIBRARY: Final = re.compile(r"^.*/(site-packages|dist-packages|lib(64)?(?=/python\d))/")
_INSIDE: Final = re.compile(r"(\.<locals>)?\.?<(lambda|genexpr|listcomp|dictcomp|setcomp)>.*$")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Function:
    """A function, whatever its line: that changes with every edit above it."""

    file: str
    name: str

    @property
    def is_library(self) -> bool:
        """Whether it is no code of the service's own."""
        return bool(_LIBRARY.search(self.file))

    @property
    def short_file(self) -> str:
        """The file as it is named in a report: of a library, without where that is installed."""
        return _BEFORE_LIBRARY.sub("", self.file).lstrip("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """How many samples of a side lay where; an array has one row for each of BLOCKS blocks in time.

    ``functions`` are columns: those of ``own`` count what is theirs, libraries below them included, those of
    ``subtree`` all samples in which they are on the stack, and those of ``files`` the sum of a file's own.
    ``ticks`` is how often the sampler looked. ``lines`` is where most samples of a function are;
    ``below`` the library function that was at work most often for it.
    """

    functions: tuple[Function, ...]
    own: NDArray[np.float64]
    subtree: NDArray[np.float64]
    totals: NDArray[np.float64]
    ticks: int
    period_s: float
    lines: dict[Function, int]
    below: dict[Function, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """What one stack says."""

    function: Function | None
    line: int
    below: str
    on_stack: frozenset[Function]


def count_samples(stacks: Stacks) -> Samples:
    """What the stacks of one file say of each function."""
    columns: dict[Function, int] = {}
    places: list[list[tuple[_Place, int]]] = []
    lines: dict[Function, Counter[int]] = {}
    below: dict[Function, Counter[str]] = {}
    for thread in stacks.threads:
        of_thread = list(_place_thread(stacks.frames, thread))
        places.append(of_thread)
        for place, _ in of_thread:
            for function in place.on_stack:
                columns.setdefault(function, len(columns))
            if place.function:
                lines.setdefault(place.function, Counter())[place.line] += 1
                below.setdefault(place.function, Counter())[place.below] += 1
    own, subtree = np.zeros((BLOCKS, len(columns))), np.zeros((BLOCKS, len(columns)))
    totals = np.zeros(BLOCKS)
    for of_thread in places:
        for place, block in of_thread:
            totals[block] += 1
            if place.function:
                own[block, columns[place.function]] += 1
            for function in place.on_stack:
                subtree[block, columns[function]] += 1
    return Samples(
        functions=tuple(columns),
        own=own,
        subtree=subtree,
        totals=totals,
        ticks=max(map(len, stacks.threads), default=0),
        period_s=stacks.period_s,
        lines={function: counts.most_common(1)[0][0] for function, counts in lines.items()},
        below={function: counts.most_common(1)[0][0] for function, counts in below.items()},
    )


def _place_thread(frames: Sequence[Frame], thread: Sequence[Stack]) -> Iterator[tuple[_Place, int]]:
    """Of each sample what it says, and its block."""
    entries = _find_entries(frames, thread)
    known: dict[Stack, _Place] = {}
    for number, stack in enumerate(thread):
        if stack not in known:
            known[stack] = _place(frames, stack, entries)
        yield known[stack], number * BLOCKS // len(thread)


def _place(frames: Sequence[Frame], stack: Stack, entries: frozenset[Function]) -> _Place:
    at_work = [(function_of(frames[place]), frames[place].line) for place in stack if frames[place].file]
    if not at_work:
        return _Place(function=None, line=0, below="", on_stack=frozenset())
    leaf, line = at_work[-1]
    mine = [each for each in at_work if not each[0].is_library]
    if mine and not (leaf.is_library and mine[-1][0] in entries):
        function, line = mine[-1]
    else:
        function = leaf
    below = f"{leaf.name} ({leaf.short_file})" if leaf != function else ""
    on_stack = frozenset(function for function, _ in at_work)
    return _Place(function=function, line=line, below=below, on_stack=on_stack)


def function_of(frame: Frame) -> Function:
    """A lambda or a generator counts for the function that it is written in."""
    return Function(file=frame.file, name=_INSIDE.sub("", frame.name) or frame.name)


def _find_entries(frames: Sequence[Frame], thread: Sequence[Stack]) -> frozenset[Function]:
    """The own functions that started what the thread does: before any library, and on nearly all stacks."""
    counts: Counter[Function] = Counter()
    for stack, times in Counter(thread).items():
        for function in set(_take_own(function_of(frames[place]) for place in stack if frames[place].file)):
            counts[function] += times
    return frozenset(each for each, times in counts.items() if times >= _MIN_ENTRY * len(thread))


def _take_own(functions: Iterable[Function]) -> Iterator[Function]:
    """The own functions at the beginning of a stack, before the first library that they call."""
    for function in functions:
        if not function.is_library:
            yield function
        elif not function.file.startswith("<"):  # runpy is frozen into Python
            return
