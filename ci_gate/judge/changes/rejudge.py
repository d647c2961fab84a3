"""The same run under base's thresholds, from the figures of a verdict: evidence may be elsewhere."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from ci_gate.judge.compare.comparison import Change
from ci_gate.judge.compare.worsening import exceeds
from ci_gate.judge.limits import Figure, LimitResult, find_row, judge_figure, read_figure
from ci_gate.judge.outcome import Outcome, decide
from ci_gate.judge.verdict import ScenarioVerdict, Verdict
from ci_gate.thresholds import Limit, Scenario, Thresholds, metric_of


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderBase:
    """One scenario under base's thresholds and under those it was run with; None where there is none.

    ``worse`` are the changes beyond base's tolerances; ``unknown`` are base's limits, as ``endpoint metric``,
    of which the verdict holds no figure.
    """

    scenario: str
    base: Outcome | None
    head: Outcome | None
    breaches: tuple[LimitResult, ...]
    worse: tuple[Change, ...]
    unknown: tuple[str, ...]


def judge_under_base(verdict: Verdict, base: Thresholds) -> tuple[UnderBase, ...]:
    """Compare each scenario's figures with base's limits and tolerances.

    Successes are those of the run: where the accept lists differ, so may the figures. A run that cannot be
    trusted is INVALID under any thresholds.
    """
    run = {scenario.name: scenario for scenario in verdict.scenarios}
    names = [*run, *(scenario.name for scenario in base.scenarios if scenario.name not in run)]
    return tuple(_judge_scenario(name, run.get(name), base.scenario(name)) for name in names)


def _judge_scenario(name: str, run: ScenarioVerdict | None, base: Scenario | None) -> UnderBase:
    results = [(limit, _judge_limit(limit, run)) for limit in base.limits] if base and run else []
    breaches = tuple(result for _, result in results if result and result.outcome == Outcome.FAIL)
    unknown = tuple(f"{limit.endpoint} {limit.metric}" for limit, result in results if result is None)
    worse = tuple(_find_worse(run, base)) if base and run else ()
    parts = [result.outcome if result else Outcome.INVALID for _, result in results]
    return UnderBase(
        scenario=name,
        base=_outcome(run, [*parts, *(Outcome.FAIL for _ in worse)]) if base else None,
        head=run.outcome if run else None,
        breaches=breaches,
        worse=worse,
        unknown=unknown,
    )


def _outcome(run: ScenarioVerdict | None, parts: list[Outcome]) -> Outcome:
    findings = run.findings if run else ()
    return decide(parts, is_trusted=all(finding.severity != "invalid" for finding in findings))


def _find_worse(run: ScenarioVerdict, base: Scenario) -> Iterator[Change]:
    """Changes that are real and beyond the tolerance."""
    tolerances = {tolerance.metric.name: tolerance.ratio for tolerance in base.regression}
    for change in run.comparison.changes if run.comparison else ():
        tolerance = tolerances.get(change.metric, math.inf)
        if change.is_real and exceeds(change.metric, change.change, tolerance):
            yield change


def _judge_limit(limit: Limit, run: ScenarioVerdict) -> LimitResult | None:
    """None where the verdict has no figure for it. Its line is none of these thresholds."""
    figure = _find_figure(limit, run)
    return judge_figure(dataclasses.replace(limit, at=None), figure) if figure else None


def _find_figure(limit: Limit, run: ScenarioVerdict) -> Figure | None:
    for result in run.limits:
        if (result.endpoint, result.metric) == (limit.endpoint, limit.metric.name):
            return _read_result(result)
    row = find_row(run.endpoints, limit.endpoint)
    return read_figure(limit.metric, row) if row else None


def _read_result(result: LimitResult) -> Figure:
    measured, requests, metric = result.measured, result.samples, metric_of(result.metric)
    if metric.over_s is None and metric.is_share and measured is not None and 0 <= measured <= 1 and requests:
        # The counts that the share was made of.
        return Figure(measured=Fraction(round(measured * requests), requests), samples=requests)
    return Figure(measured=measured, samples=requests, begins_s=result.begins_s)
