"""A table as data; ``{{ parts.table(table) }}`` shows it, and its head sorts it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ci_gate.judge.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """``is_number``: aligned right, and sorted by size."""

    title: str
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """``key`` is what a column of numbers sorts by; None (nothing measured) comes last either way.

    ``kind`` is a class of report.css, such as ``code`` for a name. ``href`` makes it a link. ``meter``, an
    outcome in lower case, draws ``key`` as its used share.
    """

    text: str
    key: float | None = None
    kind: str = ""
    href: str = ""
    meter: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """``caption`` names it for everyone; every row has a cell for each column, the first names the row."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    pinned: int = 0  # rows at the top that stay there, such as a total


def make_outcome_cell(outcome: Outcome, words: Mapping[Outcome, str] | None = None) -> Cell:
    """The outcome, or the word for it, with the symbol and colour of its class in report.css."""
    return Cell(words[outcome] if words else outcome, kind=f"outcome {outcome.lower()}")
