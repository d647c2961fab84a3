"""Reads evidence for `ci-gate suggest`: each scenario of each run, judged by the file as it is now."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ci_gate.errors import EvidenceError, UsageError
from ci_gate.evidence.environment import read_environment
from ci_gate.evidence.recording import HEAD, RunInfo, read_recordings, read_run
from ci_gate.judge.compare.duet import NOT_COMPARED, DuetVerdict
from ci_gate.judge.scenario_evidence import ScenarioEvidence, gather_evidence
from ci_gate.judge.suggest.measured import MeasuredRun, explain_unusable, measure_all, name_runner
from ci_gate.judge.suggest.suggestion import Evidence, Unusable
from ci_gate.judge.validity.run_findings import find_in_run
from ci_gate.judge.verdict import ScenarioVerdict, judge_evidence
from ci_gate.run.calibrate import ITSELF
from ci_gate.thresholds import ALL_ENDPOINTS, Thresholds

RUN_FILE: Final = "run.json"


def read_evidence(folders: Sequence[Path], thresholds: Thresholds) -> Evidence:
    """What the runs in or below ``folders`` show; those of `ci-gate calibrate` show comparisons only.

    Raises UsageError for a folder without a run.
    """
    runs: dict[str, list[MeasuredRun]] = {}
    duets: dict[str, list[DuetVerdict]] = {}
    unusable: list[Unusable] = []
    seen: dict[tuple[str, str, int], Path] = {}  # a copy of a run shows nothing that the run does not
    for folder in _find_runs(folders):
        try:
            info = read_run(folder)
            recordings = read_recordings(folder, info)
        except EvidenceError as error:
            unusable.append(Unusable(scenario="all", run=str(folder), why=str(error)))
            continue
        for evidence in gather_evidence(thresholds, info, recordings):
            plan = next(iter(evidence.plans.values()))
            first = seen.setdefault((evidence.name, info.started_at, plan.seed), folder)
            why: str | None = f"a copy of {first}"
            if first == folder:
                why = _keep(thresholds, info, evidence, runs, duets)
            if why:
                unusable.append(Unusable(scenario=evidence.name, run=str(folder), why=why))
    return Evidence(
        runs={name: tuple(each) for name, each in runs.items()},
        duets={name: tuple(each) for name, each in duets.items()},
        unusable=tuple(unusable),
    )


def _find_runs(folders: Sequence[Path]) -> list[Path]:
    """Each once, in the order of their names within a folder."""
    found: dict[Path, Path] = {}
    for folder in folders:
        paths = sorted(folder.rglob(RUN_FILE))
        if not paths:
            raise UsageError(
                f"{folder} holds no {RUN_FILE}: name folders that `ci-gate run` or `calibrate` wrote"
            )
        for path in paths:
            found.setdefault(path.parent.resolve(), path.parent)
    return list(found.values())


def _keep(
    thresholds: Thresholds,
    info: RunInfo,
    evidence: ScenarioEvidence,
    runs: dict[str, list[MeasuredRun]],
    duets: dict[str, list[DuetVerdict]],
) -> str | None:
    """Why it is not kept; None where it is."""
    verdict = judge_evidence(thresholds, info, evidence)
    if info.git.get("base") == ITSELF and HEAD not in evidence.plans:
        return _keep_duet(verdict, duets)
    return _keep_run(thresholds, info, evidence, verdict, runs)


def _keep_duet(verdict: ScenarioVerdict, duets: dict[str, list[DuetVerdict]]) -> str | None:
    """Why it is not kept; None where it is."""
    duet = verdict.comparison
    if duet is None:
        return "no comparison was measured"
    for finding in duet.findings:
        if finding.code == NOT_COMPARED or finding.severity == "invalid":
            return f"{finding.code}: {finding.about}: {finding.message}"
    duets.setdefault(verdict.name, []).append(duet)
    return None


def _keep_run(
    thresholds: Thresholds,
    info: RunInfo,
    evidence: ScenarioEvidence,
    verdict: ScenarioVerdict,
    runs: dict[str, list[MeasuredRun]],
) -> str | None:
    """Why it is not kept; None where it is."""
    scenario, head = evidence.scenario, evidence.recordings.get(HEAD)
    if scenario is None:
        return f"{thresholds.file} does not have this scenario"
    why = explain_unusable(scenario, verdict, find_in_run(thresholds, info))
    if why or head is None:
        return why or "head alone was not measured"
    runs.setdefault(scenario.name, []).append(
        MeasuredRun(
            runner=name_runner(read_environment(info)),
            is_on_ci=info.host.get("ci") == "true",
            endpoints=tuple(row.endpoint for row in verdict.endpoints if row.endpoint != ALL_ENDPOINTS),
            figures=measure_all(scenario, head.steady, verdict.endpoints),
            duration_s=head.steady.duration_s,
        )
    )
    return None
