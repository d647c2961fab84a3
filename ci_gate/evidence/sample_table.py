"""samples.bin as numpy reads it: a table with a row for each request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ci_gate.errors import EvidenceError
from ci_gate.evidence.ranges import MAX_SPAN_MS, MAX_TIME_S
from ci_gate.evidence.samples import ENDED_DAMAGED, ENDED_UNREPORTED, MAGIC

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

SAMPLE_DTYPE: Final = np.dtype(
    [
        ("start_s", "<f8"),  # Unix time at which the request was sent, as Locust took it
        ("intended_s", "<f8"),  # when it should have been sent; equals start_s in a closed workload
        ("response_ms", "<f8"),  # as Locust measured it, neither rounded nor bucketed
        ("bytes", "<u8"),
        ("endpoint", "<u4"),  # id of "METHOD name"
        ("error", "<u4"),  # id of the error text; 0 is none
        ("body_crc", "<u4"),  # CRC-32 of the first BODY_PREFIX bytes of the body; 0 for no body
        ("user_class", "<u2"),  # id of the class name; 0 is unknown
        ("status", "<u2"),  # HTTP status; 0 no reply; NOT_HTTP where the client has none
        ("flags", "<u1"),  # FLAG_* bits
        ("ending", "<u1"),  # one of the ENDED_* values, never 0: written last, it says that the row is whole
    ]
)
_MAX_BYTES: Final = 8 * 1024**3
_SHORT: Final = 2**16
_PART: Final = 2**20  # rows that are counted at a time


def read_samples(path: Path, *, first_row: int = 0, count: int | None = None) -> NDArray[np.void]:
    """The rows from ``first_row`` on, of a file that may still grow; impossible ones as ENDED_DAMAGED.

    All of them, or ``count`` that are known to be there. Raises EvidenceError where the file is missing or of
    another version.
    """
    if count is None:
        count = max(count_rows(path) - first_row, 0)
    try:
        with path.open("rb") as file:
            magic = file.read(len(MAGIC))
            if magic and magic != MAGIC:  # empty: its writer got no room for a single block
                raise EvidenceError(f"{path} is no file of samples of this version")
            file.seek(len(MAGIC) + first_row * SAMPLE_DTYPE.itemsize)
            samples = np.fromfile(file, dtype=SAMPLE_DTYPE, count=count)
    except OSError as error:
        raise EvidenceError(f"{path}: {error.strerror}") from error
    set_aside(samples, _find_impossible(samples))
    return samples


def count_rows(path: Path) -> int:
    """How many rows `read_samples` has of a file. Raises EvidenceError where it cannot be read."""
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise EvidenceError(f"{path} is larger than {_MAX_BYTES} bytes")
        rows = max(size - len(MAGIC), 0) // SAMPLE_DTYPE.itemsize
        with path.open("rb") as file:
            for last in range(rows, 0, -_SHORT):  # from its end: behind the last one is only reserved space
                first = max(last - _SHORT, 0)
                file.seek(len(MAGIC) + first * SAMPLE_DTYPE.itemsize)
                whole = np.flatnonzero(np.fromfile(file, dtype=SAMPLE_DTYPE, count=last - first)["ending"])
                if whole.size:
                    return first + int(whole[-1]) + 1
    except OSError as error:
        raise EvidenceError(f"{path}: {error.strerror}") from error
    return 0


def _find_impossible(samples: NDArray[np.void]) -> NDArray[np.bool_]:
    impossible: NDArray[np.bool_] = (samples["ending"] == 0) | (samples["ending"] > ENDED_UNREPORTED)
    for name, most in (("start_s", MAX_TIME_S), ("intended_s", MAX_TIME_S), ("response_ms", MAX_SPAN_MS)):
        impossible |= ~(
            (samples[name] >= 0) & (samples[name] <= most)
        )  # neither is true of what is no number
    return impossible


def set_aside(samples: NDArray[np.void], rows: NDArray[np.bool_]) -> None:
    """Replace ``rows`` by such as say only that there was one, so that one bad row condemns no other."""
    if rows.any():
        samples[rows] = np.zeros((), dtype=SAMPLE_DTYPE)
        samples["ending"][rows] = ENDED_DAMAGED


def set_unnamed_aside(samples: NDArray[np.void], texts: int) -> NDArray[np.void]:
    """The rows, with those set aside that name a text which there is not among so many."""
    for field in ("endpoint", "error", "user_class"):
        set_aside(samples, samples[field] >= texts)
    return samples


def count_ids(column: NDArray[np.unsignedinteger]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The ids in a column, ascending, and how often each occurs; by counting, far faster than by sorting."""
    counts = count_numbers(column)
    ids = np.flatnonzero(counts)
    return ids, counts[ids]


def count_numbers(column: NDArray[np.integer], least: int = 0) -> NDArray[np.intp]:
    """How often each number from 0 on occurs, of ``least`` numbers at least."""
    counts = np.zeros(least, dtype=np.intp)
    for first in range(0, len(column), _PART):  # it widens each number, and there may be millions
        more = np.bincount(column[first : first + _PART], minlength=len(counts))
        more[: len(counts)] += counts
        counts = more
    return counts


def group_rows(column: NDArray[np.integer]) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Each id in a column, ascending, with the places where it stands, ascending.

    Sorted once for all ids: a mask for each takes the square of the time where each request has its own.
    """
    if not column.size:
        return
    # Of numbers this short the sort counts digits and compares nothing.
    short = column.astype(np.uint16) if column.max() < _SHORT else column
    order = np.argsort(short, kind="stable")
    ordered = column[order]
    for rows in np.split(order, np.flatnonzero(ordered[1:] != ordered[:-1]) + 1):
        yield int(column[rows[0]]), rows
