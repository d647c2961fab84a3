"""From load steps to what a service can bear: a pure function, so old evidence can be judged again."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec
import numpy as np

from ci_gate.errors import EXIT_INVALID, EXIT_PASS, EvidenceError
from ci_gate.evidence.readings import StrictValue
from ci_gate.evidence.recording import HEAD, Recording, RecordingPlan, RunInfo
from ci_gate.judge.capacity.knee import FLAT_FROM, Knee, find_knee
from ci_gate.judge.capacity.load_step import Step, judge_step
from ci_gate.judge.capacity.scalability import Scalability, fit_scalability
from ci_gate.judge.capacity.stepping import Ended, count_once, explain_end, find_first_broken
from ci_gate.judge.diagnosis.bottleneck import Diagnosis, diagnose, gather_circumstances
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.steady import ClassifiedRecording, classify
from ci_gate.thresholds import Scenario, Thresholds

CAPACITY_SCHEMA: Final = 2
_STEP_PREFIX: Final = "step-"


class Fit(StrictValue, frozen=True):
    """What fits under the scenario's limits: from ``kept``, which did, to ``breached``, which did not.

    Both are names of steps. ``kept`` is None where no load was proven to keep all limits, ``breached`` where
    none was seen to break one: then at least ``kept`` fits.
    """

    kept: str | None
    breached: str | None


class CapacityVerdict(StrictValue, frozen=True):
    """capacity.json: everything a report says. ``planned_load`` is what thresholds.yaml puts on.

    ``knee`` and ``scalability`` are a sentence where they could not be found. ``diagnosis`` is of the step
    ``diagnosed``: the first well beyond the knee, or else the first that broke a limit or ended the climb.
    """

    schema: int
    ci_gate_version: str
    scenario: str
    unit: Literal["users", "arrivals/s"]
    planned_load: float
    started_at: str
    thresholds_file: str
    thresholds_sha256: str
    git: dict[str, str]
    steps: tuple[Step, ...]
    ended: Ended
    fit: Fit
    knee: Knee | str
    scalability: Scalability | str
    diagnosed: str | None
    diagnosis: Diagnosis | None

    def step(self, name: str | None) -> Step | None:
        return next((step for step in self.steps if step.name == name), None)

    @property
    def largest_measured(self) -> Step | None:
        """The step with the largest load whose measurement can be trusted."""
        trusted = [step for step in self.steps if step.outcome != Outcome.INVALID]
        return max(trusted, key=lambda step: step.load, default=None)

    @property
    def exit_code(self) -> int:
        """Of a measurement, not of a gate: whatever the capacity is, to know it is success."""
        is_answer = self.largest_measured is not None and self.ended.by != "unfinished"
        return EXIT_PASS if is_answer else EXIT_INVALID


def is_capacity(run: RunInfo) -> bool:
    """Whether the evidence is of `ci-gate capacity`."""
    return any(plan.recording.startswith(_STEP_PREFIX) for plan in run.recordings)


def judge_capacity(
    thresholds: Thresholds, run: RunInfo, recordings: Mapping[tuple[str, str], Recording]
) -> CapacityVerdict:
    """Judge the steps of one scenario.

    Raises EvidenceError where there is no step, or thresholds.yaml does not know the scenario. Steps that
    cannot be trusted are in the table, and in nothing that is computed.
    """
    plans = [plan for plan in run.recordings if plan.recording.startswith(_STEP_PREFIX)]
    scenario = thresholds.scenario(plans[0].scenario) if plans else None
    if scenario is None:
        raise EvidenceError("the evidence has no load steps of a scenario that thresholds.yaml knows")
    classified = {
        name: classify(recording, scenario.accept, scenario.cpu_of)
        for (of, name), recording in recordings.items()
        if of == scenario.name
    }
    steps = _judge_steps(scenario, run, plans, classified)
    is_open = scenario.arrivals_per_s is not None
    generator = np.random.default_rng(plans[0].seed)  # the same evidence gives the same intervals
    knee = find_knee(steps, generator)
    slow = _choose_slow(steps, knee)
    return CapacityVerdict(
        schema=CAPACITY_SCHEMA,
        ci_gate_version=run.ci_gate_version,
        scenario=scenario.name,
        unit="arrivals/s" if is_open else "users",
        planned_load=scenario.arrivals_per_s or float(scenario.user_count or plans[0].planned_users or 0),
        started_at=run.started_at,
        thresholds_file=thresholds.file,
        thresholds_sha256=thresholds.sha256,
        git=run.git,
        steps=steps,
        ended=explain_end(steps) or _explain_rest(run),
        fit=_find_fit(steps),
        knee=knee,
        scalability=fit_scalability(steps, generator, is_open=is_open),
        diagnosed=slow.name if slow else None,
        diagnosis=_diagnose(slow, thresholds, scenario, run, classified) if slow else None,
    )


def _judge_steps(
    scenario: Scenario,
    run: RunInfo,
    plans: Sequence[RecordingPlan],
    recordings: Mapping[str, ClassifiedRecording],
) -> tuple[Step, ...]:
    """The steps that have evidence; not the one that was cut off with the run, which says nothing."""
    steps = tuple(
        judge_step(scenario, plan, recordings[plan.recording])
        for plan in sorted(plans, key=lambda plan: plan.recording)
        if plan.recording in recordings
    )
    is_last_half = _is_cut_off(run) and steps and steps[-1].outcome == Outcome.INVALID
    return steps[:-1] if is_last_half else steps


def _is_cut_off(run: RunInfo) -> bool:
    return run.interrupted or run.ended_at is None or bool(run.failed or run.failures)


def _explain_rest(run: RunInfo) -> Ended:
    if not _is_cut_off(run):
        return Ended(by="most", why="no larger load was asked for; --to asks for more")
    how = "was interrupted" if run.interrupted else "has not ended, or was killed"
    why = run.failed or "; ".join(run.failures.values()) or f"the measurement {how}"
    return Ended(by="unfinished", why=why)


def _find_fit(steps: Sequence[Step]) -> Fit:
    broken = find_first_broken(steps)
    kept = [
        step
        for step in count_once(steps)
        if step.outcome == Outcome.PASS and (broken is None or step.load < broken.load)
    ]
    return Fit(kept=kept[-1].name if kept else None, breached=broken.name if broken else None)


def _choose_slow(steps: Sequence[Step], knee: Knee | str) -> Step | None:
    """The first step well beyond the knee, where what ran out first is full and others are not yet."""
    measured = [step for step in count_once(steps) if step.is_measured]
    beyond = [
        step for step in measured if isinstance(knee, Knee) and FLAT_FROM * step.load >= knee.load.value
    ]
    return beyond[0] if beyond else find_first_broken(steps)


def _diagnose(
    step: Step,
    thresholds: Thresholds,
    scenario: Scenario,
    run: RunInfo,
    recordings: Mapping[str, ClassifiedRecording],
) -> Diagnosis:
    circumstances = gather_circumstances(thresholds, run, scenario, step.limits, None, (step.name,))
    # What ended the climb is not of this step.
    return diagnose(dataclasses.replace(circumstances, failure=""), {HEAD: recordings[step.name]})


def encode_capacity(verdict: CapacityVerdict) -> bytes:
    """capacity.json, indented by one, with a final newline."""
    return msgspec.json.format(msgspec.json.encode(verdict), indent=1) + b"\n"
