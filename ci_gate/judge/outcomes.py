"""Outcomes from what they are made of: the judge makes them so, and who reads a verdict makes them again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from ci_gate.judge.compare.comparison import Change, Comparison, settle
from ci_gate.judge.compare.duet import DuetOutcome, DuetVerdict, weigh
from ci_gate.judge.compare.worsening import judge_change
from ci_gate.judge.limits import LimitResult, find_row, read_figure
from ci_gate.judge.summary import EndpointSummary
from ci_gate.judge.validity.findings import Finding
from ci_gate.thresholds import metric_of

Outcome = Literal["PASS", "FAIL", "INVALID", "INCONCLUSIVE"]

_RANKS: Final[tuple[Outcome, ...]] = ("PASS", "INCONCLUSIVE", "INVALID", "FAIL")
_OF_DUET: Final[dict[DuetOutcome, Outcome]] = {
    "pass": "PASS",
    "fail": "FAIL",
    "inconclusive": "INCONCLUSIVE",
    "invalid": "INVALID",
}
_ROUNDING: Final = 1e-9  # of shares that were computed in another way


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """A proven regression says more than a run that proves nothing, and that more than a doubt."""
    return max(outcomes, key=_RANKS.index)


def outcome_of_run(scenarios: Iterable[Outcome], findings: Iterable[Finding]) -> Outcome:
    """Of the scenarios' outcomes and what was found in the run as a whole; no scenario proves nothing."""
    is_invalid = any(finding.severity != "info" for finding in findings)
    outcomes = tuple(scenarios)
    return worst([*outcomes, "INVALID" if is_invalid or not outcomes else "PASS"])


def outcome_of_scenario(
    findings: tuple[Finding, ...], limits: tuple[LimitResult, ...], comparison: DuetVerdict | None
) -> Outcome:
    """A measurement that cannot be trusted stays INVALID, whatever it shows."""
    severities = {finding.severity for finding in findings}
    if "invalid" in severities:
        return "INVALID"
    results = {limit.outcome for limit in limits}
    is_unproven = "insufficient" in severities or "unproven" in results or not limits
    alone: Outcome = "FAIL" if "breached" in results else "INVALID" if is_unproven else "PASS"
    return worst([alone, _OF_DUET[comparison.outcome]]) if comparison else alone


def make_contradiction(message: str) -> Finding:
    """Of a run whose verdict cannot be what its parts say."""
    return Finding(
        code="contradiction",
        severity="invalid",
        subject="run",
        message=message,
        remedy="look at the run: its verdict was not made by these thresholds",
    )


def judge_result(limit: LimitResult, endpoints: tuple[EndpointSummary, ...]) -> LimitResult:
    """The limit, unless its figures say worse than its outcome: then with what they say."""
    if limit.outcome != "kept":
        return limit
    row = find_row(endpoints, limit.endpoint)
    figure = read_figure(metric_of(limit.metric), row) if row else None
    measured = (limit.measured, figure.measured if figure else None)
    samples = min(limit.samples, figure.samples) if figure else limit.samples
    if limit.measured is None or samples < limit.needed:
        return msgspec.structs.replace(limit, outcome="unproven")
    if any(_breaks(limit, float(value)) for value in measured if value is not None):
        return msgspec.structs.replace(limit, outcome="breached")
    return limit


def judge_comparison(duet: DuetVerdict) -> DuetVerdict:
    """The comparison, with each outcome that its figures do not carry replaced by theirs."""
    changes = tuple(map(_judge_change, duet.changes))
    outcome = weigh(duet.findings, settle(Comparison(changes=changes, not_compared=duet.not_compared)))
    outcome = max(duet.outcome, outcome, key=lambda each: _RANKS.index(_OF_DUET[each]))
    return msgspec.structs.replace(duet, changes=changes, outcome=outcome)


def _judge_change(change: Change) -> Change:
    order = ("pass", "inconclusive", "fail")
    return msgspec.structs.replace(change, outcome=max(change.outcome, judge_change(change), key=order.index))


def _breaks(limit: LimitResult, figure: float) -> bool:
    worsening = metric_of(limit.metric).worse * (figure - limit.bound)
    return worsening > _ROUNDING * max(limit.bound, 1.0)
