"""What made a verdict what it is, in sentences of Markdown: always open, the most telling first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

from ci_gate.judge.compare.comparison import Change
from ci_gate.judge.compare.duet import NOT_COMPARED
from ci_gate.judge.limits import LimitResult
from ci_gate.judge.validity.findings import Finding
from ci_gate.judge.verdict import ScenarioVerdict, Verdict
from ci_gate.report.against_base import format_change, format_interval
from ci_gate.report.cells import format_measured, format_percent
from ci_gate.report.document import Piece, Rank, make_list
from ci_gate.report.escape import code_span, escape_markdown

_DUET_SYMBOLS: Final = {"fail": "❌", "inconclusive": "❔"}
_DECIDING: Final = {("inconclusive", "INCONCLUSIVE"), ("invalid", "INVALID")}
MAX_REASONS: Final = 6
T = TypeVar("T")


def make_reasons(scenario: ScenarioVerdict) -> Piece:
    """What made this scenario what it is, the most telling first; the rest is in the folds."""
    breaches, regressions = scenario.breaches, list_regressions(scenario)
    blocking = list_blocking(scenario.findings)
    broken = (*(f"- ❌ {_describe_breach(limit)}" for limit in breaches), *regressions)
    found = tuple(f"- {describe_finding(finding)}" for finding in blocking)
    lines = put_reasons(scenario, broken, found)[:MAX_REASONS]
    more = len(breaches) + len(regressions) + len(blocking) - len(lines)
    if more:
        lines += (f"- {more:,} more, folded below",)
    return Piece(items=lines, noun="reason", rank=Rank.REASONS, head=f"**{code_span(scenario.name)}**\n")


def put_reasons(scenario: ScenarioVerdict, broken: Sequence[T], found: Sequence[T]) -> tuple[T, ...]:
    """What is broken, then what was found; the other way round where the run proves nothing of limits."""
    return (*found, *broken) if scenario.outcome == "INVALID" else (*broken, *found)


def count_told(scenario: ScenarioVerdict) -> int:
    """How many of the findings that block are among the reasons."""
    broken = [False] * (len(scenario.breaches) + len(list_regressions(scenario)))
    found = [True] * len(list_blocking(scenario.findings))
    return sum(put_reasons(scenario, broken, found)[:MAX_REASONS])


def _describe_breach(limit: LimitResult) -> str:
    measured = f"{code_span(limit.endpoint)} {code_span(limit.metric)} was **{format_measured(limit)}**"
    return f"{measured}, must be at {'least' if limit.is_floor else 'most'} {code_span(limit.text)}"


def list_regressions(scenario: ScenarioVerdict) -> list[str]:
    """Tolerances that are broken; where that made the outcome, those that could not be judged."""
    return [
        f"- {_DUET_SYMBOLS[change.outcome]} {_describe_change(change)}"
        for change in (scenario.comparison.changes if scenario.comparison else ())
        if change.outcome == "fail" or (change.outcome, scenario.outcome) == ("inconclusive", "INCONCLUSIVE")
    ] + [f"- {_doubt(finding)}" for finding in list_doubts(scenario)]


def list_doubts(scenario: ScenarioVerdict) -> list[Finding]:
    """What kept base and head from being compared at all, or kept the comparison from being trusted."""
    duet = scenario.comparison
    decides = duet is not None and (duet.outcome, scenario.outcome) in _DECIDING
    return list_blocking(duet.findings) if duet and decides else []


def _doubt(finding: Finding) -> str:
    told = describe_finding(finding)
    return told.replace("🚫", "❔", 1) if finding.code == NOT_COMPARED else told


def _describe_change(change: Change) -> str:
    what = f"{code_span(change.endpoint)} {code_span(change.metric)}"
    size = f"**{format_change(change)}** ({format_interval(change)}) against base"
    allowed = f"the tolerance is {format_percent(change.tolerance)}"
    if change.outcome == "inconclusive":
        return f"{what}: {size}; {allowed}, and less than {change.mde * 100:.1f} % could not be seen"
    return f"{what} changed by {size}, {allowed}"


def list_blocking(findings: Sequence[Finding]) -> list[Finding]:
    """Those that stand against a PASS."""
    return [finding for finding in findings if finding.severity != "info"]


def describe_finding(finding: Finding) -> str:
    """One finding as Markdown, with what would fix it unless it is a note."""
    said = f"{code_span(finding.about)}: {escape_markdown(finding.message)}"
    if finding.severity == "info":
        return f"💬 {said}"
    return f"🚫 {said}. *To fix it:* {escape_markdown(finding.remedy)}."


def make_run_findings(verdict: Verdict) -> Piece:
    """What was found about the run as a whole."""
    return make_list(verdict.findings, describe_finding, noun="finding", rank=Rank.REASONS)
