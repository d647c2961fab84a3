"""From thresholds and evidence to a verdict: a pure function, so old evidence can be judged again."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Final

import msgspec

from ci_gate.errors import EXIT_FAIL, EXIT_INVALID, EXIT_PASS
from ci_gate.evidence.environment import Environment, read_environment
from ci_gate.evidence.ranges import Count, Quantity
from ci_gate.evidence.readings import StrictValue
from ci_gate.evidence.recording import (
    DUET_HEAD,
    HEAD,
    RESET_CHECKS,
    Recording,
    RecordingPlan,
    RunInfo,
    code_name,
    duet_name,
)
from ci_gate.evidence.strict_json import decode_document
from ci_gate.judge.code.difference import CodeChange, compare_code
from ci_gate.judge.compare.confirmation import judge_planned_duet
from ci_gate.judge.compare.duet import DuetVerdict
from ci_gate.judge.diagnosis.bottleneck import Diagnosis, diagnose, gather_circumstances
from ci_gate.judge.limits import LimitResult
from ci_gate.judge.occasion import Occasion
from ci_gate.judge.outcome import Outcome, worst
from ci_gate.judge.outcomes import (
    judge_comparison,
    judge_result,
    make_contradiction,
    outcome_of_run,
    outcome_of_scenario,
)
from ci_gate.judge.scenario_evidence import ScenarioEvidence, gather_evidence
from ci_gate.judge.slowest import SlowRequest, find_slowest
from ci_gate.judge.stages import StageSummary, summarise_stages
from ci_gate.judge.steady import ClassifiedRecording
from ci_gate.judge.summary import EndpointSummary
from ci_gate.judge.validity.findings import Finding, Rule, make_rule_input, not_measured
from ci_gate.judge.validity.reset_check import find_reset_differences
from ci_gate.judge.validity.rules import RULES, check_validity, put_notes_last
from ci_gate.judge.validity.run_findings import find_in_run
from ci_gate.thresholds import Scenario, Thresholds

VERDICT_SCHEMA: Final = 2
MAX_VERDICT_BYTES: Final = 16 * 1024**2


class ScenarioVerdict(StrictValue, frozen=True):
    """What one scenario showed. ``endpoints[0]`` is all of them together; empty if nothing was measured."""

    name: str
    outcome: Outcome
    users: Count
    duration_s: Quantity
    endpoints: tuple[EndpointSummary, ...]
    limits: tuple[LimitResult, ...]
    findings: tuple[Finding, ...]
    comparison: DuetVerdict | None = None  # None: not compared with base
    diagnosis: Diagnosis | None = None  # changes no outcome
    stages: tuple[StageSummary, ...] = ()  # where a shape decides how many users run
    code: CodeChange | None = None  # in what head's code takes longer; None: not sampled; changes no outcome
    slowest: tuple[SlowRequest, ...] = ()  # requests of head
    environment: Environment | None = None  # of this scenario: each job of a matrix has a machine of its own

    @property
    def breaches(self) -> tuple[LimitResult, ...]:
        return tuple(limit for limit in self.limits if limit.outcome == Outcome.FAIL)


class Verdict(StrictValue, frozen=True, omit_defaults=True):
    """verdict.json: everything a report says."""

    schema: int
    ci_gate_version: str
    outcome: Outcome
    blocks: bool
    profile: str
    started_at: str
    thresholds_file: str
    thresholds_sha256: str
    git: dict[str, str]
    scenarios: tuple[ScenarioVerdict, ...]
    findings: tuple[Finding, ...]
    occasion: Occasion | None = None  # None: no workflow measured it
    options: dict[str, str] = msgspec.field(default_factory=dict)  # image, users, processes, dockerfile

    @property
    def exit_code(self) -> int:
        if not self.blocks:
            return EXIT_PASS
        return EXIT_FAIL if self.outcome == Outcome.FAIL else EXIT_INVALID


def judge(
    thresholds: Thresholds,
    run: RunInfo,
    recordings: Mapping[tuple[str, str], Recording],
    rules: tuple[Rule, ...] = RULES,
) -> Verdict:
    """The verdict on every scenario that the run planned. ``recordings`` are by scenario and recording."""
    judge_one = functools.partial(judge_evidence, thresholds, run, rules=rules)
    return make_verdict(thresholds, run, tuple(map(judge_one, gather_evidence(thresholds, run, recordings))))


def make_verdict(thresholds: Thresholds, run: RunInfo, scenarios: tuple[ScenarioVerdict, ...]) -> Verdict:
    """The verdict on the run, of those on its scenarios."""
    findings = tuple(find_in_run(thresholds, run))
    outcome = outcome_of_run((scenario.outcome for scenario in scenarios), findings)
    return Verdict(
        schema=VERDICT_SCHEMA,
        ci_gate_version=run.ci_gate_version,
        outcome=outcome,
        blocks=outcome.blocks or (outcome == Outcome.INCONCLUSIVE and thresholds.on_inconclusive == "block"),
        profile=run.profile,
        started_at=run.started_at,
        thresholds_file=thresholds.file,
        thresholds_sha256=thresholds.sha256,
        git=run.git,
        options=run.options,
        scenarios=scenarios,
        findings=findings,
    )


def judge_scenario(
    scenario: Scenario, plan: RecordingPlan, head: ClassifiedRecording, rules: tuple[Rule, ...] = RULES
) -> ScenarioVerdict:
    """The verdict on one recording of head alone, without comparison and diagnosis."""
    rule_input = make_rule_input(scenario, plan, head)
    findings = check_validity(rule_input, rules)
    return ScenarioVerdict(
        name=scenario.name,
        outcome=outcome_of_scenario(findings, rule_input.limits, None),
        users=_count_users(plan, head.recording),
        duration_s=rule_input.steady.duration_s,
        endpoints=rule_input.summaries,
        stages=summarise_stages(rule_input.steady, rule_input.recording.readings) if plan.shape else (),
        limits=rule_input.limits,
        findings=findings,
        slowest=find_slowest(rule_input.classified, scenario.trace_link),
    )


def _count_users(plan: RecordingPlan, recording: Recording) -> int:
    """As many as were to run; under a shape, as many as it asked for at most."""
    asked = [reading.target_users or 0 for reading in recording.readings]
    return max(asked, default=0) if plan.shape else plan.user_count


def judge_evidence(
    thresholds: Thresholds, run: RunInfo, evidence: ScenarioEvidence, rules: tuple[Rule, ...] = RULES
) -> ScenarioVerdict:
    """The verdict on one scenario, its comparison with base and its diagnosis included."""
    judged = _judge_planned(thresholds, run, evidence, rules)
    judged = msgspec.structs.replace(judged, environment=read_environment(run))
    scenario = evidence.scenario
    if scenario is None:
        return judged
    circumstances = gather_circumstances(thresholds, run, scenario, judged.limits, judged.comparison)
    return msgspec.structs.replace(
        judged,
        diagnosis=diagnose(circumstances, evidence.recordings),
        code=compare_code(evidence.recordings, run.failures.get(code_name(scenario.name))),
    )


def _judge_planned(
    thresholds: Thresholds, run: RunInfo, evidence: ScenarioEvidence, rules: tuple[Rule, ...]
) -> ScenarioVerdict:
    scenario, plans, recordings = evidence.scenario, evidence.plans, evidence.recordings
    plan = plans.get(HEAD) or next(iter(plans.values()))
    if scenario is None:
        return _without_proof(plan, None, "thresholds.yaml does not have this scenario")
    failure, recording = run.failures.get(plan.scenario), recordings.get(HEAD)
    judged = judge_scenario(scenario, plan, recording, rules) if recording else None
    if HEAD not in plans and DUET_HEAD in plans:
        judged = _without_proof(
            plan, None, "no limit was judged: this is a calibration, which never measures head alone"
        )
    elif failure or judged is None:
        return _without_proof(plan, judged, failure or "there is no evidence of it")
    judged = _with_reset_checks(judged, scenario, recordings)
    if DUET_HEAD not in plans:
        return judged
    first, second = (run.failures.get(duet_name(scenario.name, is_second=again)) for again in (False, True))
    settings = thresholds.compare_scenario
    comparison = judge_planned_duet(scenario, settings, plans, recordings, (first, second), rules)
    outcome = outcome_of_scenario(judged.findings, judged.limits, comparison)
    return msgspec.structs.replace(judged, outcome=outcome, comparison=comparison)


def _with_reset_checks(
    judged: ScenarioVerdict, scenario: Scenario, recordings: Mapping[str, ClassifiedRecording]
) -> ScenarioVerdict:
    first, second = map(recordings.get, RESET_CHECKS)
    left_over = find_reset_differences(scenario, first, second) if first and second else ()
    # Before the load: what was left over may be the cause of all that the load shows.
    findings = put_notes_last((*left_over, *judged.findings))
    outcome = outcome_of_scenario(findings, judged.limits, None)
    return msgspec.structs.replace(judged, outcome=outcome, findings=findings)


def _without_proof(plan: RecordingPlan, judged: ScenarioVerdict | None, why: str) -> ScenarioVerdict:
    finding = not_measured(why, "fix what stopped the measurement, and run again")
    nothing = ScenarioVerdict(
        name=plan.scenario,
        outcome=Outcome.INVALID,
        users=plan.user_count,
        duration_s=0.0,
        endpoints=(),
        limits=(),
        findings=(),
    )
    judged = judged or nothing
    return msgspec.structs.replace(judged, outcome=Outcome.INVALID, findings=(finding, *judged.findings))


def encode_verdict(verdict: Verdict) -> bytes:
    """verdict.json, indented by one, with a final newline."""
    return msgspec.json.format(msgspec.json.encode(verdict), indent=1) + b"\n"


def decode_verdict(text: bytes) -> Verdict:
    """The reverse, for text that may be hostile. Raises EvidenceError for anything but a verdict we wrote.

    No outcome is read that is better than its parts: theirs takes its place, and a finding says so.
    """
    verdict = decode_document(
        text, Verdict, name="verdict", schema=VERDICT_SCHEMA, max_bytes=MAX_VERDICT_BYTES
    )
    scenarios = tuple(map(_read_scenario, verdict.scenarios))
    pairs = zip(scenarios, verdict.scenarios, strict=True)
    wrong = [f"the outcome of {ours.name}" for ours, theirs in pairs if ours != theirs]
    outcome = worst([verdict.outcome, outcome_of_run((each.outcome for each in scenarios), verdict.findings)])
    blocks = verdict.blocks or outcome.blocks
    wrong += ["the outcome of the run"] * ((outcome, blocks) != (verdict.outcome, verdict.blocks))
    names = {each.name for each in scenarios}
    wrong += ["a scenario that stands twice"] * (len(names) < len(scenarios))
    if not wrong:
        return verdict
    message = f"the verdict says what its own parts contradict: {', '.join(wrong)}"
    return mark_invalid(msgspec.structs.replace(verdict, outcome=outcome, scenarios=scenarios), message)


def mark_invalid(verdict: Verdict, message: str) -> Verdict:
    """The same with a contradiction, which makes it INVALID at least."""
    return invalidate(verdict, (make_contradiction(message), *verdict.findings))


def invalidate(verdict: Verdict, findings: tuple[Finding, ...]) -> Verdict:
    """The same with these findings in place of its own, INVALID at least, and so blocking."""
    outcome = worst([verdict.outcome, Outcome.INVALID])
    return msgspec.structs.replace(verdict, outcome=outcome, blocks=True, findings=findings)


def _read_scenario(scenario: ScenarioVerdict) -> ScenarioVerdict:
    limits = tuple(judge_result(limit, scenario.endpoints) for limit in scenario.limits)
    comparison = judge_comparison(scenario.comparison) if scenario.comparison else None
    findings = scenario.findings
    if (limits, comparison) != (scenario.limits, scenario.comparison):
        findings = (make_contradiction("figures and outcomes contradict each other"), *findings)
    return msgspec.structs.replace(
        scenario,
        outcome=worst([scenario.outcome, outcome_of_scenario(findings, limits, comparison)]),
        limits=limits,
        findings=findings,
        comparison=comparison,
    )
