"""What made a verdict what it is, by how much, and what to do next: sentences with a subject."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ci_gate.judge.compare.comparison import Change
from ci_gate.judge.limits import LimitResult
from ci_gate.judge.verdict import ScenarioVerdict, Verdict
from ci_gate.report.against_base import format_change, format_interval
from ci_gate.report.cells import format_bound, format_measured, format_percent
from ci_gate.report.comment import Report
from ci_gate.report.detail import keep_together
from ci_gate.report.reasons import list_blocking, put_reasons
from ci_gate.wording import count, format_number

_TIGHT: Final = 0.9
_TIMES: Final = 2.0  # from here on a multiple reads better than a percentage


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """``subject`` is a name, shown as code; ``kind`` is an outcome in lower case, or empty."""

    subject: str
    text: str
    kind: str = ""
    href: str = ""


def explain(scenario: ScenarioVerdict) -> tuple[Sentence, ...]:
    """Why a scenario did not pass, the most telling first; nothing for one that did."""
    broken = (*_explain_limits(scenario), *_explain_comparison(scenario))
    findings = tuple(
        Sentence(subject=finding.about, text=finding.message, kind="invalid")
        for finding in list_blocking(scenario.findings)
    )
    return put_reasons(scenario, broken, findings)


def _explain_limits(scenario: ScenarioVerdict) -> Iterator[Sentence]:
    for limit in scenario.breaches:
        text = f"was {format_measured(limit)}, must be {format_bound(limit)}: {describe_excess(limit)}"
        yield Sentence(subject=f"{limit.endpoint} {limit.metric}", text=text, kind="fail")


def _explain_comparison(scenario: ScenarioVerdict) -> Iterator[Sentence]:
    if scenario.comparison is None:
        return
    for change in scenario.comparison.changes:
        subject, text = f"{change.endpoint} {change.metric}", _describe_change(change)
        if change.outcome == "fail":
            yield Sentence(subject=subject, text=text, kind="fail")
        elif (change.outcome, scenario.outcome) == ("inconclusive", "INCONCLUSIVE"):
            unseen = f"; less than {change.mde * 100:.1f} % could not be seen"
            yield Sentence(subject=subject, text=text + unseen, kind="inconclusive")
    for finding in list_blocking(scenario.comparison.findings):
        yield Sentence(subject=finding.about, text=finding.message, kind="inconclusive")


def _describe_change(change: Change) -> str:
    change_text, interval = keep_together(format_change(change)), keep_together(format_interval(change))
    size = f"changed by {change_text} ({interval}) against base"
    return f"{size}, the tolerance is {format_percent(change.tolerance)}"


def describe_excess(limit: LimitResult) -> str:
    """By how much a limit is broken, or how much of it is used."""
    used = share_of_limit(limit)
    if used is None:
        return "it allows none" if limit.outcome == "breached" else ""
    if limit.is_floor:
        return f"{_percent(1 - used)} too little" if used < 1 else f"{_percent(used)} of the floor"
    if used >= _TIMES:
        return f"{format_number(used)} times the limit"
    return f"{_percent(used - 1)} above it" if used > 1 else f"{_percent(used)} of the limit"


def _percent(share: float) -> str:
    return f"{format_number(share * 100)} %"


def share_of_limit(limit: LimitResult) -> float | None:
    """Measured / bound; None without either."""
    return limit.measured / limit.bound if limit.bound > 0 and limit.measured is not None else None


def find_tightest(scenarios: Sequence[ScenarioVerdict]) -> tuple[ScenarioVerdict, LimitResult, float] | None:
    """The kept limit that is nearest to breaking, and how much of it is used up; for a floor, its inverse."""
    used = [
        (scenario, limit, 1 / share if limit.is_floor else share)
        for scenario in scenarios
        for limit in scenario.limits
        if limit.outcome == "kept" and (share := share_of_limit(limit))
    ]
    return max(used, key=lambda each: each[2], default=None)


def advise(report: Report) -> tuple[Sentence, ...]:
    """What to do next, each said once."""
    return tuple(dict.fromkeys([*_advise_on_changes(report), *_advise_on_verdict(report.verdict)]))


def _advise_on_changes(report: Report) -> Iterator[Sentence]:
    if report.approval is not None and report.approval.is_missing:
        settings = count(report.approval.loosened, "setting")
        yield Sentence(
            subject=report.approval.label,
            text=f"with this label a maintainer approves exactly what is loosened here: {settings}",
            href="#changes",
        )


def _advise_on_verdict(verdict: Verdict) -> Iterator[Sentence]:
    for finding in list_blocking(verdict.findings):
        yield Sentence(subject=finding.about, text=finding.remedy)
    for number, scenario in enumerate(verdict.scenarios):
        yield from _advise_on_scenario(scenario, f"#s{number}")
    if verdict.outcome == "PASS":
        tightest = find_tightest(verdict.scenarios)
        if tightest and tightest[2] >= _TIGHT:
            scenario, limit, _ = tightest
            text = (
                f"{limit.endpoint} {limit.metric} is at {describe_excess(limit)}: little more will break it"
            )
            yield Sentence(subject=scenario.name, text=text)


def _advise_on_scenario(scenario: ScenarioVerdict, href: str) -> Iterator[Sentence]:
    if scenario.outcome == "FAIL":
        causes = scenario.diagnosis.causes if scenario.diagnosis else ()
        if causes:
            text = f"{causes[0].title}: {causes[0].next_step}"
        else:
            text = "nothing that was observed explains it: the charts show when it began and what rose too"
        yield Sentence(subject=scenario.name, text=text, href=f"{href}-diagnosis" if causes else href)
    elif scenario.outcome == "INCONCLUSIVE" and scenario.comparison and scenario.comparison.changes:
        text = "this run could not see so little: raise max_duration, fit compare_load, or tolerate more"
        yield Sentence(subject=scenario.name, text=text, href=href)
    for remedy, subjects in _group_by_remedy(scenario).items():
        more = f" and {len(subjects) - 1} more" if len(subjects) > 1 else ""
        yield Sentence(subject=scenario.name, text=f"{subjects[0]}{more}: {remedy}", href=href)


def _group_by_remedy(scenario: ScenarioVerdict) -> dict[str, list[str]]:
    """The subjects of the findings that block, each once, by what would fix them."""
    subjects: dict[str, list[str]] = {}
    findings = (*scenario.findings, *(scenario.comparison.findings if scenario.comparison else ()))
    for remedy, subject in dict.fromkeys((each.remedy, each.about) for each in list_blocking(findings)):
        subjects.setdefault(remedy, []).append(subject)
    return subjects
