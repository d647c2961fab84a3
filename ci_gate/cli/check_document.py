"""What `ci-gate check` found, as a document."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ci_gate.cli.json_output import DOCUMENT_SCHEMA
from ci_gate.evidence.ranges import Version
from ci_gate.evidence.workload import Workload
from ci_gate.judge.validity.feasibility import find_unprovable, offered_rate
from ci_gate.judge.validity.unused import list_unused
from ci_gate.thresholds import ALL_ENDPOINTS, LocustSettings, Thresholds


class CheckedScenario(msgspec.Struct, frozen=True, kw_only=True):
    """``offered_per_s`` is what the users could send at most; None: not known before the run.

    Under a shape ``users`` is how many it asks for at most, and ``shape_lasts_s`` how long it lasts; None:
    not known, or no shape decides.
    """

    name: str
    users: int
    shape_lasts_s: float | None
    offered_per_s: float | None
    limits: int
    unused: tuple[str, ...]


class TooShort(msgspec.Struct, frozen=True, kw_only=True):
    """A percentile that a profile is too short for: it brings ``expected`` successes of those ``needed``."""

    scenario: str
    profile: str
    endpoint: str
    metric: str
    expected: float
    needed: int
    duration_s: float  # the least that would do


class CheckDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A thresholds.yaml without a problem; one with problems is an error document."""

    schema: Version
    thresholds_file: str
    scenarios: tuple[CheckedScenario, ...]
    too_short: tuple[TooShort, ...]


def describe_check(thresholds: Thresholds, workloads: Mapping[LocustSettings, Workload]) -> CheckDocument:
    """What is known of each scenario before any load."""
    return CheckDocument(
        schema=DOCUMENT_SCHEMA,
        thresholds_file=thresholds.file,
        scenarios=tuple(
            CheckedScenario(
                name=scenario.name,
                users=shape.users if (shape := workloads[scenario.locust].shape) else scenario.user_count,
                shape_lasts_s=shape.lasts_s if shape else None,
                offered_per_s=offered_rate(scenario, workloads[scenario.locust], ALL_ENDPOINTS),
                limits=len(scenario.limits),
                unused=tuple(list_unused(scenario, workloads[scenario.locust])),
            )
            for scenario in thresholds.scenarios
        ),
        too_short=tuple(
            TooShort(
                scenario=each.scenario,
                profile=each.profile,
                endpoint=each.limit.endpoint,
                metric=each.limit.metric.name,
                expected=each.expected,
                needed=each.needed,
                duration_s=each.duration_s,
            )
            for each in find_unprovable(thresholds, workloads)
        ),
    )
