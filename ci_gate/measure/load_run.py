"""Puts load on services: one headless Locust with the recorder for each, all at once, until they are done."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ci_gate.addresses import kept_secrets
from ci_gate.errors import OutsideError
from ci_gate.evidence.readings import ForeignUse
from ci_gate.evidence.recording import RecordingPlan, write_json
from ci_gate.evidence.workload import GivenSettings
from ci_gate.measure import AWAITED_HOST
from ci_gate.measure.foreign import ForeignMeter
from ci_gate.measure.machine import MachineMeter
from ci_gate.measure.probes import NO_PROBES, ProbeTargets, run_probes
from ci_gate.measure.target import Crew, Target
from ci_gate.service.environment import find_ca
from ci_gate.service.guard.watchdog import Watchdog
from ci_gate.service.log import open_log
from ci_gate.service.process import Command, GuardedProcess, start_process
from ci_gate.service.running import RunningService
from ci_gate.wording import format_exact

_POLL_S = 0.1
_START_ALLOWANCE_S = 60.0  # for Locust to start and to write its totals, on a slow machine
_INTERRUPT_GRACE_S = 5.0
NO_SETTINGS = GivenSettings(locustfiles=())
_GONE_READINGS = 3  # of a service that is not there, one a second: no load can end well then
_SERVICE_GONE = "the service has ended"
_LOCUST_GONE = "the Locust of one side has ended"


class Generator:
    """A Locust with the recorder, started and waiting for the service that it is to put the load on."""

    def __init__(self, process: GuardedProcess, closing: contextlib.ExitStack) -> None:
        self.process = process
        self._closing = closing

    def begin(self, service: RunningService, settings: GivenSettings, crew: Crew | None = None) -> None:
        """Put the load on this service, by workers on other machines where there is a ``crew``."""
        ca = find_ca(service.service, service.placement)
        target = Target(
            url=service.url,
            ca=str(ca.resolve()) if ca else "",
            secrets=kept_secrets(),
            settings=settings,
            crew=crew,
        )
        self.process.write_input(msgspec.json.encode(target))

    def close(self) -> None:
        """End it, if it has not ended yet."""
        self._closing.close()


@contextlib.contextmanager
def start_generator(
    plan: RecordingPlan, folder: Path, *, repository: Path, environ: Mapping[str, str], watchdog: Watchdog
) -> Iterator[Generator]:
    """A generator for one recording, whose evidence is in ``folder``; leaving the context ends it.

    Raises OutsideError where the folder or its log cannot be written, or Locust cannot be started.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    command = Command(
        words=locust_command(plan, folder.resolve(), AWAITED_HOST),
        env=environ,
        cwd=repository / plan.directory,
        log=open_log(folder / "locust.log"),
        grace_s=_INTERRUPT_GRACE_S,
        reads_input=True,
    )
    with contextlib.ExitStack() as stack:
        process = stack.enter_context(start_process(command, watchdog))
        yield Generator(process, stack)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a generator is to do, where to write, against which service, and what is probed beside it.

    ``settings`` are those of its scenario, resolved. ``needs_service``: once the service has ended, no load
    on it can end well. ``crew`` is of a plan whose load workers on other machines put on.
    """

    plan: RecordingPlan
    folder: Path
    service: RunningService
    settings: GivenSettings = NO_SETTINGS
    probes: ProbeTargets = NO_PROBES
    needs_service: bool = True
    crew: Crew | None = None


def record(
    loads: tuple[tuple[Job, Generator], ...],
    *,
    on_second: Callable[[], bool] = lambda: False,
    on_poll: Callable[[], bool] = lambda: False,
) -> str | None:
    """Run all jobs at once, each by its generator, to their end or past it.

    One that hangs is ended, and its marks then say so.
    ``on_second`` is called about once a second and ``on_poll`` ten times, and each ends the steady phase by
    returning True. So does a service that has ended where it is needed: it does not come back. Of several
    jobs none is of use without the others: where the Locust of one ends, the others are ended too. Returns
    which of these two ended the load early, None where neither did. Whatever interrupts this, what was
    measured stays. Raises OutsideError where a folder cannot be written.
    """
    jobs = [job for job, _ in loads]
    with contextlib.ExitStack() as stack:
        meters = [_prepare(job, stack) for job in jobs]
        # Of a service that runs elsewhere, or was started by others, the processes are not known.
        others = ForeignMeter() if all(job.service.runtime for job in jobs) else None
        generators = []
        for job, generator in loads:
            stack.callback(generator.close)
            generator.begin(job.service, job.settings, job.crew)
            generators.append(generator.process)
        deadline = time.monotonic() + max(_longest_s(job.plan) for job in jobs)
        next_second = time.monotonic() + 1
        gone_readings, is_decided, ended_by = 0, False, None
        while running := [generator for generator in generators if generator.exit_status() is None]:
            why = _LOCUST_GONE if _is_any_gone(jobs, generators) else None
            running[0].wait(_POLL_S)  # at most: the next second need not be awaited after its end
            if time.monotonic() > deadline:
                break
            is_decided = on_poll() or is_decided
            if time.monotonic() >= next_second:
                next_second += 1
                foreign = (
                    others.read(pid for job in jobs for pid in job.service.process_ids()) if others else None
                )
                is_gone = [
                    not _take_reading(job, meter, foreign) for job, meter in zip(jobs, meters, strict=True)
                ]
                is_missed = any(gone and job.needs_service for gone, job in zip(is_gone, jobs, strict=True))
                gone_readings = gone_readings + 1 if is_missed else 0
                is_decided = on_second() or is_decided
                why = why or (_SERVICE_GONE if gone_readings >= _GONE_READINGS else None)
            if (is_decided or why) and all(map(_has_begun, loads)):
                _end_steady_phase(generators, max(job.plan.drain_s for job in jobs))
                ended_by = why
                break
        for job, meter in zip(jobs, meters, strict=True):
            _take_reading(job, meter)  # what was used until now
    return ended_by


def _take_reading(job: Job, meter: MachineMeter, foreign: ForeignUse | None = None) -> bool:
    try:
        return meter.take_reading(foreign)
    except OSError as error:
        raise _cannot_write(job.folder, error) from error


def _has_begun(load: tuple[Job, Generator]) -> bool:
    """Whether a signal lets this Locust end in order: before it has marked its start, it leaves nothing."""
    job, generator = load
    marks = job.folder / "marks.jsonl"
    return generator.process.exit_status() is not None or (marks.exists() and marks.stat().st_size > 0)


def _is_any_gone(jobs: list[Job], generators: list[GuardedProcess]) -> bool:
    """Whether one ended before the others. A shape ends its load itself, on one side a little earlier."""
    statuses = [generator.exit_status() for generator in generators]
    return any(
        status is not None and not (job.plan.shape and status == 0)
        for job, status in zip(jobs, statuses, strict=True)
    )


def _end_steady_phase(generators: list[GuardedProcess], drain_s: float) -> None:
    """Let Locust stop its users, await what is in flight, and write its totals."""
    for generator in generators:
        if generator.exit_status() is None:
            generator.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + drain_s + _START_ALLOWANCE_S
    for generator in generators:
        generator.wait(max(deadline - time.monotonic(), 0))


def _prepare(job: Job, stack: contextlib.ExitStack) -> MachineMeter:
    try:
        write_json(job.folder / "plan.json", job.plan)
        stack.enter_context(run_probes(job.probes, job.folder))
        return stack.enter_context(MachineMeter(job.folder / "machine.jsonl", job.service))
    except OSError as error:
        raise _cannot_write(job.folder, error) from error


def _cannot_write(folder: Path, error: OSError) -> OutsideError:
    return OutsideError(f"cannot write evidence to {folder}: {error.strerror}")


def locust_command(plan: RecordingPlan, folder: Path, host: str) -> tuple[str, ...]:
    """The command line of one recorded, headless Locust run against ``host``, which may be AWAITED_HOST.

    It is for the plan's working folder. The recorder adds the words of the scenario's ``args``, which may
    hold secrets.
    """
    files = plan.locustfile.split(",")
    if plan.directory:
        files = [os.path.relpath(each, plan.directory) for each in files]
    options = {
        "--locustfile": ",".join(files),
        "--host": host,
        **_load_options(plan),
        **_process_options(plan),
        "--exit-code-on-error": "0",
        "--loglevel": "INFO",
    }
    flat = [word for option in options.items() for word in option]
    for option, tags in (("--tags", plan.tags), ("--exclude-tags", plan.exclude_tags)):
        flat += (option, *tags) if tags else ()
    recorder = (sys.executable, "-P", "-m", "ci_gate.measure.in_locust", str(folder))
    return (*recorder, *flat, "--headless", "--only-summary", *plan.users)


def _load_options(plan: RecordingPlan) -> dict[str, str]:
    """None where a shape says it: Locust would warn that it does not use them."""
    if plan.shape:
        return {}
    return {"--users": str(sum(plan.users.values())), "--spawn-rate": format_exact(plan.spawn_rate)}


def _process_options(plan: RecordingPlan) -> dict[str, str]:
    """The recorder adds where the processes find each other."""
    if plan.processes == 1 or plan.remote:
        return {}
    longest_s = str(math.ceil(plan.spawn_timeout_s))
    return {"--processes": str(plan.processes), "--expect-workers-max-wait": longest_s}


def _longest_s(plan: RecordingPlan) -> float:
    to_come_s = plan.spawn_timeout_s if plan.remote else 0.0  # for the workers
    return (
        to_come_s
        + plan.spawn_timeout_s
        + plan.ramp_s
        + plan.warmup_s
        + plan.duration_s
        + plan.drain_s
        + _START_ALLOWANCE_S
    )
