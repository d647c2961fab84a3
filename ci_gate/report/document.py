"""Markdown that fits: rows and lines are left out in a defined order, whole, and what is missing counted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import groupby
from typing import Final, TypeVar

from tabulate import tabulate

from ci_gate.wording import count

_RESERVE_BYTES: Final = 2_000
"""For what stands around the pieces: folds that open and close, and the words about what was left out."""
_OVERHEAD_BYTES: Final = 120
"""Of one piece: its share of a fold, empty lines, the count of what is missing from it."""
_T = TypeVar("_T")

_MAX_ROWS: Final = 3_000  # no limit of GitHub's has room for more


class Rank(IntEnum):
    """The order in which detail is left out, the last first."""

    TABLE = 0
    REASONS = 1
    CHANGES = 2
    LIMITS = 3
    FINDINGS = 4
    ENDPOINTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Items that can be left out from the end, such as the rows of one table.

    ``fold`` is the summary (HTML) under which it is folded, empty for what is always open. Of pieces that do
    not all fit, those of the highest ``rank`` are shortened first. ``noun`` names one item. ``hidden`` items
    are so far beyond any size that they are only counted.
    """

    items: tuple[str, ...]
    noun: str
    rank: Rank
    head: str = ""
    fold: str = ""
    hidden: int = 0

    def render(self, kept: int) -> str:
        lines = [*([self.head] if self.head else []), *self.items[:kept]]
        missing = len(self.items) + self.hidden - kept
        more = f"\n\n*… and {count(missing, f'more {self.noun}')}.*" if missing else ""
        return "\n".join(lines) + more


def render_within(opening: str, pieces: Sequence[Piece], closing: str, max_bytes: int) -> str:
    """The whole Markdown in at most ``max_bytes`` of UTF-8, where opening and closing are well below that."""
    kept = _fit(pieces, max_bytes - _size(opening) - _size(closing) - _RESERVE_BYTES)
    shown = [(piece, number) for piece, number in zip(pieces, kept, strict=True) if number]
    parts = [opening]
    for fold, group in groupby(shown, key=lambda pair: pair[0].fold):
        body = "\n\n".join(piece.render(number) for piece, number in group)
        parts.append(f"<details><summary>{fold}</summary>\n\n{body}\n\n</details>" if fold else body)
    missing = _count_missing(pieces, kept)
    parts += [f"*Left out to fit: {missing}. The run's artifact has everything.*"] if missing else []
    return "\n\n".join([*parts, *([closing] if closing else [])]) + "\n"


def make_table(
    headers: tuple[str, ...], rows: Iterable[tuple[str, ...]], alignment: str, *, noun: str, rank: Rank
) -> Piece:
    """A pipe table; an item is a row. ``alignment`` is an l or an r for each column.

    Cells must be escaped already. Without the padding of tabulate, so that a long name in one row does not
    make every row long.
    """
    cells = list(rows)
    if not cells:
        return Piece(items=(), noun=noun, rank=rank)
    ways = ["right" if way == "r" else "left" for way in alignment]
    shown = cells[:_MAX_ROWS]
    text = tabulate(shown, headers=headers, tablefmt="pipe", disable_numparse=True, colalign=ways)
    head, rule, *lines = re.sub(r" {2,}", " ", text).split("\n")
    head = f"{head}\n{re.sub(r'-{3,}', '---', rule)}"
    return Piece(items=tuple(lines), noun=noun, rank=rank, head=head, hidden=len(cells) - len(shown))


def make_list(items: Sequence[_T], show: Callable[[_T], str], *, noun: str, rank: Rank) -> Piece:
    """A list with a line for each item; ``show`` makes its Markdown."""
    lines = tuple(f"- {show(item)}" for item in items[:_MAX_ROWS])
    return Piece(items=lines, noun=noun, rank=rank, hidden=len(items) - len(lines))


def _fit(pieces: Sequence[Piece], budget: int) -> list[int]:
    """How many items of each piece fit."""
    kept = [len(piece.items) for piece in pieces]
    total = sum(_size(piece.render(len(piece.items))) + _OVERHEAD_BYTES for piece in pieces if piece.items)
    for index in sorted(range(len(pieces)), key=lambda index: (-pieces[index].rank, -index)):
        piece = pieces[index]
        while total > budget and kept[index]:
            kept[index] -= 1
            total -= _size(piece.items[kept[index]]) + 1
            total -= 0 if kept[index] else _size(piece.head) + _OVERHEAD_BYTES
    return kept


def _count_missing(pieces: Sequence[Piece], kept: Sequence[int]) -> str:
    missing: dict[str, int] = {}
    for piece, number in zip(pieces, kept, strict=True):
        left_out = len(piece.items) + piece.hidden - number
        if left_out:
            missing[piece.noun] = missing.get(piece.noun, 0) + left_out
    return ", ".join(count(number, noun) for noun, number in missing.items())


def _size(text: str) -> int:
    return len(text.encode())
