"""A verdict alone as GitHub-flavoured Markdown: report.md, and the job summary of a run by hand."""

from __future__ import annotations

from ci_gate.judge.verdict import Verdict
from ci_gate.report.comment import MAX_SUMMARY_BYTES, render_report
from ci_gate.report.report import Report


def render_markdown(verdict: Verdict) -> str:
    """The whole report of one verdict as Markdown. Every name is escaped."""
    return render_report(Report(verdict=verdict), MAX_SUMMARY_BYTES)
