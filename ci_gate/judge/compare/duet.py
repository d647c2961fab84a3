"""Judges a duet: base and head under load at the same time, compared at the planned interim analyses."""

from __future__ import annotations

import dataclasses
import math
from typing import Final, Literal

import msgspec
import numpy as np

from ci_gate.evidence.ranges import Count, Quantity, Share, Value
from ci_gate.evidence.readings import StrictValue
from ci_gate.evidence.recording import RecordingPlan
from ci_gate.evidence.sample_table import count_ids
from ci_gate.evidence.samples import UNSENT
from ci_gate.judge.compare.comparison import (
    Answer,
    Change,
    Comparison,
    NotCompared,
    judge_answers,
    measure,
    settle,
)
from ci_gate.judge.compare.interim import InterimAnalysis, plan_interim
from ci_gate.judge.compare.shared_cpu import Side, find_shared_cpus
from ci_gate.judge.compare.windows import Phase, SideSamples
from ci_gate.judge.log_ends import shorten_failure
from ci_gate.judge.outcome import Outcome, decide
from ci_gate.judge.steady import ClassifiedRecording, SteadyPhase
from ci_gate.judge.validity.findings import Finding, Rule, as_planned, make_rule_input
from ci_gate.judge.validity.rules import RULES, check_validity, codes_at_fault
from ci_gate.thresholds import Compare, Scenario

_CHANCE: Final = codes_at_fault("generator", "machine", "recording")
"""What a starved or broken generator shows on either side by chance; it says nothing of head."""

NOT_COMPARED: Final = "not-compared"
"""The code of the one finding of a comparison that was never measured."""


class StartChange(StrictValue, frozen=True):
    """What each of two starts alone reads of one question, as `Change.change`."""

    endpoint: str
    metric: str
    first: Value
    second: Value


class Confirmation(StrictValue, frozen=True):
    """What a second start said of a comparison that would have blocked.

    ``starts`` are of the questions that either the first start or both together call worse than tolerated.
    ``failure`` is why the second start could not be used, and the first decides; empty where it was used.
    """

    starts: tuple[StartChange, ...]
    failure: str = ""


class DuetVerdict(StrictValue, frozen=True):
    """What the comparison with base showed. ``alpha`` is of this scenario, over all interim analyses.

    A finding on a side says that its measurement cannot be trusted. One that only head has makes the scenario
    INVALID; any other leaves the comparison inconclusive. Where a second start was used, the changes that
    ``confirmation`` names are of both starts together.
    """

    outcome: Outcome
    duration_s: Quantity
    analyses: Count
    alpha: Share
    changes: tuple[Change, ...]
    not_compared: tuple[NotCompared, ...]
    findings: tuple[Finding, ...]
    confirmation: Confirmation | None = None  # None: the first start did not fail, or decides alone

    @property
    def is_confirmed(self) -> bool:
        """Whether it fails by two starts together."""
        used = self.confirmation is not None and not self.confirmation.failure
        return used and self.outcome == Outcome.FAIL

    def find_start(self, change: Change) -> StartChange | None:
        """What each start read of a change; None where one start alone decided it."""
        starts = self.confirmation.starts if self.confirmation else ()
        asked = change.endpoint, change.metric
        return next((each for each in starts if (each.endpoint, each.metric) == asked), None)


def judge_duet(
    scenario: Scenario,
    settings: Compare,
    plans: tuple[RecordingPlan, RecordingPlan],
    recordings: tuple[ClassifiedRecording, ClassifiedRecording],
    rules: tuple[Rule, ...] = RULES,
) -> DuetVerdict:
    """Decide at the first analysis that is clear. ``plans`` and ``recordings`` are of base, then of head."""
    findings = check_sides(scenario, plans, recordings, rules)
    sides = tuple(recording.steady for recording in recordings)
    begin_s, lasted_s = find_common(sides)
    reached = find_reached(plans[0], recordings, settings)
    outcome = Outcome.INCONCLUSIVE
    comparison, analyses = Comparison(changes=(), not_compared=()), 0
    for interim in reached:
        comparison, analyses = compare_at(interim, begin_s, sides, scenario, settings), analyses + 1
        outcome = settle(comparison)
        if outcome != Outcome.INCONCLUSIVE:
            break
    return DuetVerdict(
        outcome=weigh(findings, outcome),
        duration_s=reached[analyses - 1].duration_s if analyses else lasted_s,
        analyses=analyses,
        alpha=settings.alpha,
        changes=comparison.changes,
        not_compared=comparison.not_compared,
        findings=findings,
    )


def find_common(sides: tuple[SteadyPhase, ...]) -> tuple[float, float]:
    """Since when both sides were under steady load, in Unix seconds, and for how long; 0 s for never."""
    begin_s = max(side.begin_s for side in sides)
    is_begun = all(side.duration_s > 0 for side in sides)
    return begin_s, max(min(side.end_s for side in sides) - begin_s, 0.0) if is_begun else 0.0


