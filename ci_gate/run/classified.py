"""Reads what was just recorded, for a decision about what follows: the verdict reads it all again."""

from __future__ import annotations

from pathlib import Path

from ci_gate.evidence.recording import read_recording
from ci_gate.judge.steady import ClassifiedRecording, classify
from ci_gate.thresholds import Scenario


def read_classified(folder: Path, scenario: Scenario) -> ClassifiedRecording:
    """The recording in ``folder``, without what only a diagnosis takes. Raises EvidenceError."""
    return classify(read_recording(folder, for_diagnosis=False), scenario.accept, scenario.cpu_of)
