"""The verdict as plain text for a terminal or a log: the cause first, then every limit, kept ones too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tabulate import tabulate

from ci_gate.judge.compare.comparison import Change
from ci_gate.judge.compare.duet import DuetVerdict
from ci_gate.judge.limits import LimitResult
from ci_gate.judge.outcome import WORST_FIRST, Outcome
from ci_gate.judge.stages import StageSummary
from ci_gate.judge.verdict import ScenarioVerdict, Verdict
from ci_gate.report.against_base import (
    describe_duet,
    describe_starts,
    format_change,
    format_interval,
    format_sides,
    summarise_duet,
)
from ci_gate.report.cells import (
    format_bound,
    format_measured,
    format_ms,
    format_percent,
    format_rate,
    format_share,
)
from ci_gate.report.code import explain_code_in_terminal
from ci_gate.report.detail import format_figures
from ci_gate.report.diagnosis import explain_in_terminal
from ci_gate.report.escape import clean
from ci_gate.report.explain import (
    Kind,
    Sentence,
    describe_deciding,
    explain,
    explain_finding,
    explain_rest,
    name_subject,
)
from ci_gate.report.headline import summarise_in_a_sentence
from ci_gate.report.limits import describe_excess, describe_when
from ci_gate.report.outcome_words import MARKS, count_outcomes
from ci_gate.report.report import Report
from ci_gate.thresholds import ALL_ENDPOINTS, metric_of
from ci_gate.wording import NOTHING, count

HEADERS = (
    "scenario",
    "verdict",
    "users",
    "requests",
    "rate",
    "p50",
    "p95",
    "p99",
    "failures",
    "against base",
)

_LABELS: Final[dict[Kind, str]] = {
    "breach": "FAIL",
    "worse": "FAIL",
    "unclear": "unclear",
    "invalid": "INVALID",
    "info": "note",
}
_MAX_SUBJECT: Final = 60  # so that one long name does not move the figures of all out of sight
_NEXT: Final = "\n          -> "


def render_terminal(verdict: Verdict) -> str:
    """Plain text: a table of scenarios, of each the cause and its limits, then the verdict in a sentence."""
    rows = [scenario_row(scenario) for scenario in verdict.scenarios]
    parts = [
        tabulate(rows, headers=HEADERS, disable_numparse=True, colalign=("left", "left", *["right"] * 7))
    ]
    for scenario, checks in zip(verdict.scenarios, _align_checks(verdict.scenarios), strict=True):
        parts.append("\n".join([f"{scenario.name}:", *_explain(scenario, checks)]))
    if verdict.findings:
        parts.append("\n".join(_mark(explain_finding(finding)) for finding in verdict.findings))
    return "\n\n".join([*parts, headline(verdict)]) + "\n"


def scenario_row(scenario: ScenarioVerdict) -> tuple[str, ...]:
    """The cells under HEADERS for one scenario."""
    first = (scenario.name, scenario.outcome, f"{scenario.users:,}")
    if not scenario.endpoints:
        return (*first, *[NOTHING] * (len(HEADERS) - len(first)))
    total = scenario.endpoints[0]
    return (
        *first,
        f"{total.requests:,}",
        *format_figures(total),
        format_share(total.failure_share),
        summarise_duet(scenario.comparison),
    )


def headline(verdict: Verdict) -> str:
    """The verdict in a sentence, and how many scenarios had which."""
    counts = count_outcomes(scenario.outcome for scenario in verdict.scenarios)
    summary = summarise_in_a_sentence(Report(verdict=verdict))
    return f"{summary} ({counts or 'no scenario'}; profile {verdict.profile or NOTHING})"


def _explain(scenario: ScenarioVerdict, checks: Sequence[str]) -> Iterator[str]:
    """What was found, why it was slow, every limit and tolerance, and what else is worth knowing."""
    yield from (_mark(each) for each in explain(scenario) if each.code is not None)
    yield from explain_in_terminal(scenario)
    yield from explain_code_in_terminal(scenario)
    yield from checks
    yield from map(_describe_stage, scenario.stages)
    if scenario.comparison:
        yield f"  {describe_duet(scenario.comparison)}"
    yield from (
        _mark(each) for each in explain_rest(scenario) if each.code is not None or each.kind == "info"
    )


def _align_checks(scenarios: Sequence[ScenarioVerdict]) -> Iterator[list[str]]:
    """For each scenario a line for each limit and tolerance, all of them in the same columns."""
    checks = [_list_checks(scenario) for scenario in scenarios]
    text = tabulate(
        [check.cells for each in checks for check in each],
        tablefmt="plain",
        disable_numparse=True,
        colalign=("left", "right", "left", "left"),
    )
    lines = iter(text.split("\n"))
    for each in checks:
        yield [f"  {next(lines).rstrip()}{check.remedy and f'{_NEXT}{check.remedy}'}" for check in each]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Check:
    """A limit or a tolerance as a row: what it is of, what was measured, what is allowed, and how far off."""

    outcome: Outcome
    subject: str
    measured: str = ""
    allowed: str = ""
    distance: str = ""
    remedy: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        return f"{MARKS[self.outcome]} {self.subject}", self.measured, self.allowed, self.distance


def _list_checks(scenario: ScenarioVerdict) -> list[_Check]:
    """The worst first, limits before tolerances."""
    checks = [*map(_check_limit, scenario.limits), *_check_changes(scenario)]
    return sorted(checks, key=lambda check: WORST_FIRST.index(check.outcome))


def _check_limit(limit: LimitResult) -> _Check:
    is_short = limit.outcome == Outcome.INVALID
    samples = f"too few samples: {limit.samples:,} of {limit.needed:,}"
    samples = "too few readings" if limit.lacks_readings else samples
    return _Check(
        outcome=limit.outcome,
        subject=_name_check(limit.endpoint, limit.metric),
        measured=format_measured(limit),
        allowed=format_bound(limit) + ("" if limit.line else " (default)"),
        distance=samples if is_short else f"{describe_excess(limit)}{describe_when(limit)}",
    )


def _check_changes(scenario: ScenarioVerdict) -> Iterator[_Check]:
    """All but the kept ones of single endpoints, which are counted."""
    duet, kept = scenario.comparison, 0
    is_open = scenario.outcome == Outcome.INCONCLUSIVE
    for change in duet.changes if duet else ():
        if change.outcome == Outcome.PASS and change.endpoint != ALL_ENDPOINTS:
            kept += 1
        elif duet:
            yield _check_change(change, duet, is_open=is_open)
    if kept:
        what = count(kept, "more comparison with base", "more comparisons with base")
        distance = "of single endpoints: no worse than tolerated"
        yield _Check(outcome=Outcome.PASS, subject=what, distance=distance)


def _check_change(change: Change, duet: DuetVerdict, *, is_open: bool) -> _Check:
    """With what would decide an unclear one, where the outcome of all hangs on it."""
    metric, (base, head) = metric_of(change.metric), format_sides(change)
    tolerance = format_percent(change.tolerance).replace("%", "pp" if metric.is_share else "%")
    starts = describe_starts(change, duet)
    return _Check(
        outcome=change.outcome,
        subject=_name_check(change.endpoint, change.metric),
        measured=f"{base} → {head}",
        allowed=f"at most {'-' if metric.is_floor else '+'}{tolerance}",
        distance=f"{format_change(change)} ({format_interval(change)}) against base"
        + (f"; two starts: {starts}" if starts else ""),
        remedy=describe_deciding(change, duet)
        if is_open and duet.duration_s and change.outcome == Outcome.INCONCLUSIVE
        else "",
    )


def _name_check(endpoint: str, metric: str) -> str:
    return name_subject(clean(endpoint, _MAX_SUBJECT), metric)


def _describe_stage(stage: StageSummary) -> str:
    when = f"{stage.begin_s:,.0f} s to {stage.begin_s + stage.duration_s:,.0f} s"
    times = zip(("p50", "p95", "p99"), (stage.p50_ms, stage.p95_ms, stage.p99_ms), strict=True)
    figures = ", ".join(f"{name} {format_ms(value)}" for name, value in times)
    return f"  stage   {when}: {count(stage.users, 'user')}, {format_rate(stage.rate_per_s)}, {figures}"


def _mark(sentence: Sentence) -> str:
    code = "" if sentence.code is None else f"[{sentence.code}] "
    remedy = "" if sentence.remedy is None else f"{_NEXT}{sentence.remedy}"
    return f"  {_LABELS[sentence.kind]:7} {code}{sentence.plain}{remedy}"