def find_reached(
    plan: RecordingPlan, recordings: tuple[ClassifiedRecording, ...], settings: Compare
) -> list[InterimAnalysis]:
    """The planned analyses for which both sides were loaded long enough."""
    _, lasted_s = find_common(tuple(recording.steady for recording in recordings))
    planned = _plan_analyses(plan, recordings, settings, lasted_s)
    return [interim for interim in planned if interim.duration_s <= lasted_s]


def _plan_analyses(
    plan: RecordingPlan,
    recordings: tuple[ClassifiedRecording, ...],
    settings: Compare,
    lasted_s: float,
) -> tuple[InterimAnalysis, ...]:
    """Under a shape there is one, of all that was put on: what comes late in it is compared too."""
    if plan.shape is None:
        return plan_interim(settings.max_duration_s)
    if plan.shape.ends:
        totals = [each.recording.totals for each in recordings]
        has_ended = any(each and each.shape_ended for each in totals)  # then the other is ended, too
    else:
        has_ended = lasted_s >= settings.max_duration_s
    is_whole = has_ended and lasted_s >= 1
    return plan_interim(math.floor(lasted_s), count=1) if is_whole else ()


def weigh(findings: tuple[Finding, ...], compared: Outcome) -> Outcome:
    """What is left of the comparison beside what was found on its sides.

    A head that breaks down where base does not must not be excused by that; what was merely not shown does
    not take back what was.
    """
    invalid = [finding for finding in findings if finding.severity == "invalid"]
    of_base = {finding.code for finding in invalid if finding.side == "base"}
    of_head = {finding.code for finding in invalid if finding.side == "head"}
    if of_head - of_base - _CHANCE:
        return Outcome.INVALID
    return decide([compared], is_trusted=not invalid, is_shown=not findings, doubt=Outcome.INCONCLUSIVE)


def without_duet(settings: Compare, why: str) -> DuetVerdict:
    """There is nothing to compare: a base that does not start must not keep out the change that fixes it."""
    finding = Finding(
        code=NOT_COMPARED,
        severity="insufficient",
        subject="base and head",
        message=shorten_failure(why),
        remedy="fix base, or what kept both from being measured together",
    )
    return DuetVerdict(
        outcome=Outcome.INCONCLUSIVE,
        duration_s=0.0,
        analyses=0,
        alpha=settings.alpha,
        changes=(),
        not_compared=(),
        findings=(finding,),
    )


def compare_at(
    interim: InterimAnalysis,
    begin_s: float,
    sides: tuple[SteadyPhase, ...],
    scenario: Scenario,
    settings: Compare,
) -> Comparison:
    """The comparison on what both sides did in the first ``interim.duration_s`` after ``begin_s``."""
    return judge_answers(measure_at(interim, begin_s, sides, scenario), interim, settings.alpha)


def measure_at(
    interim: InterimAnalysis, begin_s: float, sides: tuple[SteadyPhase, ...], scenario: Scenario
) -> tuple[Answer, ...]:
    """What `compare_at` judges."""
    called = {side.strings[number] for side in sides for number in count_ids(side.samples["endpoint"])[0]}
    names = sorted(called - {UNSENT})  # an arrival without a request is a failure of all, and of no endpoint
    base, head = (_side_samples(side, names) for side in sides)
    return measure(
        base,
        head,
        endpoints=names,
        tolerances={tolerance.metric.name: tolerance.ratio for tolerance in scenario.regression},
        phase=Phase(begin_s=begin_s, end_s=begin_s + interim.duration_s),
        interim=interim,
    )


def _side_samples(steady: SteadyPhase, names: list[str]) -> SideSamples:
    code_by_name = {name: code for code, name in enumerate(names)}
    code_of = np.array([code_by_name.get(text, len(names)) for text in steady.strings], dtype=np.intp)
    return SideSamples(
        endpoint=code_of[steady.samples["endpoint"]],
        intended_s=np.ascontiguousarray(steady.samples["intended_s"]),
        latency_ms=steady.latency_ms,
        success=steady.success,
        resources=steady.resources,
    )


def check_sides(
    scenario: Scenario,
    plans: tuple[RecordingPlan, RecordingPlan],
    recordings: tuple[ClassifiedRecording, ClassifiedRecording],
    rules: tuple[Rule, ...] = RULES,
) -> tuple[Finding, ...]:
    """What keeps base's recording, then head's, from being trusted or from showing something."""
    base, head = zip(plans, recordings, strict=True)
    return (
        *_check_side("base", scenario, base, head, rules),
        *_check_side("head", scenario, head, base, rules),
    )


def _check_side(
    side: Literal["base", "head"],
    scenario: Scenario,
    own: Side,
    other: Side,
    rules: tuple[Rule, ...],
) -> tuple[Finding, ...]:
    plan, recording = own
    limitless = dataclasses.replace(as_planned(scenario, plan), limits=())
    rule_input = make_rule_input(limitless, plan, recording)
    rule_input = dataclasses.replace(rule_input, shared_cpus=find_shared_cpus(own, other))
    findings = check_validity(rule_input, tuple(rule for rule in rules if rule.for_comparison))
    return tuple(
        msgspec.structs.replace(finding, side=side) for finding in findings if finding.severity != "info"
    )
