"""What there is of each scenario of a run; every recording is classified once, for all that need it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ci_gate.evidence.recording import Recording, RecordingPlan, RunInfo
from ci_gate.judge.steady import ClassifiedRecording, classify
from ci_gate.thresholds import DEFAULT_CPU_OF, Scenario, Thresholds


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioEvidence:
    """What was planned and recorded of one scenario; ``plans`` and ``recordings`` are by recording."""

    name: str
    scenario: Scenario | None  # None: thresholds.yaml does not have it
    plans: Mapping[str, RecordingPlan]
    recordings: Mapping[str, ClassifiedRecording]


def gather_evidence(
    thresholds: Thresholds, run: RunInfo, recordings: Mapping[tuple[str, str], Recording]
) -> Iterator[ScenarioEvidence]:
    """Each planned scenario, in the order of the plan; ``recordings`` are by scenario and recording.

    One after the other, because what is classified takes as much memory as the recording.
    """
    planned: dict[str, dict[str, RecordingPlan]] = {}
    for plan in run.recordings:
        planned.setdefault(plan.scenario, {})[plan.recording] = plan
    for name, plans in planned.items():
        scenario = thresholds.scenario(name)
        accept = scenario.accept if scenario else ()
        cpu_of = scenario.cpu_of if scenario else DEFAULT_CPU_OF
        yield ScenarioEvidence(
            name=name,
            scenario=scenario,
            plans=plans,
            recordings={
                recording: classify(recordings[of, recording], accept, cpu_of)
                for of, recording in recordings
                if of == name
            },
        )
