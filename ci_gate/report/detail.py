"""What the comment folds: limits, the comparison with base, endpoints, further findings, how to reproduce."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from ci_gate.judge.compare.comparison import Change
from ci_gate.judge.diagnosis.statement_growth import StatementGrowth
from ci_gate.judge.diagnosis.statement_texts import shorten_query
from ci_gate.judge.limits import LimitResult
from ci_gate.judge.outcome import WORST_FIRST, Outcome
from ci_gate.judge.slowest import SlowRequest
from ci_gate.judge.summary import EndpointSummary
from ci_gate.judge.verdict import ScenarioVerdict
from ci_gate.report.against_base import describe_duet, format_change, format_interval, sort_changes
from ci_gate.report.cells import (
    format_bound,
    format_measured,
    format_ms,
    format_percent,
    format_rate,
    format_share,
)
from ci_gate.report.document import Piece, Rank, make_list, make_table
from ci_gate.report.escape import code_span, escape_markdown, keep_together
from ci_gate.report.explain import explain, explain_doubts, explain_finding, explain_missing
from ci_gate.report.outcome_words import SYMBOLS, WORDS, count_outcomes
from ci_gate.report.reasons import MAX_REASONS, mark_sentence
from ci_gate.thresholds import metric_of
from ci_gate.thresholds.metrics import MS
from ci_gate.wording import NOTHING, format_number

_CHANGE_HEADERS: Final = ("", "metric", "base", "head", "change", "tolerance", "endpoint")
_LIMIT_HEADERS: Final = ("", "metric", "measured", "limit", "samples", "endpoint")
_ENDPOINT_HEADERS: Final = (
    "endpoint", "requests", "rate", "p50 / p95 / p99", "failures", "statuses"
)  # fmt: skip
_STATEMENT_HEADERS: Final = ("calls, base", "calls, head", "ms, base", "ms, head", "statement")
_SLOWEST_HEADERS: Final = ("sent at", "time", "status", "trace", "endpoint")
_MAX_STATUSES: Final = 5
_MAX_QUERY_LENGTH: Final = 110


def make_limit_pieces(scenarios: Sequence[ScenarioVerdict]) -> Iterator[Piece]:
    """A table of limits for each scenario, broken ones first."""
    outcomes = (limit.outcome for scenario in scenarios for limit in scenario.limits)
    fold = f"Limits: {count_outcomes(outcomes, WORDS)}"
    for scenario in scenarios:
        limits = sorted(scenario.limits, key=lambda limit: WORST_FIRST.index(limit.outcome))
        table = make_table(_LIMIT_HEADERS, map(_limit_row, limits), "llrlrl", noun="limit", rank=Rank.LIMITS)
        yield _put_under(table, scenario, fold)


def _limit_row(limit: LimitResult) -> tuple[str, ...]:
    bound = code_span(format_bound(limit)) + ("" if limit.line else " (default)")
    figures = (code_span(limit.metric), keep_together(format_measured(limit)), bound, f"{limit.samples:,}")
    return SYMBOLS[limit.outcome], *figures, code_span(limit.endpoint)


def make_comparison_pieces(scenarios: Sequence[ScenarioVerdict]) -> Iterator[Piece]:
    """For each scenario that was compared: a table of changes, and what could not be compared."""
    for scenario in scenarios:
        duet = scenario.comparison
        if duet is None:
            continue
        rows = map(_change_row, sort_changes(duet))
        table = make_table(_CHANGE_HEADERS, rows, "llrrrrl", noun="comparison", rank=Rank.LIMITS)
        summary = escape_markdown(describe_duet(duet))
        fold = "Comparison with base"
        yield replace(table, fold=fold, head=f"**{code_span(scenario.name)}**: {summary}.\n\n{table.head}")
        found = (*explain_missing(duet), *explain_doubts(duet))
        yield replace(make_list(found, mark_sentence, noun="finding", rank=Rank.LIMITS), fold=fold)


def _change_row(change: Change) -> tuple[str, ...]:
    """The interval may break off its change, so that the row fits."""
    base, head = (metric_of(change.metric).unit.format(each) for each in (change.base, change.head))
    size = f"{keep_together(format_change(change))} ({keep_together(format_interval(change))})"
    figures = (
        keep_together(base),
        keep_together(head),
        size,
        keep_together(format_percent(change.tolerance)),
    )
    return SYMBOLS[change.outcome], code_span(change.metric), *figures, code_span(change.endpoint)


def make_statement_pieces(scenarios: Sequence[ScenarioVerdict]) -> Iterator[Piece]:
    """For each scenario a table of the statements that the database had most more of on head."""
    for scenario in scenarios:
        grown = scenario.diagnosis.statements if scenario.diagnosis else ()
        rows = map(_statement_row, grown)
        table = make_table(_STATEMENT_HEADERS, rows, "rrrrl", noun="statement", rank=Rank.LIMITS)
        yield _put_under(table, scenario, "Statements that grew against base, for each success")


def _statement_row(growth: StatementGrowth) -> tuple[str, ...]:
    figures = (growth.base_calls, growth.head_calls, growth.base_ms, growth.head_ms)
    return *map(format_number, figures), code_span(shorten_query(growth.query, _MAX_QUERY_LENGTH))


def make_slowest_pieces(scenarios: Sequence[ScenarioVerdict]) -> Iterator[Piece]:
    """For each scenario that failed, a table of its slowest requests."""
    for scenario in scenarios:
        rows = map(_slowest_row, scenario.slowest if scenario.outcome == Outcome.FAIL else ())
        table = make_table(_SLOWEST_HEADERS, rows, "rrlll", noun="slow request", rank=Rank.ENDPOINTS)
        yield _put_under(table, scenario, "Slowest requests")


def _slowest_row(request: SlowRequest) -> tuple[str, ...]:
    """The trace id is no link here: whoever wrote thresholds.yaml wrote the address."""
    times = map(keep_together, (f"{request.sent_at_s:,.1f} s", format_ms(request.response_ms)))
    trace = code_span(request.trace_id) if request.trace_id else NOTHING
    return *times, code_span(request.status), trace, code_span(request.endpoint)


def make_endpoint_pieces(scenarios: Sequence[ScenarioVerdict]) -> Iterator[Piece]:
    """A table of endpoints for each scenario, all of them together first."""
    for scenario in scenarios:
        rows = map(_endpoint_row, scenario.endpoints)
        table = make_table(_ENDPOINT_HEADERS, rows, "lrrrrl", noun="endpoint", rank=Rank.ENDPOINTS)
        yield _put_under(table, scenario, "Endpoints")


def _endpoint_row(row: EndpointSummary) -> tuple[str, ...]:
    statuses = [f"{code_span(status)} x {number:,}" for status, number in row.statuses.items()]
    if len(statuses) > _MAX_STATUSES:
        statuses[_MAX_STATUSES:] = [f"{len(statuses) - _MAX_STATUSES} more"]
    cells = (format_rate(row.rate_per_s), _join_percentiles(row), format_share(row.failure_share))
    shown = (f"{row.requests:,}", *map(keep_together, cells))
    return code_span(row.endpoint), *shown, ", ".join(map(keep_together, statuses))


def _join_percentiles(row: EndpointSummary) -> str:
    """``42 / 212 / 391 ms``: the unit once."""
    *others, last = map(format_ms, row.percentiles_ms.values())
    return " / ".join([*(each.removesuffix(MS.symbol) for each in others), last])


def make_more_findings(scenarios: Sequence[ScenarioVerdict]) -> Iterator[Piece]:
    """A folded list for each scenario of the findings that are not among its reasons."""
    for scenario in scenarios:
        shown = explain(scenario)[:MAX_REASONS]
        found = [each for each in map(explain_finding, scenario.findings) if each not in shown]
        listed = make_list(found, mark_sentence, noun="finding", rank=Rank.FINDINGS)
        yield _put_under(listed, scenario, "More findings")


def _put_under(piece: Piece, scenario: ScenarioVerdict, fold: str) -> Piece:
    return replace(piece, fold=fold, head=f"**{code_span(scenario.name)}**\n\n{piece.head}")


def format_figures(row: EndpointSummary) -> tuple[str, ...]:
    """Rate, p50, p95 and p99 as text with their units."""
    return format_rate(row.rate_per_s), *map(format_ms, row.percentiles_ms.values())
