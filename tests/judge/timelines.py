"""The timeline of a run that lies in memory."""

from __future__ import annotations

from collections.abc import Mapping

from ci_gate.evidence.recording import Recording, RunInfo
from ci_gate.judge.scenario_evidence import gather_evidence
from ci_gate.judge.timeline.run_timeline import RunTimeline, draw_scenario, make_timeline
from ci_gate.thresholds import Thresholds


def draw_timelines(
    thresholds: Thresholds, run: RunInfo, recordings: Mapping[tuple[str, str], Recording]
) -> RunTimeline:
    """As `judge_folder` makes it of files; ``recordings`` are by scenario and recording."""
    return make_timeline(map(draw_scenario, gather_evidence(thresholds, run, recordings)))
