"""How much two starts of one version differ: what no comparison of one start can know."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from ci_gate.judge.foreign import find_foreign
from ci_gate.judge.steady import ClassifiedRecording
from ci_gate.thresholds import CPU, MEMORY, RATE, Compare, Metric

_Pair = tuple[float, float]
_MEDIAN: Final[_Pair] = (0.040, 0.062)
_TAIL: Final[_Pair] = (0.042, 0.080)
_OTHERS: Final[dict[Metric, _Pair]] = {CPU: (0.019, 0.023), RATE: (0.006, 0.006), MEMORY: (0.01, 0.01)}
"""Root mean square of ln(head / base) of equal versions, each from fresh starts: on a quiet machine, and
where others use `_BUSY` of it (docs/comparison.md). The error within a start is in them, too."""

_BUSY: Final = 0.5  # of all cores
_MIDDLE: Final = 0.5


def choose_scatter(metric: Metric, settings: Compare, taken: float | None) -> float:
    """The standard deviation of what two starts of one version differ by, on the scale of the effects.

    It is what thresholds.yaml says; else what was measured on a machine of which others had the share
    ``taken``: the variance grows with that, and is a busy machine's where it is not known. 0 for what counts
    the work that was asked for, such as failures and statements.
    """
    written = dict(settings.scatter).get(metric)
    if written is not None:
        return written  # of changes as ratios, which scatter a little more than their logarithms
    quiet, busy = _find_measured(metric)
    part = 1.0 if taken is None else min(max(taken / _BUSY, 0.0), 1.0)
    return math.sqrt(quiet**2 + (busy**2 - quiet**2) * part)


def _find_measured(metric: Metric) -> _Pair:
    if metric.quantile is None:
        return _OTHERS.get(metric, (0.0, 0.0))
    return _MEDIAN if metric.quantile <= _MIDDLE else _TAIL


def find_taken(recordings: Iterable[ClassifiedRecording]) -> float | None:
    """The share of all cores that others had in the steady phase, the most of all recordings.

    None where one does not know.
    """
    shares = [_find_share(recording) for recording in recordings]
    known = [share for share in shares if share is not None]
    return max(known) if known and len(known) == len(shares) else None


def _find_share(classified: ClassifiedRecording) -> float | None:
    begin_s, end_s = classified.steady.begin_s, classified.steady.end_s
    readings = [each for each in classified.recording.machine if begin_s < each.wall_s < end_s]
    foreign = find_foreign(readings)
    cores = max((each.host_cores or 0 for each in readings), default=0)
    return foreign[0] / cores if foreign and cores else None
