"""Whether a recording has to be made again, because other programs had the machine."""

from __future__ import annotations

from pathlib import Path

from ci_gate.evidence.readings import MachineReading
from ci_gate.evidence.recording import RecordingPlan, read_lines, read_recording
from ci_gate.judge.foreign import is_much
from ci_gate.judge.steady import classify
from ci_gate.judge.validity.findings import make_rule_input
from ci_gate.judge.validity.machine_rules import MACHINE_TAKEN
from ci_gate.thresholds import Scenario


def find_taker(folder: Path, scenario: Scenario, plan: RecordingPlan) -> str | None:
    """Who took the machine while limits were broken that this alone can break; None where there is none.

    Nor where the scenario relaxes the rule: then they are judged as they are.
    """
    is_relaxed = any(relaxed.code == MACHINE_TAKEN.code for relaxed in scenario.relax)
    if is_relaxed or not (folder / "samples.bin").exists():
        return None
    if not any(map(is_much, read_lines(folder / "machine.jsonl", MachineReading))):
        return None  # as mostly; all samples need not be read for it
    rule_input = make_rule_input(scenario, plan, classify(read_recording(folder), scenario.accept))
    return next((message for _, message in MACHINE_TAKEN.find(rule_input)), None)
