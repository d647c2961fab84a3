"""What to do next, in sentences with a subject."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ci_gate.judge.outcome import Outcome
from ci_gate.judge.verdict import ScenarioVerdict, Verdict
from ci_gate.report.explain import list_blocking
from ci_gate.report.limits import describe_excess, find_tightest
from ci_gate.report.report import Report
from ci_gate.wording import count

_TIGHT: Final = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """``subject`` is a name, shown as code; ``href`` leads to what it is about, empty where nothing does."""

    subject: str
    text: str
    href: str = ""


def advise(report: Report) -> tuple[Advice, ...]:
    """What to do next in the order to do it, each once; empty where there is nothing to do."""
    return tuple(dict.fromkeys([*_advise_on_changes(report), *_advise_on_verdict(report.verdict)]))


def _advise_on_changes(report: Report) -> Iterator[Advice]:
    if report.approval is not None and report.approval.is_missing:
        settings = count(report.approval.loosened, "setting")
        yield Advice(
            subject=report.approval.label,
            text=f"with this label a maintainer approves exactly what is loosened here: {settings}",
            href="#changes",
        )


def _advise_on_verdict(verdict: Verdict) -> Iterator[Advice]:
    for finding in list_blocking(verdict.findings):
        yield Advice(subject=finding.about, text=finding.remedy)
    for number, scenario in enumerate(verdict.scenarios):
        yield from _advise_on_scenario(scenario, f"#s{number}")
    if verdict.outcome == Outcome.PASS:
        tightest = find_tightest(verdict.scenarios)
        if tightest and tightest[2] >= _TIGHT:
            scenario, limit, _ = tightest
            text = (
                f"{limit.endpoint} {limit.metric} is at {describe_excess(limit)}: little more will break it"
            )
            yield Advice(subject=scenario.name, text=text)


def _advise_on_scenario(scenario: ScenarioVerdict, href: str) -> Iterator[Advice]:
    if scenario.outcome == Outcome.FAIL:
        causes = scenario.diagnosis.causes if scenario.diagnosis else ()
        if causes:
            text = f"{causes[0].title}: {causes[0].next_step}"
        else:
            text = "nothing that was observed explains it: the charts show when it began and what rose too"
        yield Advice(subject=scenario.name, text=text, href=f"{href}-diagnosis" if causes else href)
    elif scenario.outcome == Outcome.INCONCLUSIVE and scenario.comparison and scenario.comparison.changes:
        text = "a change this small was not detectable: raise max_duration, fit compare_load or tolerate more"
        if any(map(scenario.comparison.find_start, scenario.comparison.changes)):
            text = "what the first start showed, the second did not: run it again"
        yield Advice(subject=scenario.name, text=text, href=href)
    for remedy, subjects in _group_by_remedy(scenario).items():
        more = f" and {len(subjects) - 1} more" if len(subjects) > 1 else ""
        yield Advice(subject=scenario.name, text=f"{subjects[0]}{more}: {remedy}", href=href)


def _group_by_remedy(scenario: ScenarioVerdict) -> dict[str, list[str]]:
    """The subjects of the findings that block, each once, by what would fix them."""
    subjects: dict[str, list[str]] = {}
    findings = (*scenario.findings, *(scenario.comparison.findings if scenario.comparison else ()))
    for remedy, subject in dict.fromkeys((each.remedy, each.about) for each in list_blocking(findings)):
        subjects.setdefault(remedy, []).append(subject)
    return subjects
