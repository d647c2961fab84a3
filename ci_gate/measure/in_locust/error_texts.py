"""What went wrong, in few and short texts: a locustfile may put the whole reply into each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from ci_gate.evidence.readings import ErrorCount
from ci_gate.evidence.samples import storable
from ci_gate.measure.in_locust.odd_events import show_error

MAX_TEXTS: Final = 1_000
OTHER_ERRORS: Final = "(other errors)"
_KEPT_COUNTS: Final = 100


class ErrorTexts:
    """Shortens texts, and takes all that are new after the first MAX_TEXTS for one."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def shorten(self, text: str) -> str:
        """``text`` as evidence keeps it, or OTHER_ERRORS."""
        short = storable(text)
        if short not in self._known:
            if len(self._known) >= MAX_TEXTS:
                return OTHER_ERRORS
            self._known.add(short)
        return short


class ErrorCounts:
    """How often something went wrong, by its subject and text; every time is counted."""

    def __init__(self, clean: Callable[[str], str]) -> None:
        self._clean = clean
        self._texts = ErrorTexts()
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, subject: str, error: object) -> None:
        # Cleaned before it is cut: half a secret would not be known again.
        self._counts[subject, self._texts.shorten(self._clean(show_error(error)))] += 1

    def totals(self) -> tuple[ErrorCount, ...]:
        """The most frequent; what is left is one OTHER_ERRORS for each subject."""
        named = [pair for pair in self._counts.most_common() if pair[0][1] != OTHER_ERRORS][:_KEPT_COUNTS]
        rest: Counter[str] = Counter()
        for (subject, _), count in self._counts.items():
            rest[subject] += count
        for (subject, _), count in named:
            rest[subject] -= count
        counts = [*named, *(((subject, OTHER_ERRORS), count) for subject, count in rest.items() if count)]
        return tuple(
            ErrorCount(subject=subject, error=text, count=count) for (subject, text), count in counts
        )
