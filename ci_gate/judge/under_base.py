"""The same run under base's thresholds, from the figures of a verdict: evidence may be elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ci_gate.judge.comparison import Change
from ci_gate.judge.limits import LimitResult
from ci_gate.judge.quantiles import needed_samples
from ci_gate.judge.summary import EndpointSummary
from ci_gate.judge.verdict import Outcome, ScenarioVerdict, Verdict
from ci_gate.thresholds import Limit, Scenario, Thresholds


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
    breaches = tuple(result for _, result in results if result and result.outcome == "breached")
    unknown = tuple(f"{limit.endpoint} {limit.metric}" for limit, result in results if result is None)
    worse = tuple(_find_worse(run, base)) if base and run else ()
    is_proven = all(result and result.outcome != "unproven" for _, result in results)
    return UnderBase(
        scenario=name,
        base=_outcome(run, breached=bool(breaches or worse), proven=is_proven) if base else None,
        head=run.outcome if run else None,
        breaches=breaches,
        worse=worse,
        unknown=unknown,
    )


def _outcome(run: ScenarioVerdict | None, *, breached: bool, proven: bool) -> Outcome:
    if run is None or any(finding.effect == "distrust" for finding in run.findings):
        return "INVALID"
    if breached:
        return "FAIL"
    return "PASS" if proven else "INVALID"


def _find_worse(run: ScenarioVerdict, base: Scenario) -> Iterator[Change]:
    """Changes that are real and beyond the tolerance."""
    tolerances = {tolerance.metric: tolerance.ratio for tolerance in base.regression}
    for change in run.comparison.changes if run.comparison else ():
        worsening = -change.change if change.metric in {"rate", "successes"} else change.change
        if change.is_real and worsening > tolerances.get(change.metric, math.inf):
            yield change


def _judge_limit(limit: Limit, run: ScenarioVerdict) -> LimitResult | None:
    known = _find_figure(limit, run)
    if known is None:
        return None
    measured, samples = known
    needed = needed_samples(limit.quantile) if limit.quantile is not None else 1
    kept = measured is not None and (measured >= limit.bound if limit.is_floor else measured <= limit.bound)
    is_proven = measured is not None and samples >= needed
    return LimitResult(
        endpoint=limit.endpoint,
        metric=limit.metric,
        bound=limit.bound,
        text=limit.text,
        line=None,
        is_floor=limit.is_floor,
        measured=measured,
        samples=samples,
        needed=needed,
        outcome=("kept" if kept else "breached") if is_proven else "unproven",
    )


def _find_figure(limit: Limit, run: ScenarioVerdict) -> tuple[float | None, int] | None:
    """What was measured, and on how many samples."""
    for result in run.limits:
        if (result.endpoint, result.metric) == (limit.endpoint, limit.metric):
            return result.measured, result.samples
    row = next((row for row in run.endpoints if row.endpoint == limit.endpoint), None)
    return _read_row(limit.metric, row) if row else None


def _read_row(metric: str, row: EndpointSummary) -> tuple[float | None, int] | None:
    latencies = {"p50": row.p50_ms, "p95": row.p95_ms, "p99": row.p99_ms}
    if metric in latencies:
        return latencies[metric], row.successes
    successes = row.successes / row.requests if row.requests else None
    failures = row.failure_share
    counts = {"rate": row.rate_per_s if row.requests else None, "successes": successes, "failures": failures}
    return (counts[metric], row.requests) if metric in counts else None
