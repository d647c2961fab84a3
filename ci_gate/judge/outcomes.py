"""Outcomes from what they are made of: the judge makes them so, and who reads a verdict makes them again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from ci_gate.judge.compare.comparison import Change, Comparison, settle
from ci_gate.judge.compare.duet import DuetVerdict, weigh
from ci_gate.judge.compare.worsening import judge_change
from ci_gate.judge.foreign import TAKEN_CODE
from ci_gate.judge.limits import LimitResult, find_row, read_figure
from ci_gate.judge.outcome import Outcome, decide, worst
from ci_gate.judge.summary import EndpointSummary
from ci_gate.judge.validity.findings import Finding
from ci_gate.judge.validity.run_findings import UNTOUCHED
from ci_gate.thresholds import metric_of

_ROUNDING: Final = 1e-9  # of shares that were computed in another way


def outcome_of_run(scenarios: Iterable[Outcome], findings: Iterable[Finding]) -> Outcome:
    """Of the scenarios' outcomes and what was found in the run as a whole.

    INVALID without a scenario, unless there was nothing to measure.
    """
    parts, found = tuple(scenarios), tuple(findings)
    if not parts and any(finding.code == UNTOUCHED for finding in found):
        parts = (Outcome.PASS,)
    return decide(parts, is_shown=all(finding.severity == "info" for finding in found))


def outcome_of_scenario(
    findings: tuple[Finding, ...], limits: tuple[LimitResult, ...], comparison: DuetVerdict | None
) -> Outcome:
    """A measurement that cannot be trusted stays INVALID, whatever it shows.

    But for what others took of the machine while head was measured alone: a comparison under load together is
    none the worse for it, and its FAIL stands.
    """
    severities = {finding.severity for finding in findings}
    distrusted = {finding.code for finding in findings if finding.severity == "invalid"}
    if distrusted == {TAKEN_CODE} and comparison and comparison.outcome == Outcome.FAIL:
        return Outcome.FAIL
    return decide(
        (part.outcome for part in (*limits, *([comparison] if comparison else ()))),
        is_trusted=not distrusted,
        is_shown=bool(limits) and "insufficient" not in severities,
    )


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
    if limit.outcome != Outcome.PASS:
        return limit
    row = find_row(endpoints, limit.endpoint)
    figure = read_figure(metric_of(limit.metric), row) if row else None
    measured = (limit.measured, figure.measured if figure else None)
    samples = min(limit.samples, figure.samples) if figure else limit.samples
    if limit.measured is None or samples < limit.needed:
        return msgspec.structs.replace(limit, outcome=Outcome.INVALID)
    if any(_breaks(limit, float(value)) for value in measured if value is not None):
        return msgspec.structs.replace(limit, outcome=Outcome.FAIL)
    return limit


def judge_comparison(duet: DuetVerdict) -> DuetVerdict:
    """The comparison, with each outcome that its figures do not carry replaced by theirs."""
    changes = tuple(map(_judge_change, duet.changes))
    outcome = weigh(duet.findings, settle(Comparison(changes=changes, not_compared=duet.not_compared)))
    return msgspec.structs.replace(duet, changes=changes, outcome=worst([duet.outcome, outcome]))


def _judge_change(change: Change) -> Change:
    return msgspec.structs.replace(change, outcome=worst([change.outcome, judge_change(change)]))


def _breaks(limit: LimitResult, figure: float) -> bool:
    worsening = metric_of(limit.metric).worse * (figure - limit.bound)
    return worsening > _ROUNDING * max(limit.bound, 1.0)
