"""The one comment: a sentence, a table, the reasons; then, folded, all the rest."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ci_gate.judge.findings import Finding
from ci_gate.judge.limits import LimitResult
from ci_gate.judge.summary import EndpointSummary
from ci_gate.judge.threshold_changes import Approval, ThresholdChange
from ci_gate.judge.under_base import UnderBase
from ci_gate.judge.verdict import Outcome, ScenarioVerdict, Verdict
from ci_gate.report.cells import NOTHING, format_bound, format_measured, format_ms, format_rate, format_share
from ci_gate.report.changes import OUTCOMES, explain_approval, make_change_pieces
from ci_gate.report.document import Piece, count, make_table, render_within
from ci_gate.report.escape import LONGEST_NAME, clean, code_span, escape_markdown

MAX_COMMENT_BYTES: Final = 65_000  # GitHub refuses a comment of more than 65,536 characters
MAX_SUMMARY_BYTES: Final = 1_000_000  # GitHub drops a job summary of more than 1 MiB

_SEVERITY: Final[tuple[Outcome, ...]] = ("FAIL", "INVALID", "INCONCLUSIVE", "PASS")
_LIMIT_SYMBOLS: Final = {"breached": "❌", "unproven": "🚫", "kept": "✅"}
_SCENARIO_HEADERS: Final = (
    "verdict",
    "scenario",
    "users",
    "requests",
    "rate",
    "p50",
    "p95",
    "p99",
    "failures",
)
_LIMIT_HEADERS: Final = ("", "metric", "measured", "limit", "samples", "endpoint")
_ENDPOINT_HEADERS: Final = (
    "endpoint", "requests", "rate", "p50", "p95", "p99", "max", "failures", "statuses"
)  # fmt: skip
_MOST_REASONS: Final = 6
_MOST_STATUSES: Final = 5

# What is left out first has the highest rank.
_TABLE, _REASONS, _CHANGES, _LIMITS, _ENDPOINTS, _FINDINGS = 0, 1, 2, 3, 5, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that the comment and the job summary say."""

    verdict: Verdict
    changes: tuple[ThresholdChange, ...] = ()
    under_base: tuple[UnderBase, ...] = ()
    approval: Approval | None = None
    run_url: str = ""

    @property
    def is_unapproved(self) -> bool:
        return self.approval is not None and self.approval.is_missing

    @property
    def outcome(self) -> Outcome:
        """The verdict's own, or FAIL for what was loosened without approval."""
        return "FAIL" if self.is_unapproved else self.verdict.outcome


def render_report(report: Report, max_bytes: int) -> str:
    """Markdown of ``max_bytes`` at most: detail is left out in a defined order, and said to be."""
    scenarios = sorted(report.verdict.scenarios, key=lambda scenario: _SEVERITY.index(scenario.outcome))
    opening = [f"## {OUTCOMES[report.outcome]} {report.outcome}: {_say(report, scenarios)}"]
    opening += [explain_approval(report.approval)] if report.approval and report.approval.loosened else []
    pieces = [
        make_table(
            _SCENARIO_HEADERS, map(_scenario_row, scenarios), "llrrrrrrr", noun="scenario", rank=_TABLE
        ),
        *(_reasons(scenario) for scenario in scenarios),
        _run_findings(report.verdict),
        *(make_change_pieces(report.changes, report.under_base, rank=_CHANGES) if report.changes else ()),
        *_limit_pieces(scenarios),
        *_endpoint_pieces(scenarios),
        *_more_findings(scenarios),
        _reproduce(report.verdict, scenarios),
    ]
    return render_within("\n\n".join(opening), pieces, _footer(report), max_bytes)


def summarise_in_a_sentence(report: Report) -> str:
    """The headline as plain text, at most 140 characters, for a commit status."""
    scenarios = report.verdict.scenarios
    return clean(f"{report.outcome}: {_say_plain(report, scenarios)}", 140)


