"""Findings about a run as a whole: was it finished, and is it of these thresholds?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from ci_gate.addresses import hide_credentials
from ci_gate.evidence.recording import DUET_HEAD, HEAD, RecordingPlan, RunInfo
from ci_gate.judge.validity.findings import Finding
from ci_gate.thresholds import LocustSettings, Scenario, Thresholds

LEFT_OUT: Final = "scenarios-left-out"
"""The note of a run that was to measure only some of the scenarios."""

UNTOUCHED: Final = "nothing-touched"
"""The note of a run that had nothing to measure, for nothing of it has changed."""


def find_in_run(thresholds: Thresholds, run: RunInfo) -> Iterator[Finding]:
    """What is wrong with the run, whatever its recordings show."""
    yield from _find_end(run)
    if not run.recordings:
        yield Finding(
            code="nothing-measured",
            severity="invalid",
            subject="run",
            message="the run planned no scenario at all",
            remedy="measure again",
        )
    for plan in run.recordings:
        scenario = thresholds.scenario(plan.scenario) if plan.recording == HEAD else None
        if scenario and (difference := _differs(scenario, plan)):
            yield Finding(
                code="other-load",
                severity="invalid",
                subject=plan.scenario,
                message=f"the evidence was measured with other {difference} than these thresholds ask for",
                remedy="measure again with these thresholds",
            )
    compared = {plan.scenario for plan in run.recordings if plan.recording == DUET_HEAD}
    for plan in run.recordings:
        if "base" in run.git and plan.recording == HEAD and plan.scenario not in compared:
            yield _note_not_compared(thresholds, plan.scenario)
    measured = {plan.scenario for plan in run.recordings}
    left_out = [scenario.name for scenario in thresholds.scenarios if scenario.name not in measured]
    if left_out:
        yield note_left_out(left_out)


def _note_not_compared(thresholds: Thresholds, scenario: str) -> Finding:
    port = thresholds.service.fixed_port
    if port is None:
        why = "the scenario has no regression tolerance"
        remedy = "say under regression how much worse than base head may be"
    else:
        why = f"the service has port {port} alone, which base and head cannot both have"
        remedy = "let the service's command take {port}, and leave service.port out"
    message = f"not compared with base: {why}"
    return Finding(code="not-compared", severity="info", subject=scenario, message=message, remedy=remedy)


def _find_end(run: RunInfo) -> Iterator[Finding]:
    if run.failed is not None:
        yield Finding(
            code="run-failed",
            severity="invalid",
            subject="run",
            message=f"the run failed before its end: {run.failed}",
            remedy="fix what failed, and run again",
        )
    elif run.interrupted or run.ended_at is None:
        how = "was interrupted" if run.interrupted else "did not end: ci-gate is still running, or was killed"
        yield Finding(
            code="run-not-finished",
            severity="invalid",
            subject="run",
            message=f"the run {how}",
            remedy="run again, to the end",
        )


def note_left_out(names: Sequence[str]) -> Finding:
    """The scenarios of thresholds.yaml that the run was not for."""
    return Finding(
        code=LEFT_OUT,
        severity="info",
        subject="run",
        message=f"not run: {', '.join(names)}",
        remedy="run without --scenario",
    )


def describe_settings(locust: LocustSettings) -> dict[str, Any]:
    """What a plan has of a scenario's settings of Locust, by the plan's names; without credentials."""
    return {
        "directory": locust.directory,
        "env": {name: hide_credentials(text) for name, text in locust.env},
        "args": tuple(map(hide_credentials, locust.args)),
        "tags": locust.tags,
        "exclude_tags": locust.exclude_tags,
        "host": hide_credentials(locust.host) if locust.host else None,
    }


def _differs(scenario: Scenario, plan: RecordingPlan) -> str:
    pairs = {
        "users": ({user.user_class: user.count for user in scenario.users}, plan.users),
        "ramp": (scenario.ramp_s, plan.ramp_s),
        "locustfile": (scenario.locustfile, plan.locustfile),
        "spawn_rate": (scenario.spawn_rate, plan.spawn_rate),
        "shape": (scenario.locust.shape, plan.shape.name if plan.shape else None),
        "arrivals": (scenario.arrivals_per_s, plan.arrivals_per_s),
        **{name: (asked, getattr(plan, name)) for name, asked in describe_settings(scenario.locust).items()},
    }
    return ", ".join(name for name, (asked, measured) in pairs.items() if asked != measured)
