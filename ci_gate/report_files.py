"""The files beside a verdict: written when it is made, and read when it is rendered again."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ci_gate.errors import EvidenceError, UsageError
from ci_gate.judge.run_timeline import MAX_TIMELINE_BYTES, RunTimeline, decode_timeline, encode_timeline
from ci_gate.judge.verdict import MAX_VERDICT_BYTES, Verdict, decode_verdict, encode_verdict
from ci_gate.report.comment import Report
from ci_gate.report.html.report import render_html
from ci_gate.report.junit import render_junit
from ci_gate.report.markdown import render_markdown

VERDICT_FILE: Final = "verdict.json"
TIMELINE_FILE: Final = "timeline.json"
REPORT_FILE: Final = "report.html"


def write_reports(folder: Path, verdict: Verdict, timeline: RunTimeline) -> str:
    """Write the verdict, what its charts are drawn from, and every report; say what was written."""
    texts = {
        VERDICT_FILE: encode_verdict(verdict),
        TIMELINE_FILE: encode_timeline(timeline),
        REPORT_FILE: render_html(Report(verdict=verdict), timeline).encode(),
        "report.md": render_markdown(verdict).encode(),
        "junit.xml": render_junit(verdict).encode(),
    }
    for name, text in texts.items():
        (folder / name).write_bytes(text)
    return f"evidence, {VERDICT_FILE} and the reports ({REPORT_FILE}, report.md, junit.xml): {folder}"


def read_verdict(path: Path) -> Verdict:
    """A verdict.json. Raises UsageError where it cannot be read, EvidenceError where it is none."""
    return decode_verdict(_read(path, MAX_VERDICT_BYTES))


def read_timeline(folder: Path) -> RunTimeline | None:
    """The timeline.json in ``folder``, None where there is none. Raises EvidenceError for anything else."""
    path = folder / TIMELINE_FILE
    return decode_timeline(_read(path, MAX_TIMELINE_BYTES)) if path.exists() else None


def _read(path: Path, most_bytes: int) -> bytes:
    try:
        with path.open("rb") as file:
            text = file.read(most_bytes + 1)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    if len(text) > most_bytes:
        raise EvidenceError(f"{path} is larger than {most_bytes} bytes")
    return text
