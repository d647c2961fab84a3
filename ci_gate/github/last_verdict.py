"""Whether an event needs a measurement, or the last verdict on the same head still stands."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Final

from ci_gate.errors import EvidenceError
from ci_gate.github.api.artifacts import download_artifact
from ci_gate.github.api.reply import GitHubError
from ci_gate.github.api.runs import find_run_before
from ci_gate.github.api.transport import Transport
from ci_gate.github.key import DEFAULT_KEY, name_artifact, name_timeline_artifact
from ci_gate.judge.gate.repeated import explain_misfit
from ci_gate.judge.occasion import Occasion
from ci_gate.judge.timeline.run_timeline import RunTimeline, decode_timeline
from ci_gate.judge.verdict import Verdict, decode_verdict
from ci_gate.report.files import TIMELINE_FILE, VERDICT_FILE

_ENDED: Final = frozenset({"success", "failure"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a verdict must be of, to stand again."""

    occasion: Occasion
    profile: str
    scenarios: tuple[str, ...]
    thresholds_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A verdict that stands, and what its charts are drawn from; None where that is gone."""

    verdict: Verdict
    timeline: RunTimeline | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureAgain:
    """Why no earlier verdict stands."""

    why: str


def find_last_verdict(
    transport: Transport, repository: str, wanted: Wanted, key: str = DEFAULT_KEY
) -> Standing | MeasureAgain:
    """The verdict of the newest earlier run of this workflow for this head, if it still stands.

    Only the newest counts: one that was cancelled may have been about to measure what the older ones did not.
    """
    occasion = wanted.occasion
    try:
        run = find_run_before(
            transport,
            repository,
            occasion.run_id,
            head_sha=occasion.head_sha,
            pull_number=occasion.pull_number,
        )
        if run is None:
            return MeasureAgain(why="no run has measured this commit before")
        if run.status != "completed" or run.conclusion not in _ENDED:
            return MeasureAgain(why=f"run {run.id} before it is {run.conclusion or run.status}")
        files = download_artifact(transport, repository, run.id, name_artifact(key))
        if VERDICT_FILE not in files:
            return MeasureAgain(why=f"run {run.id} has left no {VERDICT_FILE}")
        verdict = decode_verdict(files[VERDICT_FILE])
    except (EvidenceError, GitHubError) as error:
        return MeasureAgain(why=str(error))
    misfit = _explain_other_measurement(verdict, wanted) or explain_misfit(
        verdict, occasion, wanted.scenarios
    )
    if misfit:
        return MeasureAgain(why=f"the verdict of run {run.id}: {misfit}")
    return Standing(verdict=verdict, timeline=_find_timeline(transport, repository, run.id, key))


def _find_timeline(transport: Transport, repository: str, run_id: int, key: str) -> RunTimeline | None:
    """None where there is none to be had: charts are worth no measurement."""
    with contextlib.suppress(EvidenceError, GitHubError):
        files = download_artifact(transport, repository, run_id, name_timeline_artifact(key))
        return decode_timeline(files[TIMELINE_FILE]) if TIMELINE_FILE in files else None
    return None


def _explain_other_measurement(verdict: Verdict, wanted: Wanted) -> str:
    if verdict.thresholds_sha256 != wanted.thresholds_sha256:
        return "it was judged by another thresholds.yaml"
    return "" if verdict.profile == wanted.profile else f"it is of the profile {verdict.profile}"
