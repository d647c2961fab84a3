"""One run: starts the service afresh for each scenario, puts the load on, and writes the evidence."""

from __future__ import annotations

import datetime as dt
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import msgspec
import psutil

import ci_gate
from ci_gate.errors import EvidenceError, OutsideError, ServiceError, UsageError
from ci_gate.evidence import RUN_SCHEMA, Recording, RecordingPlan, RunInfo, read_recording, write_json
from ci_gate.judge.feasibility import least_rates, offered_rate
from ci_gate.measure.live import RecordingTail
from ci_gate.measure.load_run import Job, record
from ci_gate.progress import ProgressPrinter
from ci_gate.service import Placement, run_before_each, start_service
from ci_gate.thresholds import ALL_ENDPOINTS, Profile, Scenario, Thresholds
from ci_gate.watchdog import Watchdog
from ci_gate.workload import Workload

DRAIN_S = 30.0
SPAWN_ALLOWANCE_S = 60.0  # beyond users / spawn_rate, for slow logins
HEAD = "head"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What to run and where. ``environ`` is what services and scenarios may see of ours."""

    thresholds: Thresholds
    profile: Profile
    scenarios: tuple[Scenario, ...]
    workloads: Mapping[str, Workload]  # by locustfile
    out: Path
    repository: Path
    environ: Mapping[str, str]


def run_scenarios(request: RunRequest, progress: ProgressPrinter) -> RunInfo:
    """Measure every scenario in turn; a service that fails one does not stop the others.

    Writes run.json before the first and after each scenario. An interrupt ends everything, is noted in
    run.json, and goes on up. Raises OutsideError where evidence cannot be written.
    """
    info = _describe_run(request)
    _make_folder(request.out)
    write_json(request.out / "run.json", info)
    failures: dict[str, str] = {}
    interrupted = True
    try:
        with Watchdog() as watchdog:
            for scenario, plan in zip(request.scenarios, info.recordings, strict=True):
                try:
                    _run_scenario(request, scenario, plan, watchdog, progress)
                except ServiceError as error:
                    failures[scenario.name] = str(error)
                    progress.say(str(error))
        interrupted = False
    finally:
        progress.finish()
        info = msgspec.structs.replace(info, ended_at=_now(), interrupted=interrupted, failures=failures)
        write_json(request.out / "run.json", info)
    return info


def _run_scenario(
    request: RunRequest,
    scenario: Scenario,
    plan: RecordingPlan,
    watchdog: Watchdog,
    progress: ProgressPrinter,
) -> None:
    folder = recording_folder(request.out, plan)
    ramp_s = scenario.user_count / scenario.spawn_rate + scenario.ramp_s
    progress.start(
        f"{scenario.name}: {scenario.user_count:,} users", ramp_s + plan.warmup_s + plan.duration_s
    )
    with tempfile.TemporaryDirectory(prefix="ci-gate-state-") as state:
        placement = Placement(
            side=HEAD,
            repository=request.repository,
            state_dir=Path(state),
            log_path=folder / "service.log",
            environ=request.environ,
            thresholds_file=request.thresholds.file,
        )
        service = request.thresholds.service
        with start_service(service, placement, watchdog=watchdog, on_progress=progress.say) as running:
            run_before_each(running, watchdog=watchdog)
            tail = RecordingTail(folder)
            record(
                (Job(plan=plan, folder=folder, service=running),),
                repository=request.repository,
                environ=request.environ,
                watchdog=watchdog,
                on_second=lambda: progress.show(scenario.name, tail.read()),
            )


def recording_folder(out: Path, plan: RecordingPlan) -> Path:
    """Where the evidence of one recording is."""
    return out / plan.scenario / plan.recording


def read_recordings(out: Path, info: RunInfo) -> dict[str, Recording]:
    """The recording of each planned scenario that has one. Raises EvidenceError for one that is not ours."""
    folders = {plan.scenario: recording_folder(out, plan) for plan in info.recordings}
    for name, folder in folders.items():
        if not folder.resolve().is_relative_to(out.resolve()):
            raise EvidenceError(f"run.json names a scenario outside its folder: {name!r}")
    return {
        name: read_recording(folder) for name, folder in folders.items() if (folder / "samples.bin").exists()
    }


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        occupied = any(out.iterdir())
    except OSError as error:
        raise OutsideError(f"cannot make the evidence folder {out}: {error.strerror}") from error
    if occupied:
        raise UsageError(
            f"{out} is not empty: evidence is never written over; choose another --out or remove it"
        )


def plan_recording(scenario: Scenario, profile: Profile, workload: Workload) -> RecordingPlan:
    """What Locust is to do for one scenario under one profile."""
    return RecordingPlan(
        scenario=scenario.name,
        recording=HEAD,
        locustfile=scenario.locustfile,
        users={user.user_class: user.count for user in scenario.users},
        spawn_rate=scenario.spawn_rate,
        warmup_s=profile.warmup_s,
        duration_s=profile.duration_s,
        drain_s=DRAIN_S,
        spawn_timeout_s=scenario.user_count / scenario.spawn_rate + SPAWN_ALLOWANCE_S,
        seed=1,
        arrivals_per_s=scenario.arrivals_per_s,
        ramp_s=scenario.ramp_s,
        offered_per_s=offered_rate(scenario, workload, ALL_ENDPOINTS),
        least_offered_per_s=least_rates(scenario, workload),
    )


def _describe_run(request: RunRequest) -> RunInfo:
    return RunInfo(
        schema=RUN_SCHEMA,
        ci_gate_version=ci_gate.__version__,
        profile=request.profile.name,
        started_at=_now(),
        ended_at=None,
        interrupted=False,
        thresholds_file=request.thresholds.file,
        thresholds_text=request.thresholds.text,
        recordings=tuple(
            plan_recording(scenario, request.profile, request.workloads[scenario.locustfile])
            for scenario in request.scenarios
        ),
        failures={},
        host=_describe_host(),
        versions={"python": platform.python_version(), "locust": version("locust")},
        git=_describe_git(request.repository),
    )


def _describe_host() -> dict[str, str]:
    return {
        "cpus": str(os.cpu_count()),
        "memory_bytes": str(psutil.virtual_memory().total),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "load_average": f"{os.getloadavg()[0]:.2f}",
    }


def _describe_git(repository: Path) -> dict[str, str]:
    git = shutil.which("git")
    if git is None:
        return {}
    head = subprocess.run(
        [git, "rev-parse", "HEAD"], cwd=repository, capture_output=True, text=True, check=False, timeout=30
    )
    return {"head": head.stdout.strip()} if head.returncode == 0 else {}


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
