"""Pairs of the reference service under load at the same time, for the benchmarks of the comparison."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ci_gate.cli.options import read_thresholds, service_environment
from ci_gate.evidence.recording import Recording, RecordingPlan, read_recording
from ci_gate.evidence.workload import Workload
from ci_gate.measure.load_run import Job, record, start_generator
from ci_gate.run.plan import plan_duet
from ci_gate.service.environment import ServiceContext
from ci_gate.service.guard.watchdog import Watchdog
from ci_gate.service.reset import run_before_each
from ci_gate.service.running import RunningService
from ci_gate.service.start import start_service
from ci_gate.thresholds import Scenario, Thresholds

REPOSITORY = Path(__file__).parents[1]
SIDES = ("base", "head")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Base and head, started and seeded, and the plan of the load that each gets in a duet."""

    folder: Path
    services: tuple[RunningService, RunningService]
    plan: RecordingPlan

    def job(self, side: int, name: str = "load") -> Job:
        """A Locust for one side; several with different names may load the same side."""
        return Job(plan=self.plan, folder=self.folder / SIDES[side] / name, service=self.services[side])


def load_thresholds() -> Thresholds:
    """Those of this repository."""
    return read_thresholds(REPOSITORY / "thresholds.yaml")


def find_scenario(thresholds: Thresholds, name: str, *, users: int | None = None) -> Scenario:
    """The scenario of that name; where a number of users is given, half of them load each side."""
    scenario = thresholds.scenario(name)
    if scenario is None:
        raise SystemExit(f"no scenario {name!r}; there are {', '.join(s.name for s in thresholds.scenarios)}")
    if users is None:
        return scenario
    (only,) = scenario.users
    return dataclasses.replace(scenario, users=(dataclasses.replace(only, count=users),), compare_load=0.5)


def plan_pair(
    thresholds: Thresholds, scenario: Scenario, duration_s: float, seed: int = 1
) -> tuple[RecordingPlan, RecordingPlan]:
    """What each side of a duet of ``duration_s`` is to do."""
    workload = Workload(locustfile=scenario.locustfile, classes=(), error=None)
    plans = plan_duet(scenario, thresholds.profiles[0], workload, thresholds.compare, seed)
    changed = [msgspec.structs.replace(plan, duration_s=duration_s, drain_s=5.0) for plan in plans]
    return changed[0], changed[1]


@contextlib.contextmanager
def start_pairs(
    thresholds: Thresholds,
    scenario: Scenario,
    faults: Sequence[tuple[str, str]],
    *,
    duration_s: float,
    watchdog: Watchdog,
) -> Iterator[list[Pair]]:
    """A pair for each of ``faults``, which are those of its base and of its head."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        pairs = []
        for number, faults_of_sides in enumerate(faults):
            plans = plan_pair(thresholds, scenario, duration_s, seed=number)
            services = {}
            for index in sorted((0, 1), key=lambda index: not plans[index].service_first):
                side, faults_of_side = SIDES[index], faults_of_sides[index]
                place = folder / str(number) / side
                placement = ServiceContext(
                    side=side,
                    repository=REPOSITORY,
                    state_dir=place / "state",
                    log_path=place / "service.log",
                    environ={**service_environment(), "FAULTS": faults_of_side},
                )
                running = stack.enter_context(start_service(thresholds.service, placement, watchdog=watchdog))
                run_before_each(running, watchdog=watchdog)
                services[side] = running
            both = services["base"], services["head"]
            pairs.append(Pair(folder=folder / str(number), services=both, plan=plans[0]))
        yield pairs


def record_jobs(jobs: Sequence[Job], watchdog: Watchdog, on_second: Callable[[], bool]) -> None:
    """Start a Locust for each job, and let all of them run to their end, or until ``on_second`` is true."""
    with contextlib.ExitStack() as stack:
        loads = [
            (
                job,
                stack.enter_context(
                    start_generator(
                        job.plan,
                        job.folder,
                        repository=REPOSITORY,
                        environ=service_environment(),
                        watchdog=watchdog,
                    )
                ),
            )
            for job in jobs
        ]
        record(tuple(loads), on_second=on_second)


def run_pairs(
    thresholds: Thresholds,
    scenario: Scenario,
    *,
    faults: Sequence[tuple[str, str]],
    duration_s: float,
    on_second: Callable[[float], bool],
) -> list[tuple[Recording, Recording]]:
    """Load all pairs at once for ``duration_s`` of steady phase, each like one duet; their recordings.

    ``on_second`` is given the seconds since the load began.
    """
    with (
        Watchdog() as watchdog,
        start_pairs(thresholds, scenario, faults, duration_s=duration_s, watchdog=watchdog) as pairs,
    ):
        jobs = [pair.job(side) for pair in pairs for side in (0, 1)]
        began = time.monotonic()
        record_jobs(jobs, watchdog, lambda: on_second(time.monotonic() - began))
        recordings = [read_recording(job.folder) for job in jobs]
    return list(zip(recordings[::2], recordings[1::2], strict=True))
