"""What became slower over the commits of a branch, and since which. It is told, and never a verdict."""

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
from ci_gate.judge.history.record import History, RunRecord
from ci_gate.judge.history.series import Chain, Machine, Series, from_scale, list_chains, list_series
from ci_gate.thresholds import Metric

MIN_RUNS: Final = 2 * MIN_RUNS_OF_A_LEVEL
"""A series of fewer is drawn, and not judged."""
MIN_CHANGE: Final = 0.05
"""What is told of a ratio at least; of a share, a tenth of it in points."""
MAX_COMMITS_AGO: Final = 100
"""What began earlier is drawn, and told no more."""
NEWEST_RUNS: Final = 20
"""A series with none of them is of a machine or a load that is used no more: it is drawn, and not told."""

_CONFIDENCE: Final = 0.95
_CHAIN_CONFIDENCE: Final = 0.999
_MAD: Final = 1.4826  # a normal distribution's standard deviation in median absolute deviations
_SHARE_PART: Final = 0.1


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Worsening:
    """Something that is worse now than it was, and was not taken back.

    ``since`` is the first run that was worse; ``steps`` counts the changes that it came in. ``commits`` are
    those from there on; where git did not count them (``is_counted``), they are runs. ``machine`` is None
    where changes against base were chained.
    """

    scenario: str
    metric: Metric
    change: float
    low: float
    high: float
    since: RunRecord
    steps: int
    commits: int
    is_counted: bool
    machine: Machine | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trends:
    """All that a history shows. ``worse`` has the largest first."""

    trends: tuple[Trend, ...]
    drifts: tuple[Drift, ...]
    worse: tuple[Worsening, ...]


def judge_history(history: History) -> Trends:
    """Every series with its levels and shifts, every chain with its drift, and what of it is worse now."""
    trends = tuple(map(judge_series, list_series(history)))
    drifts = tuple(map(judge_chain, list_chains(history)))
    current = _choose_series(trends, len(history.runs) - 1)
    judged = {(each.series.scenario, each.series.metric) for each in current if is_judged(each.series)}
    # A chain scatters more with each link: figures of one kind of machine say more, where there are enough.
    rest = [each for each in drifts if (each.chain.scenario, each.chain.metric) not in judged]
    found = [
        *(_find_worsening(each, history) for each in current),
        *(_read_drift(each, history) for each in rest),
    ]
    worse = [
        each
        for each in found
        if each is not None
        and each.commits <= MAX_COMMITS_AGO
        and weigh(each.metric, each.change) >= MIN_CHANGE
    ]
    worse.sort(key=lambda each: -weigh(each.metric, each.change))
    return Trends(trends=trends, drifts=drifts, worse=tuple(worse))


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
    change, half = _compare(values[begin:at], values[at:end])
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


def _compare(old: Sequence[float], new: Sequence[float]) -> tuple[float, float]:
    """The difference of the means, and the half width of its interval, by Welch."""
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


def _choose_series(trends: Sequence[Trend], newest: int) -> list[Trend]:
    """Of each scenario and metric the series with the most runs, of those that have some of the newest."""
    chosen: dict[tuple[str, Metric], Trend] = {}
    for trend in trends:
        series = trend.series
        key = (series.scenario, series.metric)
        is_longer = key not in chosen or len(series.points) > len(chosen[key].series.points)
        if series.points[-1].index > newest - NEWEST_RUNS and is_longer:
            chosen[key] = trend
    return list(chosen.values())


def _find_worsening(trend: Trend, history: History) -> Worsening | None:
    """The newest shifts, as long as each is for the worse and nothing else became another there."""
    series, steps = trend.series, 0
    for shift in reversed(trend.shifts):
        if shift.also or series.metric.worse * shift.change <= 0:
            break
        steps += 1
    if not steps:
        return None
    old, new = trend.levels[-1 - steps], trend.levels[-1]
    change, half = _compare(series.scale[old.begin : old.end], series.scale[new.begin : new.end])
    since = trend.shifts[-steps].first
    commits, is_counted = _count_since(since, history)
    return Worsening(
        scenario=series.scenario,
        metric=series.metric,
        change=from_scale(series.metric, change),
        low=from_scale(series.metric, change - half),
        high=from_scale(series.metric, change + half),
        since=since,
        steps=steps,
        commits=commits,
        is_counted=is_counted,
        machine=series.machine,
    )


def _read_drift(drift: Drift, history: History) -> Worsening | None:
    chain = drift.chain
    if not drift.low > 0 and not drift.high < 0:
        return None
    commits, is_counted = _count_since(chain.runs[0], history)
    return Worsening(
        scenario=chain.scenario,
        metric=chain.metric,
        change=drift.change,
        low=drift.low,
        high=drift.high,
        since=chain.runs[0],
        steps=len(chain.runs),
        commits=commits,
        is_counted=is_counted,
        machine=None,
    )


def _count_since(since: RunRecord, history: History) -> tuple[int, bool]:
    """How many commits there are from ``since`` on, and whether git counted them: else they are runs."""
    newest = history.runs[-1]
    if newest.position and since.position:
        return newest.position - since.position + 1, True
    return len(history.runs) - history.runs.index(since), False


def weigh(metric: Metric, change: float) -> float:
    """How much worse, so that shares and ratios can be ordered: half a point of failures is as 5 %."""
    worse = metric.worse * change
    return worse / _SHARE_PART if metric.is_share else worse
