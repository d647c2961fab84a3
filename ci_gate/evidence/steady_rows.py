"""Where the steady phase is among the rows of a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ci_gate.evidence.ranges import MAX_RECORDING_S

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from ci_gate.evidence.readings import Mark


def find_steady_bounds(marks: Iterable[Mark], samples: NDArray[np.void]) -> tuple[float, float]:
    """Begin and end of the steady phase in Unix seconds, both infinite where it never began.

    That of a run that was cut off ends with its last sample.
    """
    times_s = {mark.name: mark.wall_s for mark in reversed(tuple(marks))}
    if "steady" not in times_s:
        return np.inf, np.inf
    begin_s = times_s["steady"]
    last_s = float(samples["start_s"].max()) if samples.size else 0.0
    end_s = times_s.get("stopping", max(last_s, begin_s))
    return begin_s, min(end_s, begin_s + MAX_RECORDING_S)


def find_due(samples: NDArray[np.void], bounds_s: tuple[float, float]) -> NDArray[np.bool_]:
    """A mask of the samples that were due within these bounds, the end not included."""
    due_s = samples["intended_s"]
    rows: NDArray[np.bool_] = (due_s >= bounds_s[0]) & (due_s < bounds_s[1])
    return rows


def select(rows: NDArray[np.bool_]) -> slice | NDArray[np.bool_]:
    """What takes ``rows`` out of an array: a slice where they stand together, which copies nothing."""
    count = int(np.count_nonzero(rows))
    first = int(rows.argmax()) if count else 0
    return slice(first, first + count) if rows[first : first + count].all() else rows