def _say(report: Report, scenarios: Sequence[ScenarioVerdict]) -> str:
    return escape_markdown(_say_plain(report, scenarios))


def _say_plain(report: Report, scenarios: Sequence[ScenarioVerdict]) -> str:
    outcome = report.verdict.outcome
    if report.is_unapproved and outcome == "PASS":
        return "thresholds are loosened without approval"
    if outcome == "PASS":
        limits = sum(len(scenario.limits) for scenario in scenarios)
        return f"{count(len(scenarios), 'scenario')} kept all {count(limits, 'limit')}"
    breaches = sum(len(scenario.breaches) for scenario in scenarios)
    said = {
        "FAIL": f"broke {count(breaches, 'limit')}",
        "INVALID": "proved nothing",
        "INCONCLUSIVE": "could not be told from base within the budget",
    }
    parts = [f"{who} {what}" for each, what in said.items() if (who := _name_those(scenarios, each))]
    return ", ".join(parts) or "the run proved nothing"


def _name_those(scenarios: Sequence[ScenarioVerdict], outcome: str) -> str:
    """The one scenario with this outcome, or how many; empty for none."""
    names = [scenario.name for scenario in scenarios if scenario.outcome == outcome]
    if len(names) == 1:
        return clean(names[0], LONGEST_NAME)
    return count(len(names), "scenario") if names else ""


def _scenario_row(scenario: ScenarioVerdict) -> tuple[str, ...]:
    verdict = f"{OUTCOMES[scenario.outcome]} {scenario.outcome}"
    cells = [f"{scenario.users:,}", *[NOTHING] * 6]
    if scenario.endpoints:
        total = scenario.endpoints[0]
        cells[1:] = [f"{total.requests:,}", *_figures(total), format_share(total.failure_share)]
    return _together(verdict), code_span(scenario.name), *map(_together, cells)


def _figures(row: EndpointSummary) -> tuple[str, ...]:
    return format_rate(row.rate_per_s), *map(format_ms, (row.p50_ms, row.p95_ms, row.p99_ms))


def _reasons(scenario: ScenarioVerdict) -> Piece:
    """What made this scenario what it is, the most telling first; the rest is in the folds."""
    lines = [f"- ❌ {_describe_breach(limit)}" for limit in scenario.breaches]
    lines += [f"- {_describe(finding)}" for finding in _blocking(scenario.findings)]
    if len(lines) > _MOST_REASONS:
        lines[_MOST_REASONS:] = [f"- {len(lines) - _MOST_REASONS:,} more, folded below"]
    head = f"**{code_span(scenario.name)}**\n"
    return Piece(items=tuple(lines), noun="reason", rank=_REASONS, head=head)


def _describe_breach(limit: LimitResult) -> str:
    measured = f"{code_span(limit.endpoint)} {code_span(limit.metric)} was **{format_measured(limit)}**"
    return f"{measured}, must be at {'least' if limit.is_floor else 'most'} {code_span(limit.text)}"


def _blocking(findings: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.effect != "note"]


def _describe(finding: Finding) -> str:
    said = f"{code_span(finding.subject)}: {escape_markdown(finding.message)}"
    if finding.effect == "note":
        return f"💬 {said}"
    return f"🚫 {said}. *To mend it:* {escape_markdown(finding.remedy)}."


def _run_findings(verdict: Verdict) -> Piece:
    lines = tuple(f"- {_describe(finding)}" for finding in verdict.findings)
    return Piece(items=lines, noun="finding", rank=_REASONS)


def _limit_pieces(scenarios: Sequence[ScenarioVerdict]) -> Iterator[Piece]:
    every = [limit.outcome for scenario in scenarios for limit in scenario.limits]
    counts = [f"{every.count(outcome)} {outcome}" for outcome in _LIMIT_SYMBOLS if outcome in every]
    order = list(_LIMIT_SYMBOLS)
    for scenario in scenarios:
        limits = sorted(scenario.limits, key=lambda limit: order.index(limit.outcome))
        table = make_table(_LIMIT_HEADERS, map(_limit_row, limits), "llrlrl", noun="limit", rank=_LIMITS)
        yield _put_under(table, scenario, f"Limits: {', '.join(counts)}")


