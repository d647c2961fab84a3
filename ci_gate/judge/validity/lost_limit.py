"""Is a limit on failures broken for certain, whatever the rest of the phase brings?

Asked while the load is on, to end one in which nothing succeeds any more, and again by the judge: a phase
that was ended for that is not merely too short.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ci_gate.evidence.recording import RecordingPlan
from ci_gate.judge.steady import ClassifiedRecording
from ci_gate.thresholds import Limit, Scenario
from ci_gate.wording import count

NO_SUCCESS_S: Final = 10.0
_MIN_FAILURES: Final = 10  # of fewer requests a limit is not judged
_MAX_RATE_PER_S: Final = 10_000.0  # of one Locust, where the locustfile does not tell; 8,000/s were measured
_MAX_RATIO: Final = 1.1  # waits are drawn, and a phase may have shorter ones


@dataclass(frozen=True, slots=True, kw_only=True)
class LostLimit:
    """A limit that can no longer be kept: what failed of its requests, and how long nothing has succeeded."""

    limit: Limit
    requests: int
    failures: int
    no_success_s: float

    def __str__(self) -> str:
        name = f"{self.limit.endpoint} {self.limit.metric} {self.limit.text}"
        failed = f"{self.failures:,} of {count(self.requests, 'request')} failed"
        why = f"{failed}, and nothing succeeded in the last {self.no_success_s:.0f} s"
        return f"{name} cannot be kept any more, even if all that follows succeeds: {why}"


def find_lost_limit(
    scenario: Scenario, plan: RecordingPlan, classified: ClassifiedRecording
) -> LostLimit | None:
    """The first limit on failures or successes that is broken whatever comes; None where none surely is.

    Only requests of the steady phase count, as they do for the limit: what fails while the service warms up
    is forgiven. Each user may still wait for a reply that is a success, and for the rest of the phase no more
    requests can come than the users could send if every reply came at once. So a pause in which nothing
    succeeds loses a limit only where that is proven, and replies that take longer than the pause lose none:
    they are no failures yet.
    """
    if plan.shape:
        return None  # how long it goes on, and what is to come, only the shape knows
    steady = classified.steady
    left_s = max(plan.duration_s - steady.duration_s, 0.0)
    rate_per_s = plan.arrivals_per_s or _MAX_RATIO * (plan.offered_per_s or _MAX_RATE_PER_S)
    to_come = sum(plan.users.values()) + rate_per_s * left_s
    for limit in scenario.limits:
        if limit.max_failures is None:
            continue
        allowed = float(limit.max_failures)
        rows = steady.rows_of(limit.endpoint)
        requests, failures = int(rows.sum()), int((rows & ~steady.success).sum())
        if failures >= _MIN_FAILURES and failures > allowed * (requests + to_come):
            return LostLimit(
                limit=limit,
                requests=requests,
                failures=failures,
                no_success_s=_measure_no_success(classified),
            )
    return None


def _measure_no_success(classified: ClassifiedRecording) -> float:
    """The seconds between the last success of any endpoint and the end of the phase, or from its begin."""
    samples, steady = classified.recording.samples, classified.steady
    ends_s = samples["start_s"] + samples["response_ms"] / 1000
    is_counted = classified.success & (ends_s <= steady.end_s)  # what succeeds in the drain comes too late
    return float(steady.end_s - np.max(ends_s[is_counted], initial=steady.begin_s))
