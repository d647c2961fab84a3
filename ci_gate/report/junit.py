"""A verdict as JUnit XML, for what shows test results: a suite per scenario, a case per thing judged.

The form is that of the Jenkins xUnit plugin's junit-10.xsd, kept to what Jenkins, GitLab and the usual
actions on GitHub read alike. GitLab shows a case's class name as its suite, the text inside a failure and not
its message, and of two cases with one name only the first: hence class names, texts, and unique names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal
from xml.etree import ElementTree as ET

from ci_gate.judge.compare.comparison import Change, NotCompared
from ci_gate.judge.compare.duet import DuetVerdict
from ci_gate.judge.limits import LimitResult
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.validity.findings import Finding
from ci_gate.judge.verdict import ScenarioVerdict, Verdict
from ci_gate.report.escape import MAX_NAME_LENGTH, MAX_TEXT_LENGTH, clean
from ci_gate.report.explain import (
    describe_change,
    describe_detectable,
    describe_missing,
    list_blocking,
    name_subject,
)
from ci_gate.report.limits import describe_limit
from ci_gate.wording import count, format_exact

_State = Literal["passed", "skipped", "failure", "error"]
_UNTRUSTED: Final = "not judged: the measurement cannot be trusted"
_OF_THE_RUN: Final = "(run)"  # no scenario can have this name


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One line of a test report. ``kind`` is the type of what kept it from passing, ``detail`` more of it."""

    name: str
    message: str
    state: _State = "passed"
    kind: str = ""
    detail: tuple[str, ...] = ()


def render_junit(verdict: Verdict) -> str:
    """The whole verdict as XML. A breach is a failure; what could not be judged is an error and never passes.

    What a comparison left unclear is skipped, or a failure where that blocks.
    """
    undecided: _State = "failure" if verdict.outcome == Outcome.INCONCLUSIVE and verdict.blocks else "skipped"
    root = ET.Element("testsuites", name="ci-gate")
    every: list[_Case] = []
    for scenario in verdict.scenarios:
        cases = _complete(_scenario_cases(scenario, verdict, undecided), scenario.outcome, undecided)
        root.append(_make_suite(scenario.name, cases, verdict, scenario))
        every += cases
    found = [_describe_finding(finding, "error") for finding in list_blocking(verdict.findings)]
    missing = _complete([*every, *found], verdict.outcome, undecided)[len(every) :]
    if missing:
        root.append(_make_suite(_OF_THE_RUN, missing, verdict, None))
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    ET.indent(root, " ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _choose_state(outcome: Outcome, undecided: _State = "skipped") -> _State:
    states: dict[Outcome, _State] = {
        Outcome.PASS: "passed",
        Outcome.INCONCLUSIVE: undecided,
        Outcome.INVALID: "error",
        Outcome.FAIL: "failure",
    }
    return states[outcome]


def _complete(cases: Iterable[_Case], outcome: Outcome, undecided: _State) -> list[_Case]:
    """The cases, and one more where none of them says what the outcome says."""
    complete, state = list(cases), _choose_state(outcome, undecided)
    if state != "passed" and all(case.state != state for case in complete):
        complete.append(_Case(name="verdict", message=outcome, state=state, kind=outcome))
    return complete


def _scenario_cases(scenario: ScenarioVerdict, verdict: Verdict, undecided: _State) -> Iterator[_Case]:
    is_invalid = any(finding.severity == "invalid" for finding in scenario.findings)
    for limit in scenario.limits:
        yield _doubt(_judge_limit(limit, verdict.thresholds_file), "error" if is_invalid else None)
    for finding in list_blocking(scenario.findings):
        yield _describe_finding(finding, "error")
    duet = scenario.comparison
    if duet is None:
        return
    of_findings: _State = "error" if duet.outcome == Outcome.INVALID else undecided
    is_doubtful = is_invalid or any(finding.severity == "invalid" for finding in duet.findings)
    doubt: _State | None = ("error" if is_invalid else of_findings) if is_doubtful else None
    for case in _comparison_cases(duet, undecided):
        yield _doubt(case, doubt)
    for finding in duet.findings:
        yield _describe_finding(finding, of_findings)


def _doubt(case: _Case, state: _State | None) -> _Case:
    """What was measured shows neither good nor bad where the measurement itself is in doubt."""
    if state is None:
        return case
    return replace(case, state=state, kind=Outcome.INVALID, message=f"{_UNTRUSTED}: {case.message}")


def _judge_limit(limit: LimitResult, file: str) -> _Case:
    counted = f"{count(limit.samples, 'sample')}, needed {limit.needed:,}"
    return _Case(
        name=name_subject(limit.endpoint, limit.metric),
        message=describe_limit(limit),
        state=_choose_state(limit.outcome),
        kind=limit.outcome,
        detail=(counted, f"{file}:{limit.line}" if limit.line else "a default of ci-gate"),
    )


def _comparison_cases(duet: DuetVerdict, undecided: _State) -> Iterator[_Case]:
    for change in duet.changes:
        yield _judge_change(change, duet, undecided)
    for missing in duet.not_compared:
        yield _Case(
            name=_name_comparison(missing),
            message=describe_missing(missing),
            state=undecided if missing.outcome == Outcome.INCONCLUSIVE else "skipped",
            kind="not compared",
        )


def _judge_change(change: Change, duet: DuetVerdict, undecided: _State) -> _Case:
    of_unclear: _State = undecided if change.leaves_open else "skipped"
    return _Case(
        name=_name_comparison(change),
        message=describe_change(change, duet),
        state=_choose_state(change.outcome, of_unclear),
        kind=change.outcome,
        detail=() if change.outcome == Outcome.INCONCLUSIVE else (describe_detectable(change),),
    )


def _name_comparison(asked: Change | NotCompared) -> str:
    return f"{name_subject(asked.endpoint, asked.metric)} against base"


def _describe_finding(finding: Finding, state: _State) -> _Case:
    return _Case(
        name=f"{finding.code}: {finding.about}",
        message=finding.message,
        state=state,
        kind=finding.code,
        detail=(f"To fix it: {finding.remedy}",),
    )


def _make_suite(
    name: str, cases: Sequence[_Case], verdict: Verdict, scenario: ScenarioVerdict | None
) -> ET.Element:
    states: Counter[str] = Counter(case.state for case in cases)
    suite = ET.Element("testsuite", name=clean(name, MAX_NAME_LENGTH), tests=str(len(cases)))
    for attribute, state in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(states[state]))
    suite.set("time", f"{scenario.duration_s if scenario else 0:.3f}")
    suite.set("timestamp", clean(verdict.started_at, MAX_NAME_LENGTH))
    properties = ET.SubElement(suite, "properties")
    for key, value in _properties(verdict, scenario).items():
        ET.SubElement(properties, "property", name=key, value=clean(value, MAX_NAME_LENGTH))
    class_name = f"ci-gate.{suite.get('name')}"
    for unique, case in zip(_make_unique(case.name for case in cases), cases, strict=True):
        suite.append(_make_case(case, unique, class_name))
    return suite


