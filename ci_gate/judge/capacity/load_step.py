"""One step of a capacity measurement: what the service did under one load, and whether that counts."""

from __future__ import annotations

import dataclasses

import numpy as np

from ci_gate.evidence.readings import StrictValue
from ci_gate.evidence.recording import RecordingPlan
from ci_gate.judge.capacity.step_windows import StepWindow, cut_windows
from ci_gate.judge.limits import LimitResult
from ci_gate.judge.outcome import Outcome, decide
from ci_gate.judge.steady import ClassifiedRecording
from ci_gate.judge.validity.findings import Finding, as_planned, make_rule_input
from ci_gate.judge.validity.rules import check_validity
from ci_gate.thresholds import RATE, Scenario


class Step(StrictValue, frozen=True):
    """What one load showed.

    ``load`` is in users, or in arrivals per second where the workload is open. ``rate_per_s`` are successes
    that ended in the steady phase, ``in_flight`` is the mean number of requests with the service. Latencies
    are of successes in ms, from the intended start. ``outcome``: PASS, every limit was proven; FAIL, one is
    broken; INCONCLUSIVE, one lacks samples; or INVALID, the measurement itself cannot be trusted.
    """

    name: str
    load: float
    users: int
    duration_s: float
    requests: int
    rate_per_s: float
    in_flight: float
    mean_ms: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    failure_share: float | None
    limits: tuple[LimitResult, ...]
    findings: tuple[Finding, ...]
    outcome: Outcome
    windows: tuple[StepWindow, ...]

    @property
    def breaches(self) -> tuple[LimitResult, ...]:
        return tuple(limit for limit in self.limits if limit.outcome == Outcome.FAIL)

    @property
    def invalid(self) -> tuple[Finding, ...]:
        """Why it cannot be trusted."""
        return tuple(finding for finding in self.findings if finding.severity == "invalid")

    @property
    def is_measured(self) -> bool:
        """Whether its numbers may enter a fit."""
        return self.outcome != Outcome.INVALID and self.rate_per_s > 0 and len(self.windows) > 1


def judge_step(scenario: Scenario, plan: RecordingPlan, recording: ClassifiedRecording) -> Step:
    """One step, judged by the scenario's limits and by every validity rule.

    A floor under the rate is left out: it speaks of the scenario's own load, and below it nobody asks for as
    much.
    """
    scenario = _with_load(scenario, plan)
    rule_input = make_rule_input(scenario, plan, recording)
    steady, limits, findings = rule_input.steady, rule_input.limits, check_validity(rule_input)
    windows = cut_windows(recording)
    times_ms = steady.latency_ms[steady.success]
    total = rule_input.summaries[0]
    return Step(
        name=plan.recording,
        load=load_of(plan),
        users=scenario.user_count,
        duration_s=steady.duration_s,
        requests=total.requests,
        rate_per_s=float(np.mean([window.rate_per_s for window in windows])) if windows else 0.0,
        in_flight=float(np.mean([window.in_flight for window in windows])) if windows else 0.0,
        mean_ms=float(times_ms.mean()) if times_ms.size else None,
        p50_ms=total.p50_ms,
        p95_ms=total.p95_ms,
        p99_ms=total.p99_ms,
        failure_share=total.failure_share,
        limits=limits,
        findings=findings,
        outcome=_outcome_of(limits, findings),
        windows=windows,
    )


def load_of(plan: RecordingPlan) -> float:
    """Users, or arrivals per second of an open workload."""
    return float(sum(plan.users.values())) if plan.arrivals_per_s is None else plan.arrivals_per_s


def _with_load(scenario: Scenario, plan: RecordingPlan) -> Scenario:
    # A step is about as long as a window: its worst window would be another question.
    limits = tuple(each for each in scenario.limits if each.metric != RATE and each.metric.over_s is None)
    return dataclasses.replace(as_planned(scenario, plan), limits=limits, arrivals_per_s=plan.arrivals_per_s)


def _outcome_of(limits: tuple[LimitResult, ...], findings: tuple[Finding, ...]) -> Outcome:
    severities = {finding.severity for finding in findings}
    if "invalid" in severities:
        return Outcome.INVALID
    # A limit without enough samples is open here: a longer step has more.
    parts = (limit.outcome for limit in limits if limit.outcome != Outcome.INVALID)
    is_shown = "insufficient" not in severities
    return decide((*parts, Outcome.PASS), is_shown=is_shown, doubt=Outcome.INCONCLUSIVE)
