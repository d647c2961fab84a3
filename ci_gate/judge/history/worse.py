"""What is worse now than it was over the commits of a branch, and since which. Told, and never a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ci_gate.judge.history.record import History, RunRecord
from ci_gate.judge.history.series import Machine, from_scale, list_chains, list_series
from ci_gate.judge.history.trends import (
    MIN_RUNS,
    Drift,
    Trend,
    compare_levels,
    is_judged,
    judge_chain,
    judge_series,
)
from ci_gate.thresholds import Metric

MIN_CHANGE: Final = 0.05
"""What is told of a ratio at least; of a share, a tenth of it in points."""
MAX_COMMITS_AGO: Final = 100
"""What began earlier is drawn, and told no more."""
NEWEST_RUNS: Final = 20
"""A series with none of them is of a machine or a load that is used no more: it is drawn, and not told."""
_SHARE_PART: Final = 0.1


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
    worse = [each for each in found if each is not None and _is_told(each)]
    worse.sort(key=lambda each: -weigh(each.metric, each.change))
    return Trends(trends=trends, drifts=drifts, worse=tuple(worse))


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
    """The newest level against that of the earlier ones to which it is the worst.

    Levels before a shift at which something else changed as well are not compared with.
    """
    found: Worsening | None = None
    for place in range(len(trend.shifts) - 1, -1, -1):
        if trend.shifts[place].also:
            break
        worse = _compare_with_newest(trend, place, history)
        if found is None or weigh(worse.metric, worse.change) > weigh(found.metric, found.change):
            found = worse
    return found


def _compare_with_newest(trend: Trend, place: int, history: History) -> Worsening:
    """The newest level against the one before the shift at ``place``."""
    series, old, new = trend.series, trend.levels[place], trend.levels[-1]
    metric = series.metric
    change, half = compare_levels(series.scale[old.begin : old.end], series.scale[new.begin : new.end])
    since = trend.shifts[place].first
    commits, is_counted = _count_since(since, history)
    return Worsening(
        scenario=series.scenario,
        metric=metric,
        change=from_scale(metric, change),
        low=from_scale(metric, change - half),
        high=from_scale(metric, change + half),
        since=since,
        steps=sum(metric.worse * each.change > 0 for each in trend.shifts[place:]),
        commits=commits,
        is_counted=is_counted,
        machine=series.machine,
    )


def _read_drift(drift: Drift, history: History) -> Worsening | None:
    chain = drift.chain
    if len(chain.changes) < MIN_RUNS:
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


def _is_told(worse: Worsening) -> bool:
    """Whether it is large enough, surely one, and not so old that everybody knows."""
    least = worse.low if worse.metric.worse > 0 else worse.high
    is_sure = weigh(worse.metric, least) > 0
    is_large = weigh(worse.metric, worse.change) >= MIN_CHANGE
    return is_sure and is_large and worse.commits <= MAX_COMMITS_AGO


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
