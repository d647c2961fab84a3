"""From thresholds and evidence to a verdict: a pure function, so old evidence can be judged again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from ci_gate.errors import EXIT_FAIL, EXIT_PASS, EXIT_PROVES_NOTHING
from ci_gate.evidence import (
    DUET_BASE,
    DUET_HEAD,
    HEAD,
    TRIALS,
    Recording,
    RecordingPlan,
    RunInfo,
    decode_document,
    duet_name,
)
from ci_gate.judge.bottleneck import Diagnosis, diagnose, gather_circumstances
from ci_gate.judge.duet import DuetOutcome, DuetVerdict, judge_duet, without_duet
from ci_gate.judge.findings import Finding, Rule, make_case
from ci_gate.judge.left_over import find_left_over
from ci_gate.judge.limits import LimitResult
from ci_gate.judge.occasion import Occasion
from ci_gate.judge.run_findings import find_in_run
from ci_gate.judge.summary import EndpointSummary
from ci_gate.judge.trend import Trend, find_trend
from ci_gate.judge.validity import RULES, check_validity
from ci_gate.readings import StrictValue
from ci_gate.thresholds import Scenario, Thresholds

VERDICT_SCHEMA: Final = 1
MAX_VERDICT_BYTES: Final = 16 * 1024**2

Outcome = Literal["PASS", "FAIL", "INVALID", "INCONCLUSIVE"]

_OF_DUET: Final[dict[DuetOutcome, Outcome]] = {
    "pass": "PASS",
    "fail": "FAIL",
    "inconclusive": "INCONCLUSIVE",
    "invalid": "INVALID",
}


class ScenarioVerdict(StrictValue, frozen=True):
    """What one scenario showed. ``endpoints[0]`` is all of them together; empty if nothing was measured."""

    name: str
    outcome: Outcome
    users: int
    duration_s: float
    endpoints: tuple[EndpointSummary, ...]
    limits: tuple[LimitResult, ...]
    findings: tuple[Finding, ...]
    comparison: DuetVerdict | None = None  # None: not compared with base
    diagnosis: Diagnosis | None = None  # changes no outcome
    trend: Trend | None = None  # None: the steady phase was too short for one

    @property
    def breaches(self) -> tuple[LimitResult, ...]:
        return tuple(limit for limit in self.limits if limit.outcome == "breached")


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

    @property
    def exit_code(self) -> int:
        if not self.blocks:
            return EXIT_PASS
        return EXIT_FAIL if self.outcome == "FAIL" else EXIT_PROVES_NOTHING


def judge(
    thresholds: Thresholds,
    run: RunInfo,
    recordings: Mapping[tuple[str, str], Recording],
    rules: tuple[Rule, ...] = RULES,
) -> Verdict:
    """Judge every scenario that the run planned. ``recordings`` are by scenario and recording."""
    planned: dict[str, dict[str, RecordingPlan]] = {}
    for plan in run.recordings:
        planned.setdefault(plan.scenario, {})[plan.recording] = plan
    judged = (_judge_planned(thresholds, run, plans, recordings, rules) for plans in planned.values())
    scenarios = tuple(_with_diagnosis(each, thresholds, run, recordings) for each in judged)
    findings = tuple(find_in_run(thresholds, run))
    outcome = _worst([*(scenario.outcome for scenario in scenarios), _outcome_of(findings, breached=False)])
    return Verdict(
        schema=VERDICT_SCHEMA,
        ci_gate_version=run.ci_gate_version,
        outcome=outcome,
        blocks=outcome in {"FAIL", "INVALID"}
        or (outcome == "INCONCLUSIVE" and thresholds.on_inconclusive == "block"),
        profile=run.profile,
        started_at=run.started_at,
        thresholds_file=thresholds.file,
        thresholds_sha256=thresholds.sha256,
        git=run.git,
        scenarios=scenarios,
        findings=findings,
    )


def judge_scenario(
    scenario: Scenario, plan: RecordingPlan, recording: Recording, rules: tuple[Rule, ...] = RULES
) -> ScenarioVerdict:
    """Judge one scenario on one recording of head."""
    case = make_case(scenario, plan, recording)
    findings = check_validity(case, rules)
    return ScenarioVerdict(
        name=scenario.name,
        outcome=_outcome_of(findings, breached=any(limit.outcome == "breached" for limit in case.limits)),
        users=scenario.user_count,
        duration_s=case.steady.duration_s,
        endpoints=case.summaries,
        limits=case.limits,
        findings=findings,
        trend=find_trend(case.steady),
    )


def _judge_planned(
    thresholds: Thresholds,
    run: RunInfo,
    plans: Mapping[str, RecordingPlan],
    recordings: Mapping[tuple[str, str], Recording],
    rules: tuple[Rule, ...],
) -> ScenarioVerdict:
    plan = plans.get(HEAD) or next(iter(plans.values()))
    scenario = thresholds.scenario(plan.scenario)
    if scenario is None:
        return _without_proof(plan, None, "thresholds.yaml does not have this scenario")
    failure, recording = run.failures.get(plan.scenario), recordings.get((plan.scenario, HEAD))
    judged = judge_scenario(scenario, plan, recording, rules) if recording else None
    if HEAD not in plans and DUET_HEAD in plans:
        judged = _without_proof(
            plan, None, "no limit was judged: this is a calibration, which never measures head alone"
        )
    elif failure or judged is None:
        return _without_proof(plan, judged, failure or "there is no evidence of it")
    judged = _with_trials(judged, scenario, recordings)
    if DUET_HEAD not in plans:
        return judged
    comparison = _judge_comparison(run, scenario, thresholds, plans, recordings, rules)
    # A measurement that cannot be trusted stays INVALID, whatever the duet after it showed.
    is_distrusted = any(finding.effect == "distrust" for finding in judged.findings)
    outcome = "INVALID" if is_distrusted else _worst([judged.outcome, _OF_DUET[comparison.outcome]])
    return msgspec.structs.replace(judged, outcome=outcome, comparison=comparison)


def _with_trials(
    judged: ScenarioVerdict, scenario: Scenario, recordings: Mapping[tuple[str, str], Recording]
) -> ScenarioVerdict:
    first, second = (recordings.get((scenario.name, name)) for name in TRIALS)
    left_over = find_left_over(scenario, first, second) if first and second else ()
    is_wrong = any(finding.effect == "distrust" for finding in left_over)
    outcome: Outcome = "INVALID" if is_wrong else judged.outcome
    return msgspec.structs.replace(judged, outcome=outcome, findings=(*judged.findings, *left_over))


def _with_diagnosis(
    judged: ScenarioVerdict,
    thresholds: Thresholds,
    run: RunInfo,
    recordings: Mapping[tuple[str, str], Recording],
) -> ScenarioVerdict:
    scenario = thresholds.scenario(judged.name)
    if scenario is None:
        return judged
    circumstances = gather_circumstances(thresholds, run, scenario, judged.limits, judged.comparison)
    own = {name: recording for (of, name), recording in recordings.items() if of == judged.name}
    return msgspec.structs.replace(judged, diagnosis=diagnose(circumstances, own))


def _judge_comparison(
    run: RunInfo,
    scenario: Scenario,
    thresholds: Thresholds,
    plans: Mapping[str, RecordingPlan],
    recordings: Mapping[tuple[str, str], Recording],
    rules: tuple[Rule, ...],
) -> DuetVerdict:
    base, head = (recordings.get((scenario.name, name)) for name in (DUET_BASE, DUET_HEAD))
    settings = thresholds.compare_scenario
    failure = run.failures.get(duet_name(scenario.name))
    if failure or base is None or head is None:
        return without_duet(settings, failure or "base and head were to be compared, and were not measured")
    return judge_duet(scenario, settings, (plans[DUET_BASE], plans[DUET_HEAD]), (base, head), rules)


def _without_proof(plan: RecordingPlan, judged: ScenarioVerdict | None, why: str) -> ScenarioVerdict:
    finding = Finding(
        code="not-measured",
        effect="distrust",
        subject="scenario",
        message=why,
        remedy="mend what stopped the measurement, and run again",
    )
    nothing = ScenarioVerdict(
        name=plan.scenario,
        outcome="INVALID",
        users=sum(plan.users.values()),
        duration_s=0.0,
        endpoints=(),
        limits=(),
        findings=(),
    )
    judged = judged or nothing
    return msgspec.structs.replace(judged, outcome="INVALID", findings=(finding, *judged.findings))


def _outcome_of(findings: tuple[Finding, ...], *, breached: bool) -> Outcome:
    effects = {finding.effect for finding in findings}
    if "distrust" in effects:
        return "INVALID"
    if breached:
        return "FAIL"
    return "INVALID" if "unproven" in effects else "PASS"


def _worst(outcomes: Iterable[Outcome]) -> Outcome:
    """A proven regression says more than a run that proves nothing, and that more than a doubt."""
    ranks: tuple[Outcome, ...] = ("PASS", "INCONCLUSIVE", "INVALID", "FAIL")
    return max(outcomes, key=ranks.index)


def encode_verdict(verdict: Verdict) -> bytes:
    """verdict.json, indented by one, with a final newline."""
    return msgspec.json.format(msgspec.json.encode(verdict), indent=1) + b"\n"


def decode_verdict(text: bytes) -> Verdict:
    """The reverse, for text that may be hostile. Raises EvidenceError for anything but a verdict we wrote."""
    return decode_document(text, Verdict, name="verdict", schema=VERDICT_SCHEMA, most_bytes=MAX_VERDICT_BYTES)
