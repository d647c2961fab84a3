"""What a short run of a few users shows before any load: endpoints, statuses, requests of each task."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ci_gate.evidence.readings import ErrorCount
from ci_gate.evidence.recording import Recording
from ci_gate.evidence.samples import UNSENT
from ci_gate.evidence.workload import Wait, Workload
from ci_gate.judge.names import describe_called
from ci_gate.judge.steady import ClassifiedRecording
from ci_gate.judge.summary import EndpointSummary, summarise
from ci_gate.judge.validity.feasibility import Unprovable, judge_provable, offered_rate
from ci_gate.thresholds import Profile, Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTrial:
    """One task: how often it ran to its end, and the requests that it made on average."""

    name: str
    runs: int
    requests_per_run: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassTrial:
    """One user class. ``users`` is of the whole load; ``wait`` is None where it is the author's own function.

    ``rate_per_s`` is what all of them would send if every reply came at once, None where that is not known.
    """

    name: str
    users: int
    wait: Wait | None
    tasks: tuple[TaskTrial, ...]
    rate_per_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """``endpoints[0]`` is all of them together. ``errors`` are those of users and tasks, not of requests.

    ``exit_code`` is what the locustfile made Locust end with, empty where it did not. ``too_short`` are
    limits that take longer than a profile, at the rates that were seen where the source of tasks tells none.
    """

    scenario: str
    users: int
    duration_s: float
    endpoints: tuple[EndpointSummary, ...]
    classes: tuple[ClassTrial, ...]
    errors: tuple[ErrorCount, ...]
    not_called: tuple[str, ...]  # a line for each endpoint that thresholds.yaml names and nobody called
    exit_code: str = ""
    too_short: tuple[Unprovable, ...] = ()

    @property
    def shows_something(self) -> bool:
        """Whether any request succeeded."""
        return self.endpoints[0].successes > 0


def read_trial(
    scenario: Scenario, profiles: Iterable[Profile], workload: Workload, classified: ClassifiedRecording
) -> Trial:
    """What the recording of a few users shows, from the first request of an on_start on."""
    recording = classified.recording
    began, ended = recording.mark("started"), recording.mark("stopping")
    begin_s, end_s = (mark.wall_s if mark else 0.0 for mark in (began, ended))
    whole = dataclasses.replace(
        classified.steady,
        samples=recording.samples,
        latency_ms=classified.latency_ms,
        success=classified.success,
        begin_s=begin_s,
        end_s=end_s,
    )
    totals = recording.totals
    trial = Trial(
        scenario=scenario.name,
        users=max((sum(reading.users.values()) for reading in recording.readings), default=0),
        duration_s=whole.duration_s,
        endpoints=summarise(whole, scenario.endpoints),
        classes=tuple(
            _read_class(scenario, workload, classified, user.user_class) for user in scenario.users
        ),
        errors=(*totals.start_failures, *totals.task_errors, *totals.listener_texts) if totals else (),
        not_called=find_not_called(scenario, find_called(recording)),
        exit_code=totals.exit_code.code if totals and totals.exit_code else "",
    )
    too_short = find_too_short(scenario, profiles, workload, trial)
    return dataclasses.replace(trial, too_short=too_short)


def find_called(recording: Recording) -> frozenset[str]:
    """The endpoints of its requests."""
    return frozenset(recording.strings[number] for number in {*recording.samples["endpoint"].tolist()})


def find_not_called(scenario: Scenario, names: Collection[str]) -> tuple[str, ...]:
    """A line for each endpoint that the scenario names and that is not among ``names``, with what is.

    A task that is rare, late or under a condition may still call it in a longer run.
    """
    called = {*names} - {UNSENT}
    return tuple(
        f"{endpoint} was not called; {describe_called(endpoint, called)}"
        for endpoint in scenario.endpoints
        if endpoint not in called
    )


def find_too_short(
    scenario: Scenario, profiles: Iterable[Profile], workload: Workload, trial: Trial
) -> tuple[Unprovable, ...]:
    """The limits that some profile is too short for, if tasks go on as they went; () where that is not known.

    Those that the source of tasks decides are left out: `find_unprovable` has them.
    """
    rates = [each.rate_per_s for each in trial.classes]
    known, requests = [rate for rate in rates if rate is not None], trial.endpoints[0].requests
    if not known or len(known) < len(rates) or not requests:
        return ()
    rate_of = {each.endpoint: sum(known) * each.requests / requests for each in trial.endpoints}
    return tuple(
        unprovable
        for profile in profiles
        for limit in scenario.limits
        if offered_rate(scenario, workload, limit.endpoint) is None
        if (unprovable := judge_provable(scenario, profile, limit, rate_of.get(limit.endpoint)))
    )


def _read_class(
    scenario: Scenario, workload: Workload, classified: ClassifiedRecording, name: str
) -> ClassTrial:
    totals = classified.recording.totals
    counts = [each for each in (totals.tasks if totals else ()) if each.user_class == name]
    users = sum(user.count for user in scenario.users if user.user_class == name)
    wait = next((user.wait for user in workload.classes if user.name == name), None)
    runs, requests = (sum(getattr(each, what) for each in counts) for what in ("runs", "requests"))
    is_known = runs and wait and wait.mean_s and scenario.arrivals_per_s is None
    return ClassTrial(
        name=name,
        users=users,
        wait=wait,
        tasks=tuple(
            TaskTrial(name=each.task, runs=each.runs, requests_per_run=each.requests / each.runs)
            for each in counts
            if each.runs
        ),
        rate_per_s=users / wait.mean_s * requests / runs if is_known and wait else None,
    )
