"""What a run is to do, written down before it does it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import platform
import random
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec

import ci_gate
from ci_gate.addresses import HostPort, hide_credentials
from ci_gate.errors import GateError
from ci_gate.evidence.ranges import MAX_SPAN_S
from ci_gate.evidence.recording import (
    CODE_BASE,
    CODE_HEAD,
    CONFIRM,
    DUET_BASE,
    DUET_HEAD,
    HEAD,
    RESET_CHECKS,
    RUN_SCHEMA,
    RecordingPlan,
    RunInfo,
    ShapePlan,
    scale_users,
)
from ci_gate.evidence.workload import Workload
from ci_gate.judge.validity.feasibility import least_rates, offered_rate
from ci_gate.judge.validity.run_findings import describe_settings
from ci_gate.judge.validity.unused import find_unused
from ci_gate.measure.stack_sampling import SAMPLING_S, WRITING_S
from ci_gate.run.git import run_git
from ci_gate.run.host import describe_host
from ci_gate.run.pinning import NO_PINNING, Pinning
from ci_gate.thresholds import ALL_ENDPOINTS, Compare, LocustSettings, Profile, Scenario, Thresholds

DRAIN_S: Final = 30.0
SPAWN_ALLOWANCE_S: Final = 60.0  # beyond users / spawn_rate, for slow logins
RESET_CHECK_S: Final = 3.0
RESET_CHECK_USERS: Final = 3  # so that a failure by chance is not all there is of an endpoint
DUET_MARGIN_S: Final = 15.0  # both sides rarely get ready in the same second


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteWorkers:
    """Where they find the master, and the secret that both prove."""

    address: HostPort
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What to run and where. ``environ`` is what services and scenarios may see of ours.

    ``base`` is a git revision, an image or a URL to compare with; ``seed`` draws what is left to chance;
    ``options`` are those of the command line that changed ``thresholds``. ``profiles_code``: stacks are
    sampled always (without base those of head alone) or never; None: where head is worse than base.
    ``confirms_later``: what would block is confirmed by another job (`ci_gate.run.confirming`), not by this
    run.
    """

    thresholds: Thresholds
    profile: Profile
    scenarios: tuple[Scenario, ...]
    workloads: Mapping[LocustSettings, Workload]
    out: Path
    repository: Path
    environ: Mapping[str, str]
    base: str | None
    seed: int
    processes: int = 1  # of Locust that put the load on head, and while both are compared on each side
    remote: RemoteWorkers | None = None  # they are on other machines
    options: Mapping[str, str] = dataclasses.field(default_factory=dict)
    profiles_code: bool | None = None
    confirms_later: bool = False
    pinning: Pinning = NO_PINNING


def plan_recording(scenario: Scenario, profile: Profile, workload: Workload, seed: int = 1) -> RecordingPlan:
    """Head alone, under the whole load, for the profile's duration, or as long as its shape lasts."""
    shape = _plan_shape(scenario, workload)
    lasts_s = workload.shape.lasts_s if workload.shape else None
    return RecordingPlan(
        scenario=scenario.name,
        recording=HEAD,
        locustfile=scenario.locustfile,
        users={user.user_class: user.count for user in scenario.users},
        spawn_rate=scenario.spawn_rate,
        warmup_s=profile.warmup_s,
        duration_s=profile.duration_s if lasts_s is None else max(lasts_s - profile.warmup_s, 1.0),
        drain_s=DRAIN_S,
        spawn_timeout_s=min(scenario.user_count / scenario.spawn_rate + SPAWN_ALLOWANCE_S, MAX_SPAN_S),
        seed=seed,
        arrivals_per_s=scenario.arrivals_per_s,
        ramp_s=scenario.ramp_s,
        offered_per_s=offered_rate(scenario, workload, ALL_ENDPOINTS),
        least_offered_per_s=least_rates(scenario, workload),
        unused=find_unused(scenario, workload),
        shape=shape,
        trace=scenario.trace,
        **describe_settings(scenario.locust),
    )


def _plan_shape(scenario: Scenario, workload: Workload) -> ShapePlan | None:
    if scenario.locust.shape is None:
        return None
    shape = workload.shape
    ends = shape is not None and shape.lasts_s is not None
    users = shape.users if shape else 0
    share = scenario.peak_users / users if scenario.peak_users and users else 1.0
    return ShapePlan(name=scenario.locust.shape, users=users, share=share, ends=ends)


def plan_duet(
    scenario: Scenario,
    profile: Profile,
    workload: Workload,
    settings: Compare,
    seed: int = 1,
    processes: int = 1,
) -> tuple[RecordingPlan, RecordingPlan]:
    """Base and head, each under `Scenario.compare_load` of the load; by half, the machine bears one run's.

    ``seed`` draws whose service and whose Locust is started first. Each side has ``processes`` of Locust of
    its own, but no more than it has users.
    """
    share = scenario.compare_load
    users = tuple(dataclasses.replace(user, count=scale_users(user.count, share)) for user in scenario.users)
    shared = dataclasses.replace(
        scenario,
        users=users,
        spawn_rate=scenario.spawn_rate * share,
        arrivals_per_s=scenario.arrivals_per_s * share if scenario.arrivals_per_s else None,
    )
    longest = dataclasses.replace(profile, duration_s=settings.max_duration_s + DUET_MARGIN_S)
    plan = plan_recording(shared, longest, workload, seed)
    if plan.shape:
        shape = msgspec.structs.replace(plan.shape, share=plan.shape.share * share)
        plan = msgspec.structs.replace(plan, shape=shape)
    plan = msgspec.structs.replace(plan, processes=min(processes, max(plan.user_count, 1)))
    # The service that is started first may be a little slower: that must not always be the same side.
    chance = random.Random(f"{seed} {scenario.name}")  # noqa: S311 - a seed makes the same run again
    service_first, load_first = chance.choice((True, False)), chance.choice((True, False))
    return (
        msgspec.structs.replace(
            plan, recording=DUET_BASE, service_first=service_first, load_first=load_first
        ),
        msgspec.structs.replace(
            plan, recording=DUET_HEAD, service_first=not service_first, load_first=not load_first
        ),
    )


