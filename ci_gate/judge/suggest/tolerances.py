"""What comparisons of equal versions say of the comparison: its false alarms, and tolerances it supports."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ci_gate.judge.compare.comparison import Change
from ci_gate.judge.compare.duet import DuetVerdict
from ci_gate.judge.distributions import share_interval
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.suggest.support import next_deviation
from ci_gate.thresholds import ALL_ENDPOINTS, Metric, Scenario, metric_of

MIN_ROUNDS: Final = 5
"""Comparisons, each with fresh starts of both sides, that a tolerance takes."""

_STEP: Final = 0.01  # a tolerance is written in whole percent
_FINE_STEP: Final = 0.001  # and a scatter in tenths of one


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionScatter:
    """One metric of one endpoint over comparisons of equal versions, each with fresh starts.

    ``false_alarms`` of them called head worse; ``alarms_low`` to ``alarms_high`` is the exact 95 % interval
    of how often that happens. ``deviation`` is of the measured changes, None for a single one.
    ``detectable`` is the median of the worsenings that were detectable.
    """

    endpoint: str
    metric: Metric
    rounds: int
    false_alarms: int
    alarms_low: float
    alarms_high: float
    deviation: float | None
    detectable: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ToleranceSupport:
    """The smallest tolerance in whole percent by which equal versions pass; None with too few rounds.

    With it each of the comparisons would have passed at its last analysis, and the change that the next one
    measures of all requests is beyond it 1 time in 100. ``median`` and ``highest`` are of the changes for the
    worse that were measured of all requests; ``detectable`` is as in `QuestionScatter`.
    """

    metric: Metric
    rounds: int
    median: float
    highest: float
    detectable: float
    tolerance: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScatterSupport:
    """The standard deviation of what two starts of one version differ by, rounded up, of ``rounds``."""

    metric: Metric
    rounds: int
    size: float


def list_scatter(duets: Sequence[DuetVerdict]) -> Iterator[QuestionScatter]:
    """One for each question, in the order of the first comparison that asked it."""
    for (endpoint, metric), changes in _group(duets).items():
        alarms = sum(change.outcome == Outcome.FAIL for change in changes)
        low, high = share_interval(alarms, len(changes))
        yield QuestionScatter(
            endpoint=endpoint,
            metric=metric,
            rounds=len(changes),
            false_alarms=alarms,
            alarms_low=low,
            alarms_high=high,
            deviation=statistics.stdev(change.change for change in changes) if len(changes) > 1 else None,
            detectable=statistics.median(change.mde for change in changes),
        )


def support_scatter(duets: Mapping[str, Sequence[DuetVerdict]]) -> tuple[ScatterSupport, ...]:
    """What two starts of one version differ by, as `Compare.scatter` has it: the most of all scenarios.

    ``duets`` of equal versions are by scenario; of each only what was asked of all requests often enough, and
    differed at all.
    """
    most: dict[Metric, ScatterSupport] = {}
    for rows in map(list_scatter, duets.values()):
        for row in rows:
            if row.endpoint != ALL_ENDPOINTS or row.rounds < MIN_ROUNDS or not row.deviation:
                continue
            size = math.ceil(row.deviation / _FINE_STEP - 1e-9) * _FINE_STEP
            found = ScatterSupport(metric=row.metric, rounds=row.rounds, size=round(size, 6))
            most[row.metric] = max(most.get(row.metric, found), found, key=lambda each: each.size)
    return tuple(most.values())


def support_tolerances(scenario: Scenario, duets: Sequence[DuetVerdict]) -> tuple[ToleranceSupport, ...]:
    """What the comparisons of equal versions support of each metric that the scenario has a tolerance of.

    A metric that was compared in none of them has no support.
    """
    groups = _group(duets)
    return tuple(
        _support(tolerance.metric, of_all, _of_endpoints(groups, tolerance.metric))
        for tolerance in scenario.regression
        if (of_all := groups.get((ALL_ENDPOINTS, tolerance.metric)))
    )


def _group(duets: Sequence[DuetVerdict]) -> dict[tuple[str, Metric], list[Change]]:
    changes: dict[tuple[str, Metric], list[Change]] = {}
    for duet in duets:
        for change in duet.changes:
            changes.setdefault((change.endpoint, metric_of(change.metric)), []).append(change)
    return changes


def _of_endpoints(groups: dict[tuple[str, Metric], list[Change]], metric: Metric) -> list[Change]:
    return [
        change
        for (endpoint, of), changes in groups.items()
        for change in changes
        if of == metric and endpoint != ALL_ENDPOINTS
    ]


def _support(metric: Metric, of_all: Sequence[Change], of_one: Sequence[Change]) -> ToleranceSupport:
    worse = [metric.worse * change.change + 0.0 for change in of_all]  # no -0
    tolerance = None
    if len(of_all) >= MIN_ROUNDS:
        smallest = [_smallest_that_passes(metric, change) for change in of_all]
        # A single endpoint keeps a run from passing only where it looks worse than the tolerance.
        smallest += [metric.worse * change.change for change in of_one]
        tolerance = _round_up(max([_predict_change(metric, of_all), *smallest]))
        tolerance = min(tolerance, 1.0) if metric.is_floor else tolerance
    return ToleranceSupport(
        metric=metric,
        rounds=len(of_all),
        median=statistics.median(worse),
        highest=max(worse),
        detectable=statistics.median(change.mde for change in of_all),
        tolerance=tolerance,
    )


def _predict_change(metric: Metric, changes: Sequence[Change]) -> float:
    """What the next change for the worse of equal versions is beyond 1 time in 100.

    Of changes that are symmetric and normal on the scale of `ci_gate.judge.compare.windows`.
    """
    if metric.is_share:
        shares = [metric.worse * change.change for change in changes]
        return statistics.fmean(shares) + next_deviation(shares)
    logs = [metric.worse * math.log1p(max(change.change, -0.999)) for change in changes]
    most = statistics.fmean(logs) + next_deviation(logs)
    return math.expm1(most) if metric.worse > 0 else -math.expm1(-most)


def _smallest_that_passes(metric: Metric, change: Change) -> float:
    """The tolerance from which on `ci_gate.judge.compare.worsening.judge_change` lets this change pass."""
    worse = metric.worse * change.change
    clear = min(metric.worse * change.worst, max(worse, change.mde))
    is_shown = (metric.is_percentile or metric.is_resource) and change.base > 0
    return max(worse, clear, change.head / change.base - 1 if is_shown else 0.0)


def _round_up(value: float) -> float:
    """To the next whole percent above it, 1 at least: a bound that equals its tolerance is not below it."""
    return round((math.floor(max(value, 0.0) / _STEP + 1e-9) + 1) * _STEP, 6)
