"""The verdict as plain text for a terminal or a log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tabulate import tabulate

from ci_gate.judge.outcome import Outcome
from ci_gate.judge.verdict import ScenarioVerdict, Verdict
from ci_gate.report.against_base import describe_duet, find_missing, summarise_duet
from ci_gate.report.cells import format_share
from ci_gate.report.detail import format_figures
from ci_gate.report.diagnosis import explain_in_terminal
from ci_gate.report.explain import Kind, Sentence, explain, explain_finding, explain_rest
from ci_gate.report.outcome_words import count_outcomes
from ci_gate.wording import NOTHING

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
    "breach": "BREACH",
    "worse": "WORSE",
    "unclear": "unclear",
    "invalid": "INVALID",
    "info": "note",
}


def render_terminal(verdict: Verdict) -> str:
    """Plain text: a table of scenarios, then every breach and finding, then the verdict in a sentence."""
    rows = [scenario_row(scenario) for scenario in verdict.scenarios]
    parts = [
        tabulate(rows, headers=HEADERS, disable_numparse=True, colalign=("left", "left", *["right"] * 7))
    ]
    for scenario in verdict.scenarios:
        lines = list(_explain(scenario))
        if lines:
            parts.append("\n".join([f"{scenario.name}:", *lines]))
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
    """Outcome, what it means and how many scenarios had which, in a sentence."""
    counts = count_outcomes(scenario.outcome for scenario in verdict.scenarios)
    what = {
        Outcome.PASS: "every limit was measured and kept",
        Outcome.FAIL: "a limit is broken, or head is worse than base",
        Outcome.INVALID: "the run could not be judged until the findings are fixed",
        Outcome.INCONCLUSIVE: _explain_inconclusive(verdict),
    }[verdict.outcome]
    return f"{verdict.outcome}: {what} ({counts or 'no scenario'}; profile {verdict.profile})"


def _explain_inconclusive(verdict: Verdict) -> str:
    why = find_missing(each.comparison for each in verdict.scenarios if each.outcome == Outcome.INCONCLUSIVE)
    return f"not compared with base: {why}" if why else "the comparison stayed unclear within its budget"


def _explain(scenario: ScenarioVerdict) -> Iterator[str]:
    yield from map(_mark, explain(scenario))
    if scenario.comparison:
        yield f"  {describe_duet(scenario.comparison)}"
    yield from map(_mark, explain_rest(scenario))
    yield from explain_in_terminal(scenario)


def _mark(sentence: Sentence) -> str:
    code = "" if sentence.code is None else f"[{sentence.code}] "
    remedy = "" if sentence.remedy is None else f"\n          -> {sentence.remedy}"
    return f"  {_LABELS[sentence.kind]:7} {code}{sentence.plain}{remedy}"
