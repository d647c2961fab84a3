"""What made a verdict what it is, as Markdown that is always open, the most telling first."""

from __future__ import annotations

from typing import Final

from ci_gate.judge.verdict import ScenarioVerdict, Verdict
from ci_gate.report.document import Piece, Rank, make_list
from ci_gate.report.escape import code_span, escape_markdown
from ci_gate.report.explain import Kind, Sentence, explain, explain_finding

_SYMBOLS: Final[dict[Kind, str]] = {
    "breach": "❌",
    "worse": "❌",
    "unclear": "❓",
    "invalid": "🚫",
    "info": "📝",
}
MAX_REASONS: Final = 6


def make_reasons(scenario: ScenarioVerdict) -> Piece:
    """The first reasons of this scenario's outcome, and how many more there are; the rest is in the folds."""
    reasons = explain(scenario)
    lines = tuple(f"- {mark_sentence(each)}" for each in reasons[:MAX_REASONS])
    if len(reasons) > len(lines):
        lines += (f"- {len(reasons) - len(lines):,} more, folded below",)
    return Piece(items=lines, noun="reason", rank=Rank.REASONS, head=f"**{code_span(scenario.name)}**\n")


def make_run_findings(verdict: Verdict) -> Piece:
    """A list of what was found about the run as a whole."""
    found = tuple(map(explain_finding, verdict.findings))
    return make_list(found, mark_sentence, noun="finding", rank=Rank.REASONS)


def mark_sentence(sentence: Sentence) -> str:
    """A line of Markdown: symbol, subject as code, text with its figure in bold, and what would fix it."""
    marked = f"{_SYMBOLS[sentence.kind]} {mark_text(sentence)}"
    if sentence.remedy is None:
        return marked
    return f"{marked}. *{sentence.remedy_label}:* {escape_markdown(sentence.remedy)}."


def mark_text(sentence: Sentence) -> str:
    """Subject as code, and the text with its figure in bold."""
    text, figure = escape_markdown(sentence.text), escape_markdown(sentence.figure)
    if sentence.figure:
        text = text.replace(figure, f"**{figure}**", 1)
    return f"{code_span(sentence.subject)}{sentence.link}{text}"
