"""Which function each sampled stack counts for, and in which it lies.

A library is called by somebody: its cost counts for the deepest function of the service's own code that is on
the stack, and for the library's own function only where there is none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from ci_gate.evidence.stacks import Frame, Stack, Stacks

BLOCKS: Final = 24
"""Separate batches behind a standard error: 10 to 30 do (Schmeiser 1982, Operations Research 30:556)."""
_MIN_ENTRY: Final = 0.98
"""Of a thread's samples: what is on so many of its stacks started it, and does not decide what they cost."""
_MIN_WHOLE: Final = 0.9
"""Of a thread's samples: where so many begin alike, the others are torn."""
_LIBRARY: Final = re.compile(
    r"(^|/)(site-packages|dist-packages|lib(64)?/python\d[^/]*|s?bin|node_modules)/|^[<\[]|^$|^node:|\.so[\d.]*$"
)
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
    ``below`` the library function that was at work most often for it. ``always`` are own functions in which a
    thread was all the time: it waits there for work, and not for what a request needs.
    """

    functions: tuple[Function, ...]
    own: NDArray[np.float64]
    subtree: NDArray[np.float64]
    totals: NDArray[np.float64]
    ticks: int
    period_s: float
    lines: dict[Function, int]
    below: dict[Function, str]
    always: frozenset[Function]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """What one stack says; functions by their number. ``owner`` is None where no code is on it."""

    owner: int | None
    line: int
    below: int | None
    on_stack: frozenset[int]


class _Code:
    """The functions of all frames, each with a number: hundreds of thousands of stacks are made of few."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        numbers: dict[Function, int] = {}
        found = [function_of(frame) if frame.file else None for frame in frames]
        self.lines = [frame.line for frame in frames]
        self.of_frame = [None if each is None else numbers.setdefault(each, len(numbers)) for each in found]
        self.functions = tuple(numbers)
        self.is_library = [each.is_library for each in self.functions]
        self.is_frozen = [each.file.startswith("<") for each in self.functions]

    def place(self, stack: Stack, entries: frozenset[int]) -> _Place:
        """What this stack says."""
        at_work = [(number, frame) for frame in stack if (number := self.of_frame[frame]) is not None]
        if not at_work:
            return _Place(owner=None, line=0, below=None, on_stack=frozenset())
        owner, at = at_work[-1]
        leaf = owner
        mine = next((each for each in reversed(at_work) if not self.is_library[each[0]]), None)
        if mine and not (self.is_library[leaf] and mine[0] in entries):
            owner, at = mine
        return _Place(
            owner=owner,
            line=self.lines[at],
            below=leaf if leaf != owner else None,
            on_stack=frozenset(number for number, _ in at_work),
        )

    def keep_whole(self, thread: Counter[Stack]) -> Counter[Stack]:
        """The stacks that begin where nearly all do: a generator has no caller while it is entered."""
        alike: dict[int | None, Counter[Stack]] = {}
        for stack, times in thread.items():
            first = next((number for frame in stack if (number := self.of_frame[frame]) is not None), None)
            alike.setdefault(first, Counter())[stack] = times
        least = _MIN_WHOLE * thread.total()
        return next((stacks for stacks in alike.values() if stacks.total() >= least), thread)

    def find_entries(self, thread: Counter[Stack]) -> frozenset[int]:
        """What started the thread: own functions before any library, and on nearly all of its stacks."""
        return self._find_steady(thread, self._take_own)

    def find_always(self, thread: Counter[Stack]) -> frozenset[int]:
        """Own functions that are on nearly all of the thread's stacks, wherever."""
        return self._find_steady(
            thread,
            lambda stack: (
                number
                for number in (self.of_frame[frame] for frame in stack)
                if number is not None and not self.is_library[number]
            ),
        )

    def _find_steady(self, thread: Counter[Stack], take: Callable[[Stack], Iterable[int]]) -> frozenset[int]:
        counts: Counter[int] = Counter()
        for stack, times in thread.items():
            for number in set(take(stack)):
                counts[number] += times
        least = _MIN_ENTRY * thread.total()
        return frozenset(each for each, times in counts.items() if times >= least)

    def _take_own(self, stack: Stack) -> Iterator[int]:
        """The own functions at the beginning of a stack, before the first library that they call."""
        for frame in stack:
            number = self.of_frame[frame]
            if number is not None and not self.is_library[number]:
                yield number
            elif number is not None and not self.is_frozen[number]:  # runpy is frozen into Python
                return


def count_samples(stacks: Stacks) -> Samples:
    """What the stacks of one file say of each function."""
    code = _Code(stacks.frames)
    own, subtree = (np.zeros((BLOCKS, len(code.functions))) for _ in range(2))
    totals = np.zeros(BLOCKS)
    lines: dict[int, Counter[int]] = {}
    below: dict[int, Counter[int | None]] = {}
    always: set[int] = set()
    for thread in stacks.threads:
        whole = code.keep_whole(Counter(thread))
        entries = code.find_entries(whole)
        if len(thread) >= _MIN_ENTRY * stacks.ticks:
            always |= code.find_always(whole)
        known: dict[Stack, _Place] = {}
        for number, stack in enumerate(thread):
            block = number * BLOCKS // len(thread)
            place = known.get(stack) or known.setdefault(stack, code.place(stack, entries))
            totals[block] += 1
            subtree[block, list(place.on_stack)] += 1
            if place.owner is not None:
                own[block, place.owner] += 1
                lines.setdefault(place.owner, Counter())[place.line] += 1
                below.setdefault(place.owner, Counter())[place.below] += 1
    return Samples(
        functions=code.functions,
        own=own,
        subtree=subtree,
        totals=totals,
        ticks=stacks.ticks,
        period_s=stacks.period_s,
        lines={code.functions[each]: _most(counts) for each, counts in lines.items()},
        below={code.functions[each]: _describe(code, _most(counts)) for each, counts in below.items()},
        always=frozenset(code.functions[each] for each in always),
    )


_T = TypeVar("_T")


def _most(counts: Counter[_T]) -> _T:
    return counts.most_common(1)[0][0]


def _describe(code: _Code, number: int | None) -> str:
    if number is None:
        return ""
    return f"{code.functions[number].name} ({code.functions[number].short_file})"


def function_of(frame: Frame) -> Function:
    """A lambda or a generator counts for the function that it is written in."""
    return Function(file=frame.file, name=_INSIDE.sub("", frame.name) or frame.name)
