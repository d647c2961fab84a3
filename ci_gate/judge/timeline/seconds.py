"""What happened in each second of a recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from ci_gate.evidence.ranges import MAX_RECORDING_S
from ci_gate.evidence.recording import Recording
from ci_gate.evidence.sample_table import count_numbers, group_rows

_PARTS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Seconds:
    """``count`` seconds from the Unix time ``begin_s`` on; what lies outside is in none of them."""

    begin_s: float
    count: int

    @classmethod
    def of(cls, recording: Recording) -> Self:
        """From its mark ``started`` to whatever came last."""
        times_s = [
            *(mark.wall_s for mark in recording.marks),
            *(reading.wall_s for reading in recording.readings),
        ]
        if recording.samples.size:
            due_s = recording.samples["intended_s"]
            times_s += [float(due_s.min()), float(due_s.max())]
        started = recording.mark("started")
        begin_s = started.wall_s if started else min(times_s, default=0.0)
        lasted_s = max(times_s, default=begin_s) - begin_s
        return cls(begin_s=begin_s, count=int(min(np.ceil(lasted_s), MAX_RECORDING_S)))

    def index(self, times_s: NDArray[np.float64]) -> NDArray[np.int32]:
        """The second of each time; -1 for none."""
        second = times_s - self.begin_s  # and from here on in place: there may be millions
        np.floor(second, out=second)
        second[(second < 0) | (second >= self.count)] = -1
        return second.astype(np.int32)

    def counts(self, index: NDArray[np.int32]) -> NDArray[np.float64]:
        """How many of ``index`` are each second."""
        return count_numbers(index[index >= 0], self.count).astype(np.float64)

    def quantiles(
        self, index: NDArray[np.int32], values: NDArray[np.float64], quantiles: Sequence[float]
    ) -> NDArray[np.float64]:
        """A row per quantile with its value in each second, NaN in one without values.

        By linear interpolation, as `compute_quantile`.
        """
        found = np.full((len(quantiles), self.count), np.nan)
        step = -(-self.count // _PARTS) or 1
        for first in range(0, self.count, step):  # so many at a time, for there may be millions of rows
            rows = np.flatnonzero((index >= first) & (index < first + step))
            for second, own in group_rows(index[rows]):
                found[:, second] = np.quantile(values[rows[own]], quantiles)
        return found

    def place(self, times_s: Sequence[float], values: Sequence[float | None]) -> NDArray[np.float64] | None:
        """The greatest reading of each second; each tells of the second before its time.

        Readings come a little late or early, so a single second without one takes that of the second before;
        NaN in others. None where there is no value at all.
        """
        pairs = [(at, value) for at, value in zip(times_s, values, strict=True) if value is not None]
        if not pairs or not self.count:
            return None
        at, known = np.array(pairs, dtype=np.float64).T
        index = self.index(np.nextafter(at, -np.inf))
        placed = np.full(self.count, np.nan)
        np.fmax.at(placed, index[index >= 0], known[index >= 0])
        holes = np.flatnonzero(np.isnan(placed[1:])) + 1
        placed[holes] = placed.copy()[holes - 1]
        return placed


def decimate(values: NDArray[np.float64], span_s: int) -> NDArray[np.float64]:
    """Of each ``span_s`` seconds the least and the greatest, in the order in which they came."""
    if span_s == 1:
        return values
    rows = np.pad(values, (0, -len(values) % span_s), constant_values=np.nan).reshape(-1, span_s)
    unknown = np.isnan(rows)
    least = np.where(unknown, np.inf, rows).argmin(axis=1)
    greatest = np.where(unknown, -np.inf, rows).argmax(axis=1)
    picked = np.sort(np.stack([least, greatest], axis=1), axis=1)
    return np.take_along_axis(rows, picked, axis=1).ravel()


def rate_of(at: Sequence[float], values: Sequence[float | None]) -> list[float | None]:
    """By how much a counter grew per second since the reading before; None where it began anew."""
    known = np.array([np.nan if value is None else value for value in values])
    passed_s = np.maximum(np.diff(at), 1e-3)
    return [None, *(each if each >= 0 else None for each in (np.diff(known) / passed_s).tolist())][: len(at)]
