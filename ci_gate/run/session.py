"""What every measurement of a run shares, and how a service and its Locust are started for one."""

from __future__ import annotations

import contextlib
import importlib
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ci_gate.errors import BaseError, OutsideError, UsageError
from ci_gate.evidence.recording import (
    RESET_CHECKS,
    RecordingPlan,
    RunInfo,
    recording_folder,
)
from ci_gate.judge.validity.run_rules import SERVICE_ENDED
from ci_gate.measure.load_run import Generator, Job, start_generator
from ci_gate.measure.locustfile.given import resolve_settings
from ci_gate.measure.probes import NO_PROBES, resolve_targets
from ci_gate.measure.remote.files import hash_files
from ci_gate.measure.target import Crew
from ci_gate.run.base import BaseVersion
from ci_gate.run.needs import see_needs
from ci_gate.run.plan import RunOptions
from ci_gate.run.progress import ProgressPrinter
from ci_gate.run.secrets import keep_secrets_of
from ci_gate.service.environment import ServiceContext
from ci_gate.service.guard.watchdog import Watchdog
from ci_gate.service.needs import NeedsAround
from ci_gate.service.reset import run_before_each
from ci_gate.service.start import start_service
from ci_gate.thresholds import Scenario, Service
from ci_gate.wording import count

_AFTER_A_LOAD: Final = ("ci_gate.run.judging", "ci_gate.report.files", "ci_gate.report.terminal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What every measurement of a run shares."""

    options: RunOptions
    info: RunInfo
    watchdog: Watchdog
    needs: NeedsAround
    progress: ProgressPrinter
    base: BaseVersion | BaseError | None  # the error: what kept it from being made
    remote_recordings: dict[str, Path] = field(default_factory=dict)  # by their id, for remote workers

    def plans_of(self, scenario: Scenario) -> dict[str, RecordingPlan]:
        """What is to be recorded of a scenario, by the recording's name."""
        return {plan.recording: plan for plan in self.info.recordings if plan.scenario == scenario.name}


@contextlib.contextmanager
def started(
    session: Session,
    service: Service,
    repository: Path,
    side: str,
    plan: RecordingPlan,
    environ: Mapping[str, str] | None = None,
) -> Iterator[tuple[Job, Generator]]:
    """As `started_service`, with a generator, which gets ready meanwhile."""
    with started_generator(session, plan) as generator, contextlib.ExitStack() as stack:
        importing = threading.Thread(target=_import_what_follows)
        importing.start()
        try:
            job = stack.enter_context(started_service(session, service, repository, side, plan, environ))
        finally:
            importing.join()  # nothing is imported beside a load
        yield job, generator


def _import_what_follows() -> None:
    """Nothing after the first time."""
    for module in _AFTER_A_LOAD:
        importlib.import_module(module)


def started_generator(session: Session, plan: RecordingPlan) -> contextlib.AbstractContextManager[Generator]:
    """A generator for this recording; head's locustfile is what loads both sides."""
    options = session.options
    return start_generator(
        plan,
        recording_folder(options.out, plan),
        repository=options.repository,
        environ=options.environ,
        watchdog=session.watchdog,
    )


@contextlib.contextmanager
def started_service(
    session: Session,
    service: Service,
    repository: Path,
    side: str,
    plan: RecordingPlan,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Job]:
    """A fresh service with fresh state, ready for load; ``environ`` is the run's unless given."""
    options = session.options
    folder = recording_folder(options.out, plan)
    with session.watchdog.temporary_folder("ci-gate-state-") as state:
        placement = ServiceContext(
            side=side,
            repository=repository,
            state_dir=state,
            log_path=folder / "service.log",
            environ=options.environ if environ is None else environ,
            thresholds_file=options.thresholds.file,
            cpus=options.pinning.others,
        )
        keep_secrets_of(service, options.thresholds, placement.environ)  # base has its own
        placement = see_needs(session.needs, options, service, placement, session.progress.say)
        with start_service(
            service, placement, watchdog=session.watchdog, on_progress=session.progress.say
        ) as running:
            run_before_each(running, watchdog=session.watchdog)
            is_reset_check = plan.recording in RESET_CHECKS
            probes = NO_PROBES if is_reset_check else resolve_targets(options.thresholds.probes, running)
            for line in probes.off:
                session.progress.say(line)
            yield Job(
                plan=plan,
                folder=folder,
                service=running,
                settings=resolve_settings(_scenario_of(session, plan), running, options.environ),
                probes=probes,
                needs_service=not _may_service_end(session, plan),
                crew=_make_crew(session, plan, folder),
            )


def _make_crew(session: Session, plan: RecordingPlan, folder: Path) -> Crew | None:
    """What workers on other machines need. Raises as `hash_files` does."""
    remote = session.options.remote
    if remote is None or not plan.remote:
        return None
    recording = uuid.uuid4().hex
    session.remote_recordings[recording] = folder
    workers = count(plan.processes, "worker")
    session.progress.say(f"{plan.scenario}: waiting for {workers} at {remote.address}")
    return Crew(
        host=remote.address.host,
        port=remote.address.port,
        secret=remote.secret,
        recording=recording,
        files=hash_files(session.options.repository, plan.locustfile.split(",")),
    )


def set_aside(session: Session, folder: Path, ending: str) -> None:
    """Rename the folder of a recording, so that its name is free; what has not come yet goes with it."""
    renamed = folder.rename(folder.with_name(f"{folder.name}-{ending}"))
    for recording, known in session.remote_recordings.items():
        if known == folder:
            session.remote_recordings[recording] = renamed


def dismiss_workers(session: Session) -> None:
    """Tell workers on other machines that the run is over, and take in what they have not sent yet."""
    if remote := session.options.remote:
        from ci_gate.measure.remote.farewell import dismiss

        folders, workers = session.remote_recordings, session.options.processes
        for line in dismiss(remote.address, remote.secret, workers, folders):
            session.progress.say(line)


def _may_service_end(session: Session, plan: RecordingPlan) -> bool:
    """Whether the scenario relaxes the rule that it must not: its load then goes on."""
    return any(each.code == SERVICE_ENDED for each in _scenario_of(session, plan).relax)


def _scenario_of(session: Session, plan: RecordingPlan) -> Scenario:
    scenario = session.options.thresholds.scenario(plan.scenario)
    assert scenario is not None  # noqa: S101 - the plan is of these thresholds
    return scenario


def make_folder(out: Path) -> None:
    """Make a folder for evidence. Raises UsageError where there already is something in it."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        occupied = any(out.iterdir())
    except OSError as error:
        raise OutsideError(f"cannot make the evidence folder {out}: {error.strerror}") from error
    if occupied:
        raise UsageError(
            f"{out} is not empty: evidence is never written over; choose another --out or remove it"
        )
