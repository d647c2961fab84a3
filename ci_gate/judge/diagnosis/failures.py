"""What makes speed say nothing: a service that never started or ended, and replies that are errors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ci_gate.evidence.readings import KILLED, KILLED_FOR_MEMORY
from ci_gate.evidence.recording import Recording
from ci_gate.evidence.sample_table import count_ids
from ci_gate.evidence.samples import KEPT_ALIVE_CLOSED, NOT_HTTP, UNSENT
from ci_gate.judge.diagnosis.causes import Cause
from ci_gate.judge.diagnosis.log_lines import describe_log_errors
from ci_gate.judge.diagnosis.observation import find_window
from ci_gate.judge.log_ends import shorten_failure
from ci_gate.judge.steady import ClassifiedRecording, find_error_statuses, find_throttled
from ci_gate.judge.summary import describe_statuses
from ci_gate.thresholds import ALL_ENDPOINTS, Scenario
from ci_gate.wording import count, format_mib, format_number

MIN_LATE_S: Final = 1.0
"""Half of the failures took so long or longer: what they waited for may explain them."""
_MAX_NAMED: Final = 3
_MAJORITY: Final = 0.5
_READ_LOG: Final = "read the end of service.log"
_FIND_KILLER: Final = "; look for the kernel's out-of-memory killer"

_KINDS: Final[dict[str, tuple[str, str]]] = {
    "refused": (
        "requests are refused (401, 403)",
        "sign in by hand as the scenario does; look for a changed secret, password, role or token format",
    ),
    "missing": (
        "what is asked for is not there (404, 405, 410)",
        "compare the scenario's paths with the service's routes, and its data with what before_each makes",
    ),
    "wrong": (
        "requests are rejected as wrong (4xx)",
        "compare the requests of the scenario with what the service expects",
    ),
    "broken": ("the service fails (5xx)", "read service.log in the evidence folder"),
    "unanswered": (
        "no reply: connections fail or time out",
        "read service.log and locust.log in the evidence folder",
    ),
    "kept-alive": (
        "no reply: the service closes connections that it had kept alive",
        "raise the service's keep-alive timeout above the time between a user's requests; see service.log",
    ),
    "own-client": (
        "calls of the scenario's own client fail",
        "read what it raised, and service.log in the evidence folder",
    ),
    "unfit": (
        "replies fail the scenario's own check",
        "look at one reply and at what the scenario expects of it",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """The requests that failed, of the steady phase, or of the whole recording where there was none.

    ``requests`` are all of them by endpoint id, without arrivals that brought none.
    """

    samples: NDArray[np.void]
    strings: tuple[str, ...]
    requests: NDArray[np.intp]

    def share(self, rows: NDArray[np.bool_]) -> Fraction:
        """Of all requests."""
        return Fraction(int(rows.sum()), max(int(self.requests.sum()), 1))

    @property
    def are_late(self) -> bool:
        """They came after a long wait, or did not come at all."""
        times_ms = self.samples["response_ms"]
        return len(times_ms) > 0 and float(np.median(times_ms)) >= 1000 * MIN_LATE_S

    @property
    def may_want_connections(self) -> bool:
        """Half of them or more are server errors, or brought no reply that could be read."""
        status = self.samples["status"]
        return len(status) > 0 and float(((status == 0) | (status >= 500)).mean()) >= _MAJORITY  # noqa: PLR2004 - by the standard


def select_failures(classified: ClassifiedRecording) -> Failures:
    """What the scenario does not accept."""
    recording, steady = classified.recording, classified.steady
    samples, success = steady.samples, steady.success
    if not len(samples):
        samples, success = recording.samples, classified.success
    requests = np.bincount(samples["endpoint"], minlength=len(recording.strings))
    unsent = [number for number, text in enumerate(recording.strings) if text == UNSENT]
    requests[unsent] = 0
    failed = samples[~success]
    return Failures(
        samples=failed[~np.isin(failed["endpoint"], unsent)], strings=recording.strings, requests=requests
    )


def find_unmeasured(failure: str, *, has_recording: bool = False) -> Iterator[Cause]:
    """What kept the scenario from being measured, or from being measured to its end; nothing for ''."""
    if not failure:
        return
    numbers = (shorten_failure(failure),)
    if has_recording:
        yield Cause(
            code="not-finished",
            title="the scenario was not measured to its end",
            numbers=numbers,
            next_step="mend what it says, and run again",
            share=None,
        )
        return
    yield Cause(
        code="not-started",
        title="nothing was measured",
        numbers=numbers,
        next_step="start it by hand as thresholds.yaml does; read service.log in the evidence folder",
        share=None,
    )


def find_endings(recording: Recording) -> Iterator[Cause]:
    """The service ended, or was started again by something else."""
    machine = sorted(recording.machine, key=lambda each: each.wall_s)
    began_s = min((mark.wall_s for mark in recording.marks), default=machine[0].wall_s if machine else 0.0)
    ended_s = next((each.wall_s for each in machine if not each.service_alive), None)
    counts = [each.service_restarts for each in machine if each.service_restarts is not None]
    restarts = max(counts) - counts[0] if counts else 0
    if ended_s is None and not restarts:
        return
    end = find_end(recording)
    how = f": {end}" if end else ""
    numbers = (
        [f"it had ended {ended_s - began_s:.0f} s after the load began{how}"] if ended_s is not None else []
    )
    numbers += [f"it was started again {restarts} x under load"] if restarts else []
    peak = max((each.service_memory_bytes or 0 for each in machine), default=0)
    numbers += [f"its memory was {format_mib(peak)} at most"] if peak else []
    yield Cause(
        code="service-ended",
        title="the service ended under load"
        if ended_s is not None
        else "the service was restarted under load",
        numbers=tuple(numbers),
        next_step=_READ_LOG
        + (_FIND_KILLER if not end or end.startswith((KILLED, KILLED_FOR_MEMORY)) else ""),
        share=None,
    )


def find_end(recording: Recording) -> str:
    """How the service ended under load; empty where it did not, or nobody knows."""
    return next((each.service_end for each in recording.machine if each.service_end), "")


def find_throttling(failures: Failures) -> Iterator[Cause]:
    """The service asked its callers to come later."""
    throttled = find_throttled(failures.samples)
    if throttled.any():
        yield Cause(
            code="throttle",
            title="throttling (429, or 403 and 503 with Retry-After)",
            numbers=tuple(_count_failures(failures, throttled)),
            next_step="raise the service's limit for the test's users or their one address; "
            "or accept the status where it is wanted",
            share=float(failures.share(throttled)),
            share_of="requests",
        )


def find_failing(scenario: Scenario, failures: Failures, recording: Recording) -> Iterator[Cause]:
    """More failures than the scenario allows, beside throttling, and server errors that are the pool's."""
    kinds = _sort_by_kind(failures)
    shares = {kind: failures.share(rows) for kind, rows in kinds.items()}
    if are_timeouts_of_the_pool(recording):
        shares["broken"] = Fraction(0)
    total, most = sum(shares.values(), Fraction(0)), max(shares, key=lambda kind: shares[kind])
    if total > _allowed_failures(scenario):
        title, next_step = _KINDS[most]
        total_count, *by_endpoint = _count_failures(failures, kinds[most])
        times_ms = failures.samples["response_ms"][kinds[most]]
        took = (f"half of them broke within {format_number(float(np.median(times_ms)))} ms of the request",)
        yield Cause(
            code="failing-replies",
            title=title,
            numbers=(
                total_count,
                *describe_log_errors(recording.log_errors),
                *(took if most == "kept-alive" else ()),
                *by_endpoint,
            ),
            next_step=next_step,
            share=float(total),
            share_of="requests",
        )


