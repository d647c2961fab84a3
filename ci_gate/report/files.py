"""The files beside a verdict: written when it is made, and read when it is rendered again."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from ci_gate.errors import EvidenceError, UsageError
from ci_gate.judge.timeline.run_timeline import (
    MAX_TIMELINE_BYTES,
    RunTimeline,
    decode_timeline,
    encode_timeline,
)
from ci_gate.judge.verdict import MAX_VERDICT_BYTES, Verdict, decode_verdict, encode_verdict
from ci_gate.report.html.overview import OverviewRun
from ci_gate.report.html.report import render_html
from ci_gate.report.junit import render_junit
from ci_gate.report.markdown import render_markdown
from ci_gate.report.report import Report
from ci_gate.report.terminal import render_terminal

VERDICT_FILE: Final = "verdict.json"
TIMELINE_FILE: Final = "timeline.json"
REPORT_FILE: Final = "report.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A form of a verdict as text, and the file that a run leaves of it; empty: none."""

    render: Callable[[Verdict], str]
    file: str = ""


FORMATS: Final = {
    "markdown": Format(render=render_markdown, file="report.md"),
    "text": Format(render=render_terminal),
    "junit": Format(render=render_junit, file="junit.xml"),
    "json": Format(render=lambda verdict: encode_verdict(verdict).decode()),
}
"""By the name that `ci-gate report --format` takes; html is made of more than the verdict."""


def write_reports(folder: Path, verdict: Verdict, timeline: RunTimeline) -> str:
    """Write the verdict, what its charts are drawn from, and every report; the names of what was written."""
    texts = {
        VERDICT_FILE: encode_verdict(verdict),
        TIMELINE_FILE: encode_timeline(timeline),
        REPORT_FILE: render_html(Report(verdict=verdict), timeline).encode(),
        **{form.file: form.render(verdict).encode() for form in FORMATS.values() if form.file},
    }
    for name, text in texts.items():
        (folder / name).write_bytes(text)
    reports = ", ".join([REPORT_FILE, *(form.file for form in FORMATS.values() if form.file)])
    return f"evidence, {VERDICT_FILE} and the reports ({reports}): {folder}"


def write_verdict(path: Path, verdict: Verdict) -> None:
    """One that `read_verdict` reads, in a folder that need not be there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_verdict(verdict))


def write_timeline(path: Path, timeline: RunTimeline) -> None:
    """One that `read_timeline` reads, in a folder that is there."""
    path.write_bytes(encode_timeline(timeline))


def read_verdict(path: Path) -> Verdict:
    """The verdict of a file. Raises UsageError where it cannot be read, EvidenceError where it is none."""
    return decode_verdict(read_bounded(path, MAX_VERDICT_BYTES))


def read_timeline(folder: Path) -> RunTimeline | None:
    """The timeline.json in ``folder``, None where there is none. Raises EvidenceError for anything else."""
    path = folder / TIMELINE_FILE
    return decode_timeline(read_bounded(path, MAX_TIMELINE_BYTES)) if path.exists() else None


def find_runs(folders: Sequence[Path], page_folder: Path) -> tuple[OverviewRun, ...]:
    """Every run in or below ``folders``, each once, with the link from ``page_folder`` to its report.

    Raises UsageError for a folder without any, EvidenceError for a verdict that is none.
    """
    found: dict[Path, str] = {}
    for folder in folders:
        paths = sorted(folder.rglob(VERDICT_FILE))
        if not paths:
            raise UsageError(f"{folder} holds no {VERDICT_FILE}: name the folder that `ci-gate run` wrote")
        for path in paths:
            name = path.parent.relative_to(folder).as_posix()
            found.setdefault(path.parent.resolve(), folder.resolve().name if name == "." else name)
    return tuple(
        OverviewRun(name=name, verdict=read_verdict(at / VERDICT_FILE), href=_find_href(at, page_folder))
        for at, name in found.items()
    )


def _find_href(run: Path, page_folder: Path) -> str:
    report = run / REPORT_FILE
    if not report.exists():
        return ""
    return quote(Path(os.path.relpath(report, page_folder.resolve())).as_posix())


def read_bounded(path: Path, max_bytes: int) -> bytes:
    """The whole file. Raises UsageError where it cannot be read, EvidenceError where it is too large."""
    try:
        with path.open("rb") as file:
            text = file.read(max_bytes + 1)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    if len(text) > max_bytes:
        raise EvidenceError(f"{path} is larger than {max_bytes:,} bytes")
    return text
