"""The requests of one recording, by one process of Locust or several, as one table."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from ci_gate.evidence.clocks import read_clock
from ci_gate.evidence.sample_table import (
    SAMPLE_DTYPE,
    count_ids,
    count_rows,
    read_samples,
    set_unnamed_aside,
)
from ci_gate.evidence.steady_rows import find_due, find_steady_bounds
from ci_gate.evidence.strict_json import read_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ci_gate.evidence.readings import Mark

_AT_ONCE = 2**18  # rows of a file: memory so small is used again, and is still in the processor's cache
_WHOLE = np.dtype((np.void, SAMPLE_DTYPE.itemsize))  # a row is copied as one, seven times as fast

Requests = tuple["NDArray[np.void]", tuple[str, ...]]
"""Rows of SAMPLE_DTYPE, and the texts that they name by number."""


def read_requests(folders: Sequence[Path], marks: Iterable[Mark]) -> Requests:
    """The requests in all folders, in the order in which they ended; those due in the steady phase together.

    Raises EvidenceError where a file is not what we write.
    """
    if len(folders) == 1:
        ((samples, strings),) = _read_parts(folders[0], None)
    else:
        parts = [functools.partial(_read_parts, folder, _AT_ONCE) for folder in folders]
        samples, strings = merge_samples(parts)
    bring_together(samples, find_due(samples, find_steady_bounds(marks, samples)))
    return samples, strings


def _read_parts(folder: Path, at_once: int | None) -> Iterator[Requests]:
    """What a folder has, by so many rows; as a whole where ``at_once`` is None."""
    path = folder / "samples.bin"
    rows = count_rows(path)
    strings = read_lines(folder / "strings.jsonl", str) or ("",)  # after the rows that name them
    clock = read_clock(folder)
    step = at_once or rows or 1
    for first in range(0, max(rows, 1), step):  # an empty file is looked at too
        samples = read_samples(path, first_row=first, count=min(step, rows - first))
        if clock:
            clock.shift_samples(samples)
        yield set_unnamed_aside(samples, len(strings)), strings


def merge_samples(parts: Sequence[Callable[[], Iterable[Requests]]]) -> Requests:
    """The rows of all files in the order in which they were written, and their texts, each once.

    Each of ``parts`` reads a file piece by piece, and is called twice: of millions of rows only a piece is in
    memory beside the rows of all. What a file has more by then is left out.
    """
    ids: dict[str, int] = {"": 0}
    counts, ends_s = [], [np.zeros(0)]
    for part in parts:
        counts.append(0)
        for rows, strings in part():
            for number in count_ids(rows["user_class"])[0].tolist():
                ids.setdefault(strings[number], len(ids))  # first: there is little room for these in a row
            counts[-1] += len(rows)
            ends_s.append(rows["start_s"] + rows["response_ms"] / 1000)
    order = np.argsort(np.concatenate(ends_s), kind="stable")
    places = np.empty(len(order), dtype=np.uint32)
    places[order] = np.arange(len(order), dtype=np.uint32)
    del order, ends_s
    samples = np.zeros(len(places), dtype=SAMPLE_DTYPE)
    first = 0
    for part, count in zip(parts, counts, strict=True):
        last = first + count
        for rows, strings in part():
            _place(rows[: last - first], strings, ids, samples, places[first:last])
            first = min(first + len(rows), last)
        first = last
    return samples, tuple(ids)


def _place(
    rows: NDArray[np.void],
    strings: tuple[str, ...],
    ids: dict[str, int],
    samples: NDArray[np.void],
    places: NDArray[np.uint32],
) -> None:
    """Put rows of a file at the first of ``places``, with the numbers that ``ids`` has for their texts."""
    numbers = np.array([ids.setdefault(text, len(ids)) for text in strings], dtype=np.uint32)
    for field in ("endpoint", "error", "user_class"):
        rows[field] = numbers[rows[field]]
    samples.view(_WHOLE)[places[: len(rows)]] = rows.view(_WHOLE)


def bring_together(samples: NDArray[np.void], rows: NDArray[np.bool_]) -> None:
    """Move ``rows`` to places next to each other; apart from that all stays in its order.

    Of millions of samples a part that stands together takes no memory of its own. The others are few: of
    requests that were under way when the phase began or ended.
    """
    places = np.flatnonzero(rows)
    if not places.size or places[-1] - places[0] + 1 == places.size:
        return
    first, last = int(places[0]), int(places[-1]) + 1
    middle = (first + last) // 2
    others = np.flatnonzero(~rows[first:last]) + first
    if (before := others[others < middle]).size:
        _put_first(samples[first : before[-1] + 1], ~rows[first : before[-1] + 1])
    if (behind := others[others >= middle]).size:
        _put_first(samples[behind[0] : last], rows[behind[0] : last])


def _put_first(samples: NDArray[np.void], rows: NDArray[np.bool_]) -> None:
    samples[:] = np.concatenate([samples[rows], samples[~rows]])
