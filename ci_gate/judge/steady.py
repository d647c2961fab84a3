"""Which requests of a recording count, and which of them are successes."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ci_gate.evidence.recording import Recording
from ci_gate.evidence.samples import (
    ENDED_BY_STATUS,
    ENDED_WELL,
    FLAG_RETRY_AFTER,
    NOT_HTTP,
    THROTTLING_STATUSES,
)
from ci_gate.evidence.steady_rows import find_due, find_steady_bounds, select
from ci_gate.judge.resources import NO_RESOURCES, Resources, read_resources
from ci_gate.thresholds import ALL_ENDPOINTS, DEFAULT_CPU_OF, Accepted

FIRST_ERROR_STATUS: Final = 400
_TOO_MANY_REQUESTS: Final = 429


@dataclass(frozen=True, slots=True, kw_only=True)
class SteadyPhase:
    """The requests that count: due after all users were warm and before they were asked to stop.

    ``samples`` are rows of SAMPLE_DTYPE; ``success`` and ``latency_ms`` are aligned with them. ``begin_s``
    and ``end_s`` are Unix seconds, both infinite where the phase never began. ``resources`` are of the whole
    recording.
    """

    samples: NDArray[np.void]
    latency_ms: NDArray[np.float64]
    success: NDArray[np.bool_]
    strings: tuple[str, ...]
    begin_s: float
    end_s: float
    resources: Resources = NO_RESOURCES

    @property
    def duration_s(self) -> float:
        """How long it lasted; 0 where it never began."""
        return self.end_s - self.begin_s if self.begin_s < self.end_s else 0.0

    def rows_of(self, endpoint: str) -> NDArray[np.bool_]:
        """A mask of the samples of ``endpoint``; true for every one if it is ``all``."""
        rows = np.full(len(self.samples), endpoint == ALL_ENDPOINTS)
        for number, text in enumerate(self.strings):
            if text == endpoint:  # more than once, where long names were cut to the same text
                rows |= self.samples["endpoint"] == number
        return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifiedRecording:
    """A recording with what each of its requests counts as. Made once, and handed to all that judge it.

    ``success`` and ``latency_ms`` are aligned with ``recording.samples``. A latency counts from the intended
    start, which only in an open workload is before the send.
    """

    recording: Recording
    success: NDArray[np.bool_]
    latency_ms: NDArray[np.float64]
    steady: SteadyPhase


def classify(
    recording: Recording, accept: Iterable[Accepted], cpu_of: Collection[str] = DEFAULT_CPU_OF
) -> ClassifiedRecording:
    """The recording with its successes, by the statuses of ``accept``, its latencies and its steady phase.

    CPU is that of all that ``cpu_of`` names.
    """
    samples = recording.samples
    success = find_successes(samples, recording.strings, accept)
    latency_ms = _find_latencies(samples)
    begin_s, end_s = find_steady_bounds(recording.marks, samples)
    rows = select(find_due(samples, (begin_s, end_s)))
    steady = SteadyPhase(
        samples=samples[rows],
        latency_ms=latency_ms[rows],
        success=success[rows],
        strings=recording.strings,
        begin_s=begin_s,
        end_s=end_s,
        resources=read_resources(recording, cpu_of),
    )
    return ClassifiedRecording(recording=recording, success=success, latency_ms=latency_ms, steady=steady)


def _find_latencies(samples: NDArray[np.void]) -> NDArray[np.float64]:
    """Latencies in ms from the intended start; none is below the response time, for nothing starts early."""
    if not (samples["start_s"] > samples["intended_s"]).any():
        return samples["response_ms"]
    late_s = np.maximum(samples["start_s"] - samples["intended_s"], 0)
    late_s *= 1000
    latency_ms: NDArray[np.float64] = np.add(samples["response_ms"], late_s, out=late_s)
    return latency_ms


def find_successes(
    samples: NDArray[np.void], strings: tuple[str, ...], accept: Iterable[Accepted]
) -> NDArray[np.bool_]:
    """A mask of the successes: a status below 400 or accepted for its endpoint, and no failed own check.

    ``strings`` are the texts by id. That the scenario called ``success()`` on another status does not help
    it.
    """
    status = samples["status"]
    good = (status > 0) & ~find_error_statuses(status)
    for accepted in accept:
        ids = [number for number, text in enumerate(strings) if text == accepted.endpoint]
        good |= np.isin(samples["endpoint"], ids) & np.isin(status, accepted.statuses)
    failed_at_most_by_status = (samples["ending"] == ENDED_WELL) | (samples["ending"] == ENDED_BY_STATUS)
    not_http_failure = (status == NOT_HTTP) & (samples["ending"] != ENDED_WELL)
    success: NDArray[np.bool_] = good & failed_at_most_by_status & ~not_http_failure
    return success


def find_error_statuses(status: NDArray[np.unsignedinteger]) -> NDArray[np.bool_]:
    """A mask of the HTTP statuses of 400 or more; NOT_HTTP is none."""
    is_error: NDArray[np.bool_] = (status >= FIRST_ERROR_STATUS) & (status != NOT_HTTP)
    return is_error


def find_throttled(samples: NDArray[np.void]) -> NDArray[np.bool_]:
    """Which replies say that there were too many requests: 429, or 403 or 503 with Retry-After."""
    status, later = samples["status"], samples["flags"] & FLAG_RETRY_AFTER > 0
    throttled: NDArray[np.bool_] = (status == _TOO_MANY_REQUESTS) | (
        later & np.isin(status, THROTTLING_STATUSES)
    )
    return throttled
