"""Whether a measurement has to be made once more: others had the machine, or it would block head."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ci_gate.evidence.readings import MachineReading
from ci_gate.evidence.recording import (
    CONFIRM,
    DUET_BASE,
    DUET_HEAD,
    RecordingPlan,
    duet_name,
    recording_folder,
)
from ci_gate.evidence.strict_json import read_lines
from ci_gate.judge.compare.confirmation import judge_planned_duet
from ci_gate.judge.compare.duet import DuetVerdict
from ci_gate.judge.foreign import is_much
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.validity.findings import make_rule_input
from ci_gate.judge.validity.machine_rules import MACHINE_TAKEN
from ci_gate.run.classified import read_classified
from ci_gate.thresholds import Compare, Scenario


def find_taker(folder: Path, scenario: Scenario, plan: RecordingPlan) -> str | None:
    """Who took the machine while limits were broken that this alone can break; None where there is none.

    Nor where the scenario relaxes the rule: then they are judged as they are.
    """
    is_relaxed = any(relaxed.code == MACHINE_TAKEN.code for relaxed in scenario.relax)
    if is_relaxed or not (folder / "samples.bin").exists():
        return None
    if not any(map(is_much, read_lines(folder / "machine.jsonl", MachineReading))):
        return None  # as mostly; all samples need not be read for it
    rule_input = make_rule_input(scenario, plan, read_classified(folder, scenario))
    return next((message for _, message in MACHINE_TAKEN.find(rule_input)), None)


def find_red(
    out: Path,
    scenario: Scenario,
    settings: Compare,
    plans: Mapping[str, RecordingPlan],
    failures: Mapping[str, str],
) -> DuetVerdict | None:
    """The comparison as far as it was measured, by one start or by both, where it would block; else None."""
    folders = {
        name: recording_folder(out, plans[name]) for name in (DUET_BASE, DUET_HEAD, *CONFIRM) if name in plans
    }
    recordings = {
        name: read_classified(folder, scenario)
        for name, folder in folders.items()
        if (folder / "samples.bin").exists()
    }
    name = scenario.name
    whys = failures.get(duet_name(name)), failures.get(duet_name(name, is_second=True))
    verdict = judge_planned_duet(scenario, settings, plans, recordings, whys)
    return verdict if verdict.outcome == Outcome.FAIL else None
