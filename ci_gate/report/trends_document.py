"""The trends of a branch as a document, for other programs."""

from __future__ import annotations

from typing import Final

import msgspec

from ci_gate.evidence.ranges import Version
from ci_gate.judge.history.record import History
from ci_gate.judge.history.trends import Shift, Trend
from ci_gate.judge.history.worse import Trends, Worsening
from ci_gate.report.history import describe_machine

TRENDS_SCHEMA: Final = 1


class Worse(msgspec.Struct, frozen=True, kw_only=True):
    """What is worse now than it was: new / old - 1, points of a share, with an interval.

    ``commits`` are those from the first that was worse on; runs where ``is_counted`` is false. ``machine`` is
    empty where changes against base were added up.
    """

    scenario: str
    metric: str
    change: float
    low: float
    high: float
    since: str
    steps: int
    commits: int
    is_counted: bool
    machine: str


class LevelChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change between two measured commits, better or worse; ``also`` is what else changed there."""

    scenario: str
    metric: str
    machine: str
    users: int
    profile: str
    last: str
    first: str
    change: float
    low: float
    high: float
    also: tuple[str, ...]


class TrendsDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What `ci-gate history` found in so many runs; ``newest`` is the last commit of them, or empty."""

    schema: Version
    runs: int
    newest: str
    worse: tuple[Worse, ...]
    changes: tuple[LevelChange, ...]


def describe_trends(history: History, trends: Trends) -> TrendsDocument:
    """The same as `render_trends` says, in numbers."""
    return TrendsDocument(
        schema=TRENDS_SCHEMA,
        runs=len(history.runs),
        newest=history.runs[-1].commit if history.runs else "",
        worse=tuple(map(_describe_worse, trends.worse)),
        changes=tuple(_describe_shift(trend, shift) for trend in trends.trends for shift in trend.shifts),
    )


def _describe_worse(worse: Worsening) -> Worse:
    return Worse(
        scenario=worse.scenario,
        metric=worse.metric.name,
        change=worse.change,
        low=worse.low,
        high=worse.high,
        since=worse.since.commit,
        steps=worse.steps,
        commits=worse.commits,
        is_counted=worse.is_counted,
        machine=describe_machine(worse.machine) if worse.machine else "",
    )


def _describe_shift(trend: Trend, shift: Shift) -> LevelChange:
    series = trend.series
    return LevelChange(
        scenario=series.scenario,
        metric=series.metric.name,
        machine=describe_machine(series.machine),
        users=series.users,
        profile=series.profile,
        last=shift.last.commit,
        first=shift.first.commit,
        change=shift.change,
        low=shift.low,
        high=shift.high,
        also=shift.also,
    )
