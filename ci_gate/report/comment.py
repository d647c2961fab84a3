"""The one comment: a sentence, a table, the reasons; then, folded, all the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ci_gate.judge.changes.approval import Approval
from ci_gate.judge.changes.rejudge import UnderBase
from ci_gate.judge.changes.threshold_changes import ThresholdChange
from ci_gate.judge.gate.mistakes import BAD_INPUT
from ci_gate.judge.outcome import WORST_FIRST, Outcome
from ci_gate.judge.validity.findings import Finding
from ci_gate.judge.verdict import ScenarioVerdict, Verdict
from ci_gate.report.against_base import find_missing, summarise_duet
from ci_gate.report.cells import format_share
from ci_gate.report.changes import explain_approval, make_change_pieces
from ci_gate.report.detail import (
    format_figures,
    keep_together,
    make_comparison_pieces,
    make_endpoint_pieces,
    make_limit_pieces,
    make_more_findings,
)
from ci_gate.report.diagnosis import make_diagnoses
from ci_gate.report.document import Rank, make_table, render_within
from ci_gate.report.escape import MAX_NAME_LENGTH, clean, code_span, escape_markdown
from ci_gate.report.explain import list_blocking
from ci_gate.report.outcome_words import SYMBOLS
from ci_gate.report.reasons import make_reasons, make_run_findings
from ci_gate.report.reproduction import make_reproduction
from ci_gate.wording import NOTHING, count

MAX_COMMENT_BYTES: Final = 65_000  # GitHub refuses a comment of more than 65,536 characters
MAX_SUMMARY_BYTES: Final = 1_000_000  # GitHub drops a job summary of more than 1 MiB

# GitHub shows about 734 px of a table, a phone half of that: what this change did comes first.
_SCENARIO_HEADERS: Final = (
    "verdict",
    "scenario",
    "against base",
    "p95",
    "failures",
    "rate",
    "p50",
    "p99",
    "requests",
    "users",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that the comment and the job summary say."""

    verdict: Verdict
    changes: tuple[ThresholdChange, ...] = ()
    under_base: tuple[UnderBase, ...] = ()
    approval: Approval | None = None
    run_url: str = ""
    head_sha: str = ""  # of the pull request itself; empty where there is none

    @property
    def is_unapproved(self) -> bool:
        return self.approval is not None and self.approval.is_missing

    @property
    def outcome(self) -> Outcome:
        """The verdict's own, or FAIL for what was loosened without approval."""
        return Outcome.FAIL if self.is_unapproved else self.verdict.outcome


def render_report(report: Report, max_bytes: int) -> str:
    """Markdown of ``max_bytes`` at most: detail is left out in a defined order, and counted at the end."""
    scenarios = sorted(report.verdict.scenarios, key=lambda scenario: WORST_FIRST.index(scenario.outcome))
    headline = escape_markdown(_summarise(report, scenarios))
    opening = [f"## {SYMBOLS[report.outcome]} {report.outcome}: {headline}"]
    opening += explain_approval(report.approval, report.changes) if report.approval else ()
    pieces = [
        make_table(
            _SCENARIO_HEADERS, map(_scenario_row, scenarios), "lllrrrrrrr", noun="scenario", rank=Rank.TABLE
        ),
        *(make_reasons(scenario) for scenario in scenarios),
        make_run_findings(report.verdict),
        *(make_change_pieces(report.changes, report.under_base) if report.changes else ()),
        *make_diagnoses(scenarios),
        *make_limit_pieces(scenarios),
        *make_comparison_pieces(scenarios),
        *make_endpoint_pieces(scenarios),
        *make_more_findings(scenarios),
        make_reproduction(report.verdict, scenarios),
    ]
    return render_within("\n\n".join(opening), pieces, _footer(report), max_bytes)


def summarise_in_a_sentence(report: Report) -> str:
    """The headline as plain text, at most 140 characters, for a commit status."""
    scenarios = report.verdict.scenarios
    return clean(f"{report.outcome}: {_summarise(report, scenarios)}", 140)


