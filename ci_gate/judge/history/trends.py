"""The levels of a series between its changes, and what the changes of a chain come to."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from ci_gate.judge.distributions import t_quantile
from ci_gate.judge.history.change_points import MIN_RUNS_OF_A_LEVEL, find_change_points
from ci_gate.judge.history.record import RunRecord
from ci_gate.judge.history.series import Chain, Series, from_scale

MIN_RUNS: Final = 2 * MIN_RUNS_OF_A_LEVEL
"""A series of fewer is drawn, and not judged."""

_CONFIDENCE: Final = 0.95
_CHAIN_CONFIDENCE: Final = 0.999
_MAD: Final = 1.4826  # a normal distribution's standard deviation in median absolute deviations


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """Runs between two change points: their mean with its 95 % interval, in the metric's unit.

    ``begin`` and ``end`` are places in the series, ``end`` that of the run after the last.
    """

    begin: int
    end: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A change of the level. ``change`` is new / old - 1, points of a share, with its 95 % interval.

    ``first`` is the first run of the new level, ``last`` the last one of the old: it came in between.
    ``also`` names what else about the machine or the tools became another there: then it may be that.
    """

    last: RunRecord
    first: RunRecord
    index: int  # of ``first`` in the history
    change: float
    low: float
    high: float
    also: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """A series with its levels; one, and no shift, where it stayed as it was."""

    series: Series
    levels: tuple[Level, ...]
    shifts: tuple[Shift, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What all changes of a chain come to, with its 99.9 % interval; by the scatter of the chain itself."""

    chain: Chain
    change: float
    low: float
    high: float


def judge_series(series: Series) -> Trend:
    """The series with its levels; a series that is too short has one."""
    values = series.scale
    places = find_change_points(values) if is_judged(series) else ()
    borders = (0, *places, len(values))
    levels = tuple(_measure_level(series, begin, end) for begin, end in pairwise(borders))
    shifts = tuple(
        _measure_shift(series, values, (begin, at, end))
        for begin, at, end in zip(borders, borders[1:], borders[2:], strict=False)
    )
    return Trend(series=series, levels=levels, shifts=shifts)


def is_judged(series: Series) -> bool:
    """Whether it is long enough to have more than one level."""
    return len(series.points) >= MIN_RUNS


def _measure_level(series: Series, begin: int, end: int) -> Level:
    values = series.scale[begin:end]
    mean = statistics.fmean(values)
    half = _half_width(values)

    def show(size: float) -> float:
        return max(size, 0.0) if series.metric.is_share else math.exp(size)

    return Level(begin=begin, end=end, value=show(mean), low=show(mean - half), high=show(mean + half))


def _half_width(values: Sequence[float]) -> float:
    if len(values) < 2:  # noqa: PLR2004 - one value scatters not
        return 0.0
    error = statistics.stdev(values) / math.sqrt(len(values))
    return t_quantile((1 + _CONFIDENCE) / 2, len(values) - 1) * error


def _measure_shift(series: Series, values: Sequence[float], borders: tuple[int, int, int]) -> Shift:
    begin, at, end = borders
    change, half = compare_levels(values[begin:at], values[at:end])
    metric = series.metric
    return Shift(
        last=series.points[at - 1].run,
        first=series.points[at].run,
        index=series.points[at].index,
        change=from_scale(metric, change),
        low=from_scale(metric, change - half),
        high=from_scale(metric, change + half),
        also=_find_also(series, at),
    )


def compare_levels(old: Sequence[float], new: Sequence[float]) -> tuple[float, float]:
    """The difference of the means, and the half width of its 95 % interval, by Welch."""
    parts = [(statistics.variance(each) / len(each), len(each) - 1) for each in (old, new)]
    variance = sum(part for part, _ in parts)
    difference = statistics.fmean(new) - statistics.fmean(old)
    if not variance:
        return difference, 0.0
    freedom = variance**2 / sum(part**2 / degrees for part, degrees in parts)
    return difference, t_quantile((1 + _CONFIDENCE) / 2, freedom) * math.sqrt(variance)


def _find_also(series: Series, at: int) -> tuple[str, ...]:
    """``kernel 6.8 -> 6.11``, where most of the runs before and most of those after differ in it."""
    before = series.points[max(at - MIN_RUNS_OF_A_LEVEL, 0) : at]
    after = series.points[at : at + MIN_RUNS_OF_A_LEVEL]
    found = []
    for fact in series.points[at].facts:
        old, new = (_find_most([point.facts[fact] for point in side]) for side in (before, after))
        if old != new:
            found.append(f"{fact} {old or 'not known'} -> {new or 'not known'}")
    return tuple(found)


def _find_most(texts: Sequence[str]) -> str:
    return Counter(texts).most_common(1)[0][0]


def judge_chain(chain: Chain) -> Drift:
    """The sum of the changes; each scatters as the chain's changes do around their median."""
    total, half = sum(chain.changes), math.inf
    if len(chain.changes) >= MIN_RUNS:
        middle = statistics.median(chain.changes)
        scatter = _MAD * statistics.median(abs(each - middle) for each in chain.changes)
        quantile = statistics.NormalDist().inv_cdf((1 + _CHAIN_CONFIDENCE) / 2)
        half = quantile * scatter * math.sqrt(len(chain.changes))
    limits = (total - half, total + half) if math.isfinite(half) else (0.0, 0.0)
    low, high = (from_scale(chain.metric, each) for each in limits)
    return Drift(chain=chain, change=from_scale(chain.metric, total), low=low, high=high)
