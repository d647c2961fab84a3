"""Judges an evidence folder; what `ci-gate run`, `ci-gate capacity` and `ci-gate judge` end with."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ci_gate.evidence.recording import Recording, RunInfo, read_recordings, read_run
from ci_gate.judge.capacity.verdict import CapacityVerdict, encode_capacity, judge_capacity
from ci_gate.judge.scenario_evidence import ScenarioEvidence, gather_evidence
from ci_gate.judge.timeline.run_timeline import (
    RunTimeline,
    ScenarioTimeline,
    draw_scenario,
    make_timeline,
)
from ci_gate.judge.verdict import ScenarioVerdict, Verdict, judge_evidence, make_verdict
from ci_gate.report.html.capacity import render_capacity_html
from ci_gate.thresholds import Thresholds, parse_thresholds

CAPACITY_FILE: Final = "capacity.json"
CAPACITY_PAGE: Final = "capacity.html"


def judge_folder(folder: Path, thresholds: Thresholds | None) -> tuple[Verdict, RunTimeline]:
    """The verdict on the evidence in ``folder``, and what its charts are drawn from; writes nothing.

    Without ``thresholds`` it is judged by those it was measured with. Raises EvidenceError and BadInputError.
    """
    thresholds, info, recordings = _read_evidence(folder, thresholds)

    def judge_one(evidence: ScenarioEvidence) -> tuple[ScenarioVerdict, ScenarioTimeline]:
        return judge_evidence(thresholds, info, evidence), draw_scenario(evidence)

    pairs = tuple(map(judge_one, gather_evidence(thresholds, info, recordings)))
    verdict = make_verdict(thresholds, info, tuple(verdict for verdict, _ in pairs))
    return verdict, make_timeline(timeline for _, timeline in pairs)


def judge_capacity_folder(folder: Path, thresholds: Thresholds | None) -> CapacityVerdict:
    """The verdict on the steps in ``folder``, also written there as capacity.json and capacity.html.

    Without ``thresholds`` they are judged by those they were measured with. Raises EvidenceError and
    BadInputError.
    """
    verdict = judge_capacity(*_read_evidence(folder, thresholds))
    (folder / CAPACITY_FILE).write_bytes(encode_capacity(verdict))
    (folder / CAPACITY_PAGE).write_text(render_capacity_html(verdict), encoding="utf-8")
    return verdict


def _read_evidence(
    folder: Path, thresholds: Thresholds | None
) -> tuple[Thresholds, RunInfo, dict[tuple[str, str], Recording]]:
    info = read_run(folder)
    thresholds = thresholds or parse_thresholds(info.thresholds_text, info.thresholds_file)
    return thresholds, info, read_recordings(folder, info)
