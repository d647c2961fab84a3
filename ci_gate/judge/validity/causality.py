"""In which order findings are told: what may be the cause of others comes before what may follow from it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ci_gate.judge.validity.findings import Finding

CAUSES_FIRST: Final = (
    # There was no run, or another one than was asked for.
    "bad-input",
    "no-verdict",
    "stale",
    "contradiction",
    "run-failed",
    "run-not-finished",
    "job-not-successful",
    "verdict-unreadable",
    "nothing-measured",
    "not-planned",
    "mixed-run",
    "not-measured",
    "other-load",
    # What the run stands on.
    "service-ended",
    "service-restarted",
    "clock-jumped",
    "locust-ended-early",
    "samples-disagree",
    # What is asked, and of whom.
    "damaged-rows",
    "locustfile-ignored",
    "other-host",
    "state-left-over",
    "unreadable-values",
    # What was answered. A refused login comes back as other errors, as tasks that fail, as fewer users.
    "throttled",
    "auth-failing",
    "redirected",
    "endpoint-never-succeeded",
    "html-replies",
    "uniform-body",
    "only-accepted-errors",
    # What the scenario's code made of it.
    "listener-errors",
    "start-failed",
    "unreported-replies",
    "task-errors",
    "locustfile-failed",
    # What that left of the load.
    "users-missing",
    "generator-busy",
    "generator-late",
    "load-impossible",
    "load-not-reached",
    "arrivals-unsent",
    "no-samples",
    "phase-cut-short",
    "wrong-users",
    # What could then not be shown.
    "endpoint-explosion",
    "endpoint-never-called",
    "too-few-samples",
    "not-compared",
    "nothing-compared",
    # Notes.
    "status-not-accepted",
    "never-ended",
    "host-busy",
    "probe-failed",
    "settings-replaced",
    "own-host",
    "values-replaced",
    "page-beside-api",
    "scenarios-left-out",
)
_RANKS: Final = {code: rank for rank, code in enumerate(CAUSES_FIRST)}


def put_causes_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those that block, causes before their consequences; then the notes. Of one code, as they were."""
    return tuple(
        sorted(findings, key=lambda each: (each.severity == "info", _RANKS.get(each.code, len(_RANKS))))
    )
