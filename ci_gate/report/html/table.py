"""A table as data; ``{{ parts.table(table) }}`` shows it, and its head sorts it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """``is_number``: aligned right, and sorted by size."""

    title: str
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """``key`` is what a column of numbers sorts by; None (nothing measured) comes last either way.

    ``kind`` is a class of report.css: ``code`` for a name, or an outcome in lower case, which brings its
    symbol. ``href`` makes it a link. ``meter``, an outcome of a limit, draws ``key`` as its used share.
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
