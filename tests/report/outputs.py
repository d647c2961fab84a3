"""Everything that ci-gate says of one recording, as text by the name of the output."""

from __future__ import annotations

import csv
import io

from ci_gate.evidence.recording import HEAD, RecordingPlan
from ci_gate.judge.verdict import Verdict, judge
from ci_gate.report.annotations import render_annotations
from ci_gate.report.comment import MAX_COMMENT_BYTES, render_report
from ci_gate.report.csv import COLUMNS, export_rows
from ci_gate.report.html.report import render_html
from ci_gate.report.junit import render_junit
from ci_gate.report.report import Report
from ci_gate.report.terminal import render_terminal
from tests.judge.evidence_notation import Evidence
from tests.judge.evidence_values import make_run
from tests.judge.timelines import draw_timelines


def judge_evidence(evidence: Evidence, **changes) -> Verdict:
    """The verdict on a run of this one scenario; ``changes`` are of its run.json."""
    name = evidence.scenario.name
    run = make_run(evidence.thresholds, **{"recordings": (evidence.plan,), **changes})
    return judge(evidence.thresholds, run, {(name, HEAD): evidence.recording})


def render_verdict(verdict: Verdict) -> dict[str, str]:
    """What is made of a verdict alone."""
    report = Report(verdict=verdict)
    return {
        "terminal": render_terminal(verdict),
        "comment": render_report(report, MAX_COMMENT_BYTES),
        "page": render_html(report, None),
        "junit": render_junit(verdict),
        "annotations": "\n".join(render_annotations(report)),
    }


def render_every_output(evidence: Evidence, **changes) -> dict[str, str]:
    """The page has its charts; the samples are there as CSV."""
    verdict = judge_evidence(evidence, **changes)
    run = make_run(evidence.thresholds, **{"recordings": (evidence.plan,), **changes})
    timeline = draw_timelines(evidence.thresholds, run, {(evidence.scenario.name, HEAD): evidence.recording})
    page = render_html(Report(verdict=verdict), timeline)
    return render_verdict(verdict) | {"page": page, "csv": _write_csv(evidence.plan, evidence)}


def _write_csv(plan: RecordingPlan, evidence: Evidence) -> str:
    out = io.StringIO()
    rows = export_rows(plan, evidence.recording, evidence.scenario.accept)
    csv.writer(out).writerows([tuple(COLUMNS), *rows])
    return out.getvalue()
