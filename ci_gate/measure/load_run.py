"""Puts load on services: one headless Locust with the recorder for each, all at once, until they are done."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ci_gate.addresses import hide_credentials
from ci_gate.errors import OutsideError
from ci_gate.evidence.recording import RecordingPlan, write_json
from ci_gate.measure import HOST_VARIABLE
from ci_gate.measure.machine import MachineMeter
from ci_gate.measure.probes import NO_PROBES, ProbeTargets, run_probes
from ci_gate.service.guard.watchdog import Watchdog
from ci_gate.service.log import open_log
from ci_gate.service.process import Command, GuardedProcess, start_process
from ci_gate.service.running import RunningService
from ci_gate.wording import format_exact

_POLL_S = 0.1
_START_ALLOWANCE_S = 60.0  # for Locust to start and to write its totals, on a slow machine
_INTERRUPT_GRACE_S = 5.0
_GONE_READINGS = 3  # of a service that is not there, one a second: no load can end well then
_SERVICE_GONE = "the service has ended"
_LOCUST_GONE = "the Locust of one side has ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One Locust run: what to do, where to write, against which service, and what is probed beside it.

    ``needs_service``: once the service has ended, no load on it can end well.
    """

    plan: RecordingPlan
    folder: Path
    service: RunningService
    probes: ProbeTargets = NO_PROBES
    needs_service: bool = True


def record(
    jobs: tuple[Job, ...],
    *,
    repository: Path,
    environ: Mapping[str, str],
    watchdog: Watchdog,
    on_second: Callable[[], bool],
) -> str | None:
    """Run all jobs at once, to their end or past it: one that hangs is ended, and its marks then say so.

    ``on_second`` is called about once a second, and ends the steady phase by returning True. So does a
    service that has ended where it is needed: it does not come back. Of several jobs none is of use without
    the others: where the Locust of one ends, the others are ended too. Returns which of these two ended the
    load early, None where neither did. Whatever interrupts this, what was measured stays. Raises OutsideError
    where a folder or log cannot be written, or Locust cannot be started.
    """
    with contextlib.ExitStack() as stack:
        meters = [_prepare(job, stack) for job in jobs]
        generators = [
            stack.enter_context(_start_locust(job, repository=repository, environ=environ, watchdog=watchdog))
            for job in jobs
        ]
        deadline = time.monotonic() + max(_longest_s(job.plan) for job in jobs)
        next_second = time.monotonic() + 1
        gone_readings = 0
        while running := [generator for generator in generators if generator.exit_status() is None]:
            why = _LOCUST_GONE if len(running) < len(generators) else None
            time.sleep(_POLL_S)
            if time.monotonic() > deadline:
                break
            is_decided = False
            if time.monotonic() >= next_second:
                next_second += 1
                is_gone = [not meter.take_reading() for meter in meters]
                is_missed = any(gone and job.needs_service for gone, job in zip(is_gone, jobs, strict=True))
                gone_readings = gone_readings + 1 if is_missed else 0
                is_decided = on_second()
                why = why or (_SERVICE_GONE if gone_readings == _GONE_READINGS else None)
            if is_decided or why:
                _end_steady_phase(generators, max(job.plan.drain_s for job in jobs))
                return why
    return None


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
        job.folder.mkdir(parents=True, exist_ok=True)
        write_json(job.folder / "plan.json", job.plan)
        stack.enter_context(run_probes(job.probes, job.folder))
        return stack.enter_context(MachineMeter(job.folder / "machine.jsonl", job.service))
    except OSError as error:
        raise OutsideError(f"cannot write evidence to {job.folder}: {error.strerror}") from error


def _start_locust(
    job: Job, *, repository: Path, environ: Mapping[str, str], watchdog: Watchdog
) -> contextlib.AbstractContextManager[GuardedProcess]:
    command = Command(
        words=locust_command(job.plan, job.folder.resolve(), hide_credentials(job.service.url)),
        env={**environ, HOST_VARIABLE: job.service.url},
        cwd=repository,
        log=open_log(job.folder / "locust.log"),
        grace_s=_INTERRUPT_GRACE_S,
    )
    return start_process(command, watchdog)


def locust_command(plan: RecordingPlan, folder: Path, host: str) -> tuple[str, ...]:
    """The command line of one recorded, headless Locust run."""
    options = {
        "--locustfile": plan.locustfile,
        "--host": host,
        "--users": str(sum(plan.users.values())),
        "--spawn-rate": format_exact(plan.spawn_rate),
        "--exit-code-on-error": "0",
        "--loglevel": "INFO",
    }
    flat = (word for option in options.items() for word in option)
    recorder = (sys.executable, "-P", "-m", "ci_gate.measure.in_locust.recorder", str(folder))
    return (*recorder, *flat, "--headless", "--only-summary", *plan.users)


def _longest_s(plan: RecordingPlan) -> float:
    return (
        plan.spawn_timeout_s
        + plan.ramp_s
        + plan.warmup_s
        + plan.duration_s
        + plan.drain_s
        + _START_ALLOWANCE_S
    )
