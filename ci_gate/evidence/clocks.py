"""clock.jsonl of a worker on another machine: how far its clocks are from the master's, by round trips.

A worker's files have its own time, and are read as the master's: by the exchange that took the shortest. The
truth lies within half of what that took. Where a later exchange says otherwise, because a clock runs faster
or was set, the uncertainty is as large as what it contradicts.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from ci_gate.evidence.ranges import Moment, Span
from ci_gate.evidence.readings import Mark, Reading, StrictValue
from ci_gate.evidence.strict_json import read_lines

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

CLOCK_FILE: Final = "clock.jsonl"
_T = TypeVar("_T", Mark, Reading)


class ClockReading(StrictValue, frozen=True):
    """Both clocks of both machines in the middle of one round trip."""

    wall_s: Moment
    monotonic_s: Moment
    master_wall_s: Moment
    master_monotonic_s: Moment
    round_trip_s: Span


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be added to a worker's time to have the master's, and how wrong that may be.

    ``silence_s`` is the longest time in which no round trip came about: there is one a second.
    """

    offset_s: float
    monotonic_offset_s: float
    uncertainty_s: float
    silence_s: float = 0.0

    def shift_samples(self, samples: NDArray[np.void]) -> None:
        """Give these rows the master's time."""
        for field in ("start_s", "intended_s"):
            samples[field] += self.offset_s * (samples[field] > 0)  # 0: of a row that was never written

    def shift(self, moments: tuple[_T, ...]) -> tuple[_T, ...]:
        """The same with the master's time."""
        return tuple(
            msgspec.structs.replace(
                each,
                wall_s=max(each.wall_s + self.offset_s, 0.0),
                monotonic_s=max(each.monotonic_s + self.monotonic_offset_s, 0.0),
            )
            for each in moments
        )


def read_clock(folder: Path) -> Clock | None:
    """Of the worker with this folder. None where it has no file: it ran on the master's machine."""
    readings = read_lines(folder / CLOCK_FILE, ClockReading)
    return find_clock(readings) if readings else None


def find_clock(readings: tuple[ClockReading, ...]) -> Clock:
    """What one round trip or more show."""
    best = min(readings, key=lambda each: each.round_trip_s)
    offset_s = best.master_wall_s - best.wall_s
    contradicted_s = max(
        abs(each.master_wall_s - each.wall_s - offset_s) - each.round_trip_s / 2 for each in readings
    )
    return Clock(
        offset_s=offset_s,
        monotonic_offset_s=best.master_monotonic_s - best.monotonic_s,
        uncertainty_s=max(best.round_trip_s / 2, contradicted_s),
        silence_s=max(
            (later.monotonic_s - each.monotonic_s for each, later in itertools.pairwise(readings)),
            default=0.0,
        ),
    )
