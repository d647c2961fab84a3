"""What a validity rule is, what it may look at, and the finding it yields."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import msgspec

from ci_gate.evidence.readings import Reading, StrictValue
from ci_gate.evidence.recording import Recording, RecordingPlan
from ci_gate.judge.limits import LimitResult, judge_limit
from ci_gate.judge.log_ends import shorten_failure
from ci_gate.judge.steady import ClassifiedRecording, SteadyPhase
from ci_gate.judge.summary import EndpointSummary, summarise
from ci_gate.thresholds import Scenario

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
    """All that a rule may look at."""

    scenario: Scenario
    plan: RecordingPlan
    classified: ClassifiedRecording
    summaries: tuple[EndpointSummary, ...]
    limits: tuple[LimitResult, ...]

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
    """The scenario with as many users of each class as the plan puts on."""
    users = tuple(
        dataclasses.replace(user, count=plan.users.get(user.user_class, 0)) for user in scenario.users
    )
    return dataclasses.replace(scenario, users=users)


Violation = tuple[str, str]
"""Subject and message of one finding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One validity rule: ``find`` yields a Violation for each time it is broken.

    ``threshold_text`` says in words when it is broken. What is not ``relaxable`` holds in every scenario:
    without it there is no measurement to speak of.
    """

    code: str
    severity: Severity
    find: Callable[[RuleInput], Iterator[Violation]]
    meaning: str
    threshold_text: str
    remedy: str
    relaxable: bool = True


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
