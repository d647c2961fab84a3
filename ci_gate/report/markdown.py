"""The verdict as GitHub-flavoured Markdown: the PR comment and the job summary."""

from __future__ import annotations

import html
from collections.abc import Iterator

from tabulate import tabulate

from ci_gate.judge.findings import Finding
from ci_gate.judge.verdict import ScenarioVerdict, Verdict
from ci_gate.report.cells import format_bound, format_measured, format_ms, format_rate, format_share
from ci_gate.report.escape import escape_markdown as escape
from ci_gate.report.terminal import HEADERS, explain_breach, headline, scenario_row

SYMBOLS = {"PASS": "✅", "FAIL": "❌", "INVALID": "🚫", "INCONCLUSIVE": "❔"}
_LIMIT_SYMBOLS = {"kept": "✅", "breached": "❌", "unproven": "🚫"}
_ENDPOINT_HEADERS = ("endpoint", "requests", "rate", "p50", "p95", "p99", "max", "failures", "statuses")
_LIMIT_HEADERS = ("", "endpoint", "metric", "limit", "measured", "samples")


def render_markdown(verdict: Verdict) -> str:
    """The whole report: headline, one table, the reasons, then folded detail. Every name is escaped."""
    rows = [_mark_row(scenario) for scenario in verdict.scenarios]
    alignment = ("left", "left", *["right"] * 7)
    parts = [f"## {SYMBOLS[verdict.outcome]} {escape(headline(verdict))}", _table(rows, HEADERS, alignment)]
    parts += [_explain(scenario) for scenario in verdict.scenarios if scenario.breaches or scenario.findings]
    if verdict.findings:
        parts.append("\n".join(map(_describe, verdict.findings)))
    parts += [
        _fold(f"{scenario.name}: limits and endpoints", _detail(scenario)) for scenario in verdict.scenarios
    ]
    parts.append(_footer(verdict))
    return "\n\n".join(parts) + "\n"


def _mark_row(scenario: ScenarioVerdict) -> tuple[str, ...]:
    name, outcome, *cells = scenario_row(scenario)
    return escape(name), f"{SYMBOLS[scenario.outcome]} {outcome}", *cells


def _explain(scenario: ScenarioVerdict) -> str:
    lines = [f"- ❌ {escape(sentence)}" for sentence in explain_breach(scenario)]
    return "\n".join([f"**{escape(scenario.name)}**", "", *lines, *map(_describe, scenario.findings)])


def _describe(finding: Finding) -> str:
    text = f"`{finding.code}` {escape(finding.subject)}: {escape(finding.message)}"
    return (
        f"- 💬 {text}"
        if finding.effect == "note"
        else f"- 🚫 {text}. *To mend it:* {escape(finding.remedy)}."
    )


def _detail(scenario: ScenarioVerdict) -> str:
    limits = _table(list(_limit_rows(scenario)), _LIMIT_HEADERS, ("left", "left", "left", *["right"] * 3))
    endpoints = _table(list(_endpoint_rows(scenario)), _ENDPOINT_HEADERS, ("left", *["right"] * 7, "left"))
    return f"{limits}\n\n{endpoints}"


def _limit_rows(scenario: ScenarioVerdict) -> Iterator[tuple[str, ...]]:
    for limit in scenario.limits:
        bound = format_bound(limit) + ("" if limit.line else " (default)")
        cells = (escape(limit.endpoint), limit.metric, bound, format_measured(limit), f"{limit.samples:,}")
        yield _LIMIT_SYMBOLS[limit.outcome], *cells


def _endpoint_rows(scenario: ScenarioVerdict) -> Iterator[tuple[str, ...]]:
    for row in scenario.endpoints:
        times = (row.p50_ms, row.p95_ms, row.p99_ms, row.max_ms)
        yield (
            escape(row.endpoint),
            f"{row.requests:,}",
            format_rate(row.rate_per_s),
            *map(format_ms, times),
            format_share(row.failure_share),
            ", ".join(f"{status} x {count:,}" for status, count in row.statuses.items()),
        )


def _table(rows: list[tuple[str, ...]], headers: tuple[str, ...], alignment: tuple[str, ...]) -> str:
    return tabulate(rows, headers=headers, tablefmt="pipe", disable_numparse=True, colalign=alignment)


def _fold(title: str, body: str) -> str:
    return f"<details><summary>{html.escape(title)}</summary>\n\n{body}\n\n</details>"


def _footer(verdict: Verdict) -> str:
    head = verdict.git.get("head", "")
    at = f" at `{escape(head[:12])}`" if head else ""
    names = ", ".join(escape(scenario.name) for scenario in verdict.scenarios)
    again = f"`ci-gate run --profile {escape(verdict.profile)}`"
    return f"<sub>{names}{at}, started {escape(verdict.started_at)}; reproduce with {again}.</sub>"
