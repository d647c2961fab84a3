"""Pairs of the reference service under load at the same time, for the benchmarks of the comparison."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from ci_gate.evidence import Recording, read_recording
from ci_gate.measure.load_run import Job, record
from ci_gate.plan import plan_duet
from ci_gate.request import read_thresholds, service_environment
from ci_gate.service import Placement, run_before_each, start_service
from ci_gate.thresholds import Scenario, Thresholds
from ci_gate.watchdog import Watchdog
from ci_gate.workload import Workload

REPOSITORY = Path(__file__).parents[1]


def load_thresholds() -> Thresholds:
    """Those of this repository."""
    return read_thresholds(REPOSITORY / "thresholds.yaml")


def run_pairs(
    thresholds: Thresholds,
    scenario: Scenario,
    *,
    pairs: int,
    duration_s: float,
    head_faults: str,
    on_second: Callable[[list[tuple[Job, int]], float], bool],
) -> list[tuple[Recording, Recording]]:
    """Load ``pairs`` pairs of base and head for ``duration_s`` of steady phase; their recordings.

    Head runs with ``head_faults``. ``on_second`` is given each job with the process id of its service, and
    the seconds since the load began.
    """
    workload = Workload(locustfile=scenario.locustfile, classes=(), error=None)
    settings = dataclasses.replace(thresholds.compare, max_duration_s=duration_s)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        watchdog = stack.enter_context(Watchdog())
        jobs: list[tuple[Job, int]] = []
        for number in range(pairs):
            plans = plan_duet(scenario, thresholds.profiles[0], workload, settings, seed=number)
            for side, plan in zip(("base", "head"), plans, strict=True):
                place = folder / f"{number}-{side}"
                placement = Placement(
                    side=side,
                    repository=REPOSITORY,
                    state_dir=place / "state",
                    log_path=place / "service.log",
                    environ={**service_environment(), "FAULTS": head_faults if side == "head" else ""},
                )
                running = stack.enter_context(start_service(thresholds.service, placement, watchdog=watchdog))
                run_before_each(running, watchdog=watchdog)
                changed = msgspec.structs.replace(plan, duration_s=duration_s, drain_s=5.0)
                job = Job(plan=changed, folder=place / "load", service=running)
                jobs.append((job, running.process_ids()[0]))
        began = time.monotonic()
        record(
            tuple(job for job, _ in jobs),
            repository=REPOSITORY,
            environ=service_environment(),
            watchdog=watchdog,
            on_second=lambda: on_second(jobs, time.monotonic() - began),
        )
        recordings = [read_recording(job.folder) for job, _ in jobs]
    return list(zip(recordings[::2], recordings[1::2], strict=True))
