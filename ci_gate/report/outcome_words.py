"""Outcomes as people read them: one table for words, one for the symbols of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from ci_gate.judge.outcome import WORST_FIRST, Outcome

WORDS: Final[Mapping[Outcome, str]] = {
    Outcome.PASS: "kept",
    Outcome.INCONCLUSIVE: "unclear",
    Outcome.INVALID: "not proven",
    Outcome.FAIL: "broken",
}
"""What became of a limit or a tolerance, or of all limits under one load."""

SYMBOLS: Final[Mapping[Outcome, str]] = {
    Outcome.PASS: "✅",
    Outcome.INCONCLUSIVE: "❓",
    Outcome.INVALID: "🚫",
    Outcome.FAIL: "❌",
}
"""Coloured, so that they are seen on a light and on a dark page."""

MARKS: Final[Mapping[Outcome, str]] = {
    Outcome.PASS: "✓",
    Outcome.INCONCLUSIVE: "?",
    Outcome.INVALID: "!",
    Outcome.FAIL: "✗",
}
"""For a terminal."""


def count_outcomes(outcomes: Iterable[Outcome], words: Mapping[Outcome, str] | None = None) -> str:
    """``1 FAIL, 3 PASS``, or with ``words`` for them; the worst first, empty for none."""
    every = list(outcomes)
    return ", ".join(
        f"{every.count(each)} {words[each] if words else each}" for each in WORST_FIRST if each in every
    )
