"""The one comment: a sentence, of which commits, a table, the reasons; then, folded, all the rest.

What passed is two lines and one fold: nobody has to do anything about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from ci_gate.judge.gate.merging import NOTHING_COMPARED
from ci_gate.judge.outcome import WORST_FIRST, Outcome
from ci_gate.judge.verdict import ScenarioVerdict
from ci_gate.report.changes import explain_approval, make_change_pieces, make_under_both
from ci_gate.report.code import make_code_pieces, make_which_code
from ci_gate.report.detail import (
    make_comparison_pieces,
    make_endpoint_pieces,
    make_limit_pieces,
    make_more_findings,
    make_slowest_pieces,
    make_statement_pieces,
)
from ci_gate.report.diagnosis import make_diagnoses, make_why
from ci_gate.report.document import Piece, render_within
from ci_gate.report.environment import describe_environment
from ci_gate.report.escape import COMMIT, code_span, escape_markdown
from ci_gate.report.headline import explain_effect, summarise
from ci_gate.report.limits import find_tightest
from ci_gate.report.outcome_words import SYMBOLS
from ci_gate.report.reasons import make_reasons, make_run_findings
from ci_gate.report.report import Report
from ci_gate.report.reproduction import make_reproduction
from ci_gate.report.scenario_table import make_scenario_piece

MAX_COMMENT_BYTES: Final = 65_000  # GitHub refuses a comment of more than 65,536 characters
MAX_SUMMARY_BYTES: Final = 1_000_000  # GitHub drops a job summary of more than 1 MiB

_SHORT: Final = 7  # of a commit, as a pull request shows it
_RUNS: Final = "/actions/runs/"
_MAX_MACHINES: Final = 3


def render_report(report: Report, max_bytes: int) -> str:
    """Markdown of ``max_bytes`` at most: detail is left out in a defined order, and counted at the end."""
    scenarios = sorted(report.verdict.scenarios, key=lambda scenario: WORST_FIRST.index(scenario.outcome))
    headline = escape_markdown(summarise(report))
    opening = [f"## {SYMBOLS[report.outcome]} {report.outcome}: {headline}", _describe_run(report)]
    opening += [escape_markdown(effect)] if (effect := explain_effect(report)) else []
    opening += explain_approval(report.approval, report.changes) if report.approval else ()
    pieces = [
        make_scenario_piece(scenarios),
        *(piece for scenario in scenarios for piece in _make_open(scenario)),
        make_run_findings(report.verdict),
    ]
    folded = [
        *(make_change_pieces(report.changes, report.under_base) if report.changes else ()),
        *make_diagnoses(scenarios),
        *make_code_pieces(scenarios),
        *make_limit_pieces(scenarios),
        *make_comparison_pieces(scenarios),
        *make_statement_pieces(scenarios),
        *make_endpoint_pieces(scenarios),
        *make_slowest_pieces(scenarios),
        *make_more_findings(scenarios),
        make_reproduction(report.verdict, scenarios),
    ]
    footer = _footer(report)
    if report.verdict.outcome == Outcome.PASS:
        under_both = make_under_both(report.changes, report.under_base) if report.is_unapproved else None
        last = Piece(items=(footer,), noun="note", rank=folded[-1].rank)
        pieces = [*([under_both] if under_both else []), *_fold_together([*pieces, *folded, last])]
        footer = ""
    else:
        if report.is_unapproved:
            pieces = [make_under_both(report.changes, report.under_base), *pieces]
        pieces += folded
    closing = "\n\n".join(filter(None, (report.trend, footer)))
    return render_within("\n\n".join(opening), pieces, closing, max_bytes)


def _make_open(scenario: ScenarioVerdict) -> tuple[Piece, ...]:
    """What is never folded: what was found, why, and in which code."""
    return make_reasons(scenario), make_why(scenario), make_which_code(scenario)


def _fold_together(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """All in one fold, each under what was the title of its own."""
    title = ""
    for piece in pieces:
        if piece.items:
            is_new = piece.fold not in {"", title}
            title = piece.fold or title
            head = f"**{piece.fold}**\n\n{piece.head}" if is_new else piece.head
            yield replace(piece, fold="Figures, limits, and how to reproduce", head=head)


def _describe_run(report: Report) -> str:
    """One line: which commits, how near the nearest limit is, and where there is more."""
    parts = [_describe_sides(report)]
    tightest = find_tightest(report.verdict.scenarios) if report.outcome == Outcome.PASS else None
    if tightest:
        scenario, limit, used = tightest
        where = f"{limit.endpoint} {limit.metric}"
        parts.append(f"nearest limit: {code_span(scenario.name)} {code_span(where)}, {used * 100:.0f} % used")
    if report.run_url:
        page = report.page_url or f"{report.run_url}#artifacts"
        parts += [f"[report]({page})", f"[run]({report.run_url})"]
    return " · ".join(each for each in parts if each)


def _describe_sides(report: Report) -> str:
    verdict, occasion = report.verdict, report.verdict.occasion
    measured_for = occasion.head_sha if occasion else ""
    head = _show_commit(report.head_sha or measured_for or verdict.git.get("head", ""), report.run_url)
    if not verdict.scenarios:
        return head
    why = next((each.message for each in verdict.findings if each.code == NOTHING_COMPARED), "")
    if why or not any(scenario.comparison for scenario in verdict.scenarios):
        reason = why.partition(": ")[2]
        return f"{head}, not compared with base{f' ({escape_markdown(reason)})' if reason else ''}"
    branch = occasion.base_ref if occasion else ""
    commit = _show_commit(occasion.base_sha if occasion else "", report.run_url)
    base = " at ".join([*([code_span(branch)] if branch else []), *([commit] if commit else [])])
    return f"{head} against {base or _show_commit(verdict.git.get('base', ''), report.run_url) or 'base'}"


def _show_commit(name: str, run_url: str) -> str:
    """Seven characters of a commit, with a link to it where one is known; another name as it is."""
    if not COMMIT.fullmatch(name):
        return code_span(name) if name else ""
    short = f"`{name[:_SHORT]}`"
    repository, runs, _ = run_url.partition(_RUNS)
    return f"[{short}]({repository}/commit/{name})" if runs else short


def _footer(report: Report) -> str:
    verdict = report.verdict
    texts = {
        "Profile": verdict.profile,
        "started": verdict.started_at,
        "thresholds": verdict.thresholds_sha256[:12],
        "ci-gate": verdict.ci_gate_version,
    }
    parts = [f"{name} {code_span(text)}" for name, text in texts.items() if text]
    cpus = {
        describe_environment(each.environment).get("CPU") for each in verdict.scenarios if each.environment
    }
    parts += [f"measured on {code_span(cpu)}" for cpu in sorted(filter(None, cpus))[:_MAX_MACHINES]]
    return f"<sub>{' · '.join(parts)}</sub>"