def _limit_row(limit: LimitResult) -> tuple[str, ...]:
    bound = code_span(format_bound(limit)) + ("" if limit.line else " (default)")
    figures = (code_span(limit.metric), _together(format_measured(limit)), bound, f"{limit.samples:,}")
    return _LIMIT_SYMBOLS[limit.outcome], *figures, code_span(limit.endpoint)


def _endpoint_pieces(scenarios: Sequence[ScenarioVerdict]) -> Iterator[Piece]:
    for scenario in scenarios:
        rows = map(_endpoint_row, scenario.endpoints)
        table = make_table(_ENDPOINT_HEADERS, rows, "lrrrrrrrl", noun="endpoint", rank=_ENDPOINTS)
        yield _put_under(table, scenario, "Endpoints")


def _endpoint_row(row: EndpointSummary) -> tuple[str, ...]:
    statuses = [f"{code_span(status)} x {number:,}" for status, number in row.statuses.items()]
    if len(statuses) > _MOST_STATUSES:
        statuses[_MOST_STATUSES:] = [f"{len(statuses) - _MOST_STATUSES} more"]
    cells = (*_figures(row), format_ms(row.max_ms), format_share(row.failure_share))
    shown = (f"{row.requests:,}", *map(_together, cells))
    return code_span(row.endpoint), *shown, ", ".join(map(_together, statuses))


def _more_findings(scenarios: Sequence[ScenarioVerdict]) -> Iterator[Piece]:
    """Findings that are not among the reasons."""
    for scenario in scenarios:
        told = max(0, _MOST_REASONS - len(scenario.breaches))
        blocking = _blocking(scenario.findings)
        notes = [finding for finding in scenario.findings if finding.effect == "note"]
        lines = tuple(f"- {_describe(finding)}" for finding in (*blocking[told:], *notes))
        yield _put_under(Piece(items=lines, noun="finding", rank=_FINDINGS), scenario, "More findings")


def _put_under(piece: Piece, scenario: ScenarioVerdict, fold: str) -> Piece:
    return replace(piece, fold=fold, head=f"**{code_span(scenario.name)}**\n\n{piece.head}")


def _reproduce(verdict: Verdict, scenarios: Sequence[ScenarioVerdict]) -> Piece:
    command = ["ci-gate", "run", "--profile", clean(verdict.profile, LONGEST_NAME)]
    for scenario in scenarios:
        if scenario.outcome != "PASS" and len(scenarios) <= _MOST_REASONS:
            command += ["--scenario", clean(scenario.name, LONGEST_NAME)]
    head = clean(verdict.git.get("head", ""), LONGEST_NAME)
    lines = [f"git checkout {shlex.quote(head)}"] if verdict.git.get("head") else []
    script = "\n".join(["```sh", *lines, shlex.join(command), "```"])
    return Piece(items=(script,), noun="command", rank=_REASONS, fold="How to reproduce")


def _footer(report: Report) -> str:
    verdict = report.verdict
    parts = [f"Profile {code_span(verdict.profile)}"]
    if head := verdict.git.get("head", ""):
        parts.append(f"commit {code_span(head[:12])}")
    parts.append(f"started {code_span(verdict.started_at)}")
    parts.append(f"thresholds {code_span(verdict.thresholds_sha256[:12])}")
    parts.append(f"ci-gate {code_span(verdict.ci_gate_version)}")
    run = f'<a href="{report.run_url}">run and artifacts</a>' if report.run_url else ""
    return f"<sub>{' · '.join([*parts, *([run] if run else [])])}</sub>"


def _together(cell: str) -> str:
    """A number is not torn from its unit by the end of a line."""
    return cell.replace(" ", "\N{NO-BREAK SPACE}")