def _make_unique(names: Iterable[str]) -> Iterator[str]:
    """Names as they are shown, with a number behind one that came before."""
    used: Counter[str] = Counter()
    for name in names:
        shown = unique = clean(name, MAX_NAME_LENGTH)
        while used[unique]:
            used[shown] += 1
            unique = f"{shown} ({used[shown]})"
        used[unique] += 1
        yield unique


def _make_case(case: _Case, name: str, class_name: str) -> ET.Element:
    element = ET.Element("testcase", name=name, classname=class_name, time="0.000")
    message = clean(case.message, MAX_TEXT_LENGTH)
    text = "\n".join([message, *(clean(line, MAX_TEXT_LENGTH) for line in case.detail)])
    if case.state == "passed":
        ET.SubElement(element, "system-out").text = text
    else:
        kind = clean(case.kind, MAX_NAME_LENGTH)
        ET.SubElement(element, case.state, type=kind, message=message).text = text
    return element


def _properties(verdict: Verdict, scenario: ScenarioVerdict | None) -> dict[str, str]:
    of_run = {
        "outcome": scenario.outcome if scenario else verdict.outcome,
        "profile": verdict.profile,
        "commit": verdict.git.get("head", "unknown"),
        "thresholds": verdict.thresholds_file,
        "thresholds_sha256": verdict.thresholds_sha256,
        "ci_gate_version": verdict.ci_gate_version,
    }
    if scenario is None or not scenario.endpoints:
        return of_run
    rate = format_exact(round(scenario.endpoints[0].rate_per_s, 3))
    return {**of_run, "users": str(scenario.users), "rate_per_s": rate}