def _summarise(report: Report, scenarios: Sequence[ScenarioVerdict]) -> str:
    outcome = report.verdict.outcome
    if report.is_unapproved and outcome == Outcome.PASS:
        return "thresholds are loosened without approval"
    if outcome == Outcome.PASS:
        limits = sum(len(scenario.limits) for scenario in scenarios)
        kept = "its only limit" if limits == 1 else f"all {limits:,} limits"
        return f"{count(len(scenarios), 'scenario')} kept {kept}"
    if not scenarios:
        return _explain_nothing(report.verdict.findings)
    breaches = sum(len(scenario.breaches) for scenario in scenarios)
    worse = sum(
        change.outcome == Outcome.FAIL
        for scenario in scenarios
        for change in (scenario.comparison.changes if scenario.comparison else ())
    )
    broken = [count(breaches, "limit")] * bool(breaches) + [count(worse, "tolerance")] * bool(worse)
    texts = {
        Outcome.FAIL: f"broke {' and '.join(broken)}" if broken else "failed, but no limit is named",
        Outcome.INVALID: "could not be judged",
        Outcome.INCONCLUSIVE: _explain_inconclusive(scenarios),
    }
    parts = [f"{who} {what}" for each, what in texts.items() if (who := _name_those(scenarios, each))]
    return ", ".join(parts) or "the run could not be judged"


def _explain_inconclusive(scenarios: Sequence[ScenarioVerdict]) -> str:
    why = find_missing(each.comparison for each in scenarios if each.outcome == Outcome.INCONCLUSIVE)
    return f"had no comparison with base ({why})" if why else "was not clear against base within the budget"


def _explain_nothing(findings: Sequence[Finding]) -> str:
    """Why there is no scenario."""
    blocking = list_blocking(findings)
    if not blocking:
        return "the run could not be judged"
    mistakes = [finding for finding in blocking if finding.code == BAD_INPUT]
    if len(mistakes) > 1:
        return f"nothing was measured, for {len(mistakes):,} mistakes, the first at {mistakes[0].subject}"
    return f"{blocking[0].about}: {blocking[0].message}" if mistakes else blocking[0].message


def _name_those(scenarios: Sequence[ScenarioVerdict], outcome: Outcome) -> str:
    """The one scenario with this outcome, or how many; empty for none."""
    names = [scenario.name for scenario in scenarios if scenario.outcome == outcome]
    if len(names) == 1:
        return clean(names[0], MAX_NAME_LENGTH)
    return count(len(names), "scenario") if names else ""


def _scenario_row(scenario: ScenarioVerdict) -> tuple[str, ...]:
    verdict = f"{SYMBOLS[scenario.outcome]} {scenario.outcome}"
    against_base = escape_markdown(summarise_duet(scenario.comparison))
    figures = [NOTHING] * 6
    if scenario.endpoints:
        total = scenario.endpoints[0]
        rate, p50, p95, p99 = format_figures(total)
        figures = [p95, format_share(total.failure_share), rate, p50, p99, f"{total.requests:,}"]
    cells = (against_base, *figures, f"{scenario.users:,}")
    return keep_together(verdict), code_span(scenario.name), *map(keep_together, cells)


def _footer(report: Report) -> str:
    verdict = report.verdict
    parts = [f"Profile {code_span(verdict.profile)}"] if verdict.profile else []
    measured_for = verdict.occasion.head_sha if verdict.occasion else ""
    if head := report.head_sha or measured_for or verdict.git.get("head", ""):
        parts.append(f"commit {code_span(head[:12])}")
    texts = {
        "started": verdict.started_at,
        "thresholds": verdict.thresholds_sha256[:12],
        "ci-gate": verdict.ci_gate_version,
    }
    parts += [f"{name} {code_span(text)}" for name, text in texts.items() if text]
    run = f'<a href="{report.run_url}">run and artifacts</a>' if report.run_url else ""
    return f"<sub>{' · '.join([*parts, *([run] if run else [])])}</sub>"
