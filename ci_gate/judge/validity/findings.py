"""What a validity rule is, what it may look at, and the finding it yields."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import msgspec

from ci_gate.evidence.processes import list_generators
from ci_gate.evidence.readings import MachineReading, Reading, StrictValue
from ci_gate.evidence.recording import Recording, RecordingPlan
from ci_gate.judge.limits import LimitResult, judge_limit
from ci_gate.judge.log_ends import shorten_failure
from ci_gate.judge.steady import ClassifiedRecording, SteadyPhase
from ci_gate.judge.summary import EndpointSummary, summarise
from ci_gate.thresholds import Scenario, UserCount

Severity = Literal["invalid", "insufficient", "info"]
"""What a broken rule means for the verdict.

``invalid``: the measurement itself is wrong, the run is INVALID whatever it shows. ``insufficient``:
something was not shown, the run is INVALID unless a breach says more. ``info``: worth knowing, changes no
verdict.
"""


class Finding(StrictValue, frozen=True, omit_defaults=True):
    """A statement about the run itself: what was observed, and what would fix it."""

    code: str
    severity: Severity
    subject: str  # an endpoint, a user class, or the scenario
    message: str
    remedy: str
    side: Literal["", "base", "head"] = ""  # of a comparison; empty where it is of none

    @property
    def about(self) -> str:
        """The subject with its side, as reports name it: ``base: GET /items``."""
        return f"{self.side}: {self.subject}" if self.side else self.subject


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleInput:
    """All that a rule may look at. ``shared_cpus`` are as `generators`, of those on one CPU together."""

    scenario: Scenario
    plan: RecordingPlan
    classified: ClassifiedRecording
    summaries: tuple[EndpointSummary, ...]
    limits: tuple[LimitResult, ...]
    shared_cpus: tuple[tuple[str, tuple[Reading, ...]], ...] = ()

    @property
    def recording(self) -> Recording:
        """All of it, from the ramp to the last reply."""
        return self.classified.recording

    @property
    def steady(self) -> SteadyPhase:
        """What the limits are judged on."""
        return self.classified.steady

    @property
    def steady_readings(self) -> tuple[Reading, ...]:
        """The generator's readings of the steady phase."""
        begin_s, end_s = self.steady.begin_s, self.steady.end_s
        return tuple(each for each in self.recording.readings if begin_s < each.wall_s < end_s)

    @property
    def generators(self) -> tuple[tuple[str, tuple[Reading, ...]], ...]:
        """The name and all readings of each process of Locust that runs users."""
        return list_generators(self.recording.workers, self.recording.readings)

    @property
    def steady_machine(self) -> tuple[MachineReading, ...]:
        """The readings of host and service in the steady phase."""
        begin_s, end_s = self.steady.begin_s, self.steady.end_s
        return tuple(each for each in self.recording.machine if begin_s < each.wall_s < end_s)


def make_rule_input(scenario: Scenario, plan: RecordingPlan, classified: ClassifiedRecording) -> RuleInput:
    """What rules may look at of one recording, with each of the scenario's limits judged."""
    steady = classified.steady
    summaries = summarise(steady, scenario.endpoints)
    return RuleInput(
        scenario=scenario,
        plan=plan,
        classified=classified,
        summaries=summaries,
        limits=tuple(judge_limit(limit, steady, summaries) for limit in scenario.limits),
    )


def as_planned(scenario: Scenario, plan: RecordingPlan) -> Scenario:
    """The scenario with as many users of each class as the plan puts on.

    Those of a plan that holds users steady in place of the scenario's shape stand in no file.
    """
    named = scenario.users
    if scenario.locust.shape and plan.shape is None:
        named = tuple(UserCount(user_class=name, count=0, at=scenario.at) for name in plan.users)
    users = tuple(dataclasses.replace(user, count=plan.users.get(user.user_class, 0)) for user in named)
    return dataclasses.replace(scenario, users=users)


Violation = tuple[str, str]
"""Subject and message of one finding."""


class Stage(IntEnum):
    """What a rule looks at, causes first: what is wrong at one stage may show at every later one."""

    GROUND = 0  # what the run stands on: the service, the clock, Locust's process, the recording
    REQUESTS = 1  # what is asked, and of whom
    REPLIES = 2  # a refused login comes back as other errors, as tasks that fail, as fewer users
    SCENARIO = 3  # what the scenario's code made of the replies
    LOAD = 4  # what that left of the load
    PHASE = 5  # and of the steady phase
    PROOF = 6  # what could then not be shown


Fault = Literal["", "generator", "machine", "recording"]
"""What else than service and scenario a broken rule may speak of, and so strike by chance.

``generator``: Locust had too little CPU. ``machine``: the clock, or other programs. ``recording``: Locust or
its samples broke. Empty: none of them.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One validity rule: ``find`` yields a Violation for each time it is broken.

    ``threshold_text`` says in words when it is broken. What is not ``relaxable`` holds in every scenario:
    without it there is no measurement to speak of. What is not ``for_comparison`` is not asked of base and
    head under load together: that ends when its answer is clear, asks no limit, and says itself what it could
    not compare. What ``is_final`` leaves no service that a further load step could measure.
    """

    code: str
    severity: Severity
    stage: Stage
    find: Callable[[RuleInput], Iterator[Violation]]
    meaning: str
    threshold_text: str
    remedy: str
    relaxable: bool = True
    fault: Fault = ""
    for_comparison: bool = True
    is_final: bool = False


def not_measured(why: str, remedy: str) -> Finding:
    """Of a scenario of which there is no measurement, or no whole one."""
    message = shorten_failure(why)
    return Finding(
        code="not-measured", severity="invalid", subject="scenario", message=message, remedy=remedy
    )


def relax(finding: Finding, reason: str) -> Finding:
    """The same as a note that says why it is one."""
    message = f"{finding.message}; relaxed in thresholds.yaml: {reason}"
    return msgspec.structs.replace(finding, severity="info", message=message)