def are_timeouts_of_the_pool(recording: Recording) -> bool:
    """Most of the server errors are requests that got no connection of the pool in time.

    Both are counted over the whole recording: a request that waited is answered long after it was sent.
    """
    errors = int(_is_server_error(recording.samples["status"]).sum())
    return errors > 0 and find_window(recording, "service").rise("pool_timeouts") >= _MAJORITY * errors


def _is_server_error(status: NDArray[np.unsignedinteger]) -> NDArray[np.bool_]:
    is_error: NDArray[np.bool_] = (status >= 500) & (status < 600)  # noqa: PLR2004 - by the standard
    return is_error


def _sort_by_kind(failures: Failures) -> dict[str, NDArray[np.bool_]]:
    status = failures.samples["status"]
    rest = ~find_throttled(failures.samples)
    closed = [number for number, text in enumerate(failures.strings) if KEPT_ALIVE_CLOSED in text]
    is_kept_alive = np.isin(failures.samples["error"], closed)
    kinds = {
        "refused": rest & np.isin(status, (401, 403)),
        "missing": rest & np.isin(status, (404, 405, 410)),
        "broken": rest & _is_server_error(status),
        "unanswered": rest & (status == 0) & ~is_kept_alive,
        "kept-alive": rest & (status == 0) & is_kept_alive,
        "own-client": rest & (status == NOT_HTTP),
        "unfit": rest & (status > 0) & (status != NOT_HTTP) & ~find_error_statuses(status),
    }
    return {**kinds, "wrong": rest & ~np.logical_or.reduce(list(kinds.values()))}


def _allowed_failures(scenario: Scenario) -> Fraction:
    """The parser gives every scenario one limit on failures or on successes of all requests."""
    of_all = (limit.max_failures for limit in scenario.limits if limit.endpoint == ALL_ENDPOINTS)
    return next(most for most in of_all if most is not None)


def _count_failures(failures: Failures, rows: NDArray[np.bool_]) -> Iterator[str]:
    """How many of all requests with their statuses, then of the endpoints that failed most."""
    statuses = describe_statuses(failures.samples[rows], failures.strings)
    of_all = f"{int(rows.sum()):,} of {count(int(failures.requests.sum()), 'request')}"
    yield f"{of_all} ({statuses})"
    for number, times in _count(failures.samples["endpoint"][rows]):
        yield f"{failures.strings[number]}: {times:,} of {int(failures.requests[number]):,}"


def _count(column: NDArray[np.unsignedinteger]) -> list[tuple[int, int]]:
    """The most frequent ids, each with how often it occurs."""
    ids, counts = count_ids(column)
    return sorted(zip(ids.tolist(), counts.tolist(), strict=True), key=lambda pair: -pair[1])[:_MAX_NAMED]
