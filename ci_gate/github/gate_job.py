"""The last job of a workflow: reads what the others left, and makes one verdict of it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

import msgspec

from ci_gate.errors import BadInputError, EvidenceError, UsageError
from ci_gate.github.problems import list_problems, missing_file
from ci_gate.github.threshold_files import read_side
from ci_gate.judge.gate.confirmed import list_unconfirmed, take_confirmations
from ci_gate.judge.gate.lacking import demand_all
from ci_gate.judge.gate.merging import merge_verdicts
from ci_gate.judge.gate.mistakes import add_mistakes
from ci_gate.judge.gate.repeated import repeat_verdict
from ci_gate.judge.occasion import Occasion
from ci_gate.judge.timeline.run_timeline import TIMELINE_SCHEMA, RunTimeline, ScenarioTimeline
from ci_gate.judge.verdict import MAX_VERDICT_BYTES, Verdict, decode_verdict
from ci_gate.report.files import TIMELINE_FILE, VERDICT_FILE, read_timeline


class _Job(msgspec.Struct):
    result: str


def parse_needs(text: str) -> dict[str, str]:
    """Job -> result, from the ``needs`` context as JSON. Raises UsageError."""
    try:
        needs = msgspec.json.decode(text, type=dict[str, _Job])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"this is not the needs context as JSON: {error}") from error
    return {name: job.result for name, job in needs.items()}


def parse_scenarios(text: str) -> tuple[str, ...]:
    """Names from a JSON list; none where a job that failed left the text empty. Raises UsageError."""
    try:
        return tuple(msgspec.json.decode(text or "[]", type=list[str]))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"this is no JSON list of scenarios: {error}") from error


def gather(
    folder: Path,
    scenarios: Sequence[str],
    jobs: dict[str, str],
    not_compared: str = "",
    confirmed: Path | None = None,
    occasion: Occasion | None = None,
) -> Verdict:
    """The verdict of all verdict.json below ``folder``, which may be missing or empty.

    ``not_compared`` says why head was measured without base; empty where there is nothing to say. Below
    ``confirmed``, which may be missing too, are those of the jobs that confirmed what would block; None where
    no job was to. ``occasion`` is of the job that decides.
    """
    verdicts, unreadable = _read_verdicts(folder)
    firsts: list[Verdict] = []
    if confirmed is not None:
        firsts, (of_both, unread) = verdicts, _read_verdicts(confirmed)
        verdicts, unreadable = [*take_confirmations(firsts, of_both)], [*unreadable, *unread]
    return merge_verdicts(
        scenarios,
        verdicts,
        jobs=jobs,
        unreadable=unreadable,
        not_compared=not_compared,
        replaced=firsts,
        occasion=occasion,
    )


def plan_confirmations(folder: Path, matrix: str) -> str:
    """Of the matrix that was planned, as JSON, what is to be confirmed by the verdicts below ``folder``.

    A JSON list; an empty text where nothing is. Raises UsageError for a matrix that is none.
    """
    try:
        jobs = msgspec.json.decode(matrix, type=list[dict[str, str]])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"this is no matrix of jobs: {error}") from error
    names = {*list_unconfirmed(_read_verdicts(folder)[0])}
    unconfirmed = [job for job in jobs if job.get("scenario") in names]
    return json.dumps(unconfirmed) if unconfirmed else ""


def _read_verdicts(folder: Path) -> tuple[list[Verdict], list[str]]:
    """What is below a folder, and why some of it cannot be read."""
    verdicts: list[Verdict] = []
    unreadable: list[str] = []
    for path in sorted(folder.rglob(VERDICT_FILE)):
        try:
            verdicts.append(decode_verdict(_read(path)))
        except EvidenceError as error:
            unreadable.append(f"{path.relative_to(folder)}: {error}")
    return verdicts, unreadable


def demand_of_head(verdict: Verdict, repository: Path, file: str, scenarios: Sequence[str]) -> Verdict:
    """The verdict, INVALID where head's thresholds.yaml is wrong, or names what the verdict lacks.

    ``repository`` is a checkout of head, ``scenarios`` are those that were planned.
    """
    try:
        head = read_side(repository, file)
    except (BadInputError, EvidenceError) as error:
        return add_mistakes(verdict, list_problems(error, file))
    if head is None:
        return add_mistakes(verdict, [missing_file(file)])
    return demand_all(verdict, head.thresholds, scenarios) if scenarios else verdict


def take_again(
    file: Path, occasion: Occasion | None, scenarios: Sequence[str], jobs: dict[str, str]
) -> Verdict:
    """The verdict of an earlier run at ``file``, for an event that changes nothing of what it measured."""
    try:
        verdict = decode_verdict(_read(file))
    except EvidenceError as error:
        return merge_verdicts(scenarios, [], jobs=jobs, unreadable=[f"{file.name}: {error}"])
    return repeat_verdict(verdict, occasion, scenarios, jobs)


def gather_timelines(folder: Path, scenarios: Sequence[str]) -> RunTimeline:
    """What the charts of all ``scenarios`` are drawn from; one that did not come back readable has none."""
    found: dict[str, ScenarioTimeline] = {}
    for path in sorted(folder.rglob(TIMELINE_FILE)):
        with contextlib.suppress(EvidenceError, UsageError):
            timeline = read_timeline(path.parent)
            found |= {each.scenario: each for each in timeline.scenarios} if timeline else {}
    drawn = tuple(found[name] for name in scenarios if name in found)
    return RunTimeline(schema=TIMELINE_SCHEMA, scenarios=drawn)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_VERDICT_BYTES + 1)  # one more than decode_verdict takes
    except OSError as error:
        raise EvidenceError(f"cannot be read: {error.strerror}") from error
