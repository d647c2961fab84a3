"""Workflow commands that put each breach beside its line of thresholds.yaml in the pull request's diff."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ci_gate.judge.changes.threshold_changes import ThresholdChange
from ci_gate.judge.gate.mistakes import BAD_INPUT
from ci_gate.judge.validity.findings import Finding
from ci_gate.judge.verdict import ScenarioVerdict
from ci_gate.report.escape import MAX_NAME_LENGTH, MAX_TEXT_LENGTH, clean
from ci_gate.report.explain import Kind, Sentence, explain, explain_finding, list_blocking
from ci_gate.report.report import Report

_PLACE: Final = re.compile(r"(.+):([1-9][0-9]{0,8}):([1-9][0-9]{0,8})")
_TITLES: Final[dict[Kind, str]] = {
    "breach": "limit broken",
    "worse": "worse than base",
    "invalid": "INVALID",
}
MAX_ANNOTATIONS: Final = 10  # GitHub shows no more errors of one step


def render_annotations(report: Report) -> tuple[str, ...]:
    """Workflow commands, one a line; the last says how many are left out, where there are too many."""
    errors = tuple(_annotate(report))
    if len(errors) <= MAX_ANNOTATIONS:
        return errors
    left_out = len(errors) - MAX_ANNOTATIONS + 1
    more = _format_error("ci-gate", f"{left_out} more; the job summary has all of them", "", None)
    return *errors[: MAX_ANNOTATIONS - 1], more


def clean_log_line(text: str) -> str:
    """``text`` on one line, cleaned, and changed so that the runner takes it for no command."""
    cleaned = clean(text, 4 * MAX_TEXT_LENGTH)
    return cleaned.replace("##[", "# #[").replace("::", ": :")


def _annotate(report: Report) -> Iterator[str]:
    file = report.verdict.thresholds_file
    if report.approval is not None and report.approval.is_missing:
        for change in report.changes:
            if change.direction == "loosened":
                words = f"{_describe(change)}; approve it by the label {report.approval.label}"
                yield _format_error("loosened without approval", words, file, change.line)
    for scenario in report.verdict.scenarios:
        yield from _annotate_scenario(scenario, file)
    yield from map(_annotate_finding, list_blocking(report.verdict.findings))


def _annotate_finding(finding: Finding) -> str:
    """At its place in thresholds.yaml, where its subject is one."""
    place = _PLACE.fullmatch(finding.subject) if finding.code == BAD_INPUT else None
    if place is None:
        return _format_error("INVALID", _with_remedy(explain_finding(finding)), "", None)
    words = f"{finding.message}. To fix it: {finding.remedy}"
    return _format_error("INVALID", words, place[1], int(place[2]), int(place[3]))


def _annotate_scenario(scenario: ScenarioVerdict, file: str) -> Iterator[str]:
    for reason in explain(scenario):
        if title := _TITLES.get(reason.kind):
            where = file if reason.code is None else ""
            yield _format_error(f"{scenario.name}: {title}", _with_remedy(reason), where, reason.line)


def _with_remedy(sentence: Sentence) -> str:
    remedy = "" if sentence.remedy is None else f". To fix it: {sentence.remedy}"
    return f"{sentence.plain}{remedy}"


def _describe(change: ThresholdChange) -> str:
    where = " ".join(name for name in (change.scenario, change.endpoint, change.setting) if name)
    return f"{where}: {change.old or 'nothing'} in base, {change.new or 'nothing'} here"


def _format_error(title: str, message: str, file: str, line: int | None, column: int | None = None) -> str:
    numbers = {"line": line, "col": column} if file else {}
    place = {"file": file} if file else {}
    place |= {name: str(number) for name, number in numbers.items() if number}
    properties = {**place, "title": clean(title, MAX_NAME_LENGTH)}
    listed = ",".join(f"{name}={_escape_property(value)}" for name, value in properties.items())
    return f"::error {listed}::{_escape_message(clean(message, MAX_TEXT_LENGTH))}"


def _escape_message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape_message(text).replace(":", "%3A").replace(",", "%2C")