def plan_confirmation(plans: tuple[RecordingPlan, RecordingPlan]) -> tuple[RecordingPlan, RecordingPlan]:
    """A second start of base and head, in the opposite order, and with other draws."""
    base, head = (
        msgspec.structs.replace(
            plan,
            recording=recording,
            seed=plan.seed + 1,
            service_first=not plan.service_first,
            load_first=not plan.load_first,
        )
        for plan, recording in zip(plans, CONFIRM, strict=True)
    )
    return base, head


def plan_sampling(plan: RecordingPlan, recording: str) -> RecordingPlan:
    """The same load once more, as long as it takes to sample what the code does."""
    return msgspec.structs.replace(
        plan,
        recording=recording,
        duration_s=SAMPLING_S + WRITING_S,
        service_first=None,
        load_first=None,
    )


def plan_reset_checks(
    scenario: Scenario, profile: Profile, workload: Workload, seed: int
) -> list[RecordingPlan]:
    """A few users of each class for a moment, twice alike: after a good reset both see the same."""
    counts = {user.user_class: user.count for user in scenario.users}
    if scenario.locust.shape:
        counts = {user_class.name: RESET_CHECK_USERS for user_class in workload.classes}
    plan = msgspec.structs.replace(
        plan_recording(scenario, profile, workload, seed),
        shape=None,
        users={name: min(count, RESET_CHECK_USERS) for name, count in counts.items()},
        warmup_s=0.0,
        duration_s=RESET_CHECK_S,
        arrivals_per_s=None,
        ramp_s=0.0,
        offered_per_s=None,
        least_offered_per_s={},
    )
    return [msgspec.structs.replace(plan, recording=name) for name in RESET_CHECKS]


def _pin(plan: RecordingPlan, pinning: Pinning) -> RecordingPlan:
    if plan.processes == 1:
        return plan
    worker_cpus = pinning.generator[: plan.processes]
    return msgspec.structs.replace(plan, worker_cpus=worker_cpus, other_cpus=pinning.others)


def plan_run(options: RunOptions) -> RunInfo:
    """run.json as it stands before the first scenario."""
    plans: list[RecordingPlan] = []
    for scenario in options.scenarios:
        workload = options.workloads[scenario.locust]
        alone = plan_recording(scenario, options.profile, workload, options.seed)
        is_remote = options.remote is not None
        alone = msgspec.structs.replace(alone, processes=options.processes, remote=is_remote)
        plans.append(alone)
        if options.thresholds.service.before_each:
            plans += plan_reset_checks(scenario, options.profile, workload, options.seed)
        # What is only called has no second start, and a second load of one start confirms nothing. Nor can
        # its code be looked into.
        is_started = options.thresholds.service.kind != "url"
        if options.base and scenario.regression and options.thresholds.service.fixed_port is None:
            settings = options.thresholds.compare
            duet = plan_duet(scenario, options.profile, workload, settings, options.seed, options.processes)
            plans += duet
            if is_started:
                is_confirmed = settings.confirm and "://" not in options.base
                plans += plan_confirmation(duet) if is_confirmed else ()
                plans += map(plan_sampling, duet, (CODE_BASE, CODE_HEAD))
        elif options.profiles_code and is_started:
            plans.append(plan_sampling(alone, CODE_HEAD))
    return RunInfo(
        schema=RUN_SCHEMA,
        ci_gate_version=ci_gate.__version__,
        profile=options.profile.name,
        started_at=now(),
        ended_at=None,
        interrupted=False,
        thresholds_file=options.thresholds.file,
        thresholds_text=hide_credentials(options.thresholds.text),
        recordings=tuple(_pin(plan, options.pinning) for plan in plans),
        failures={},
        host=describe_host(os.environ),
        versions={"python": platform.python_version(), "locust": version("locust")},
        git=_describe_git(options),
        options=dict(options.options),
    )


def now() -> str:
    """ISO 8601, UTC, to the second."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def _describe_git(options: RunOptions) -> dict[str, str]:
    base = {"base": hide_credentials(options.base)} if options.base else {}
    if shutil.which("git") is None:
        return base
    head = run_git(options.repository, "rev-parse", "HEAD")
    return {**base, "head": head.stdout.strip()} if head.returncode == 0 else base


def end_run(info: RunInfo, failures: dict[str, str], ended_by: BaseException | None) -> RunInfo:
    """The run with how it ended: by itself, by an exception, or by what no Exception is, an interrupt."""
    failed = None
    if isinstance(ended_by, GateError | OSError):
        failed = str(ended_by)
    elif isinstance(ended_by, Exception):
        failed = hide_credentials(f"a bug in ci-gate: {ended_by!r}")
    interrupted = ended_by is not None and failed is None
    return msgspec.structs.replace(
        info, ended_at=now(), interrupted=interrupted, failed=failed, failures=failures
    )
