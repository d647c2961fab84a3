"""Which requests of a recording count, and which of them are successes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ci_gate.evidence.ranges import MAX_RECORDING_S
from ci_gate.evidence.recording import Recording
from ci_gate.evidence.samples import ENDED_BY_STATUS, ENDED_WELL, NOT_HTTP
from ci_gate.thresholds import ALL_ENDPOINTS, Accepted

_FIRST_ERROR_STATUS: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class SteadyPhase:
    """The samples that count: sent after all users were warm and before they were told to stop.

    ``success`` and ``latency_ms`` are aligned with ``samples``. ``latency_ms`` counts from the intended
    start, which only in an open workload is before the send. ``duration_s`` is 0 where the phase never began.
    """

    samples: NDArray[np.void]
    latency_ms: NDArray[np.float64]
    success: NDArray[np.bool_]
    strings: tuple[str, ...]
    begin_s: float
    duration_s: float

    def rows_of(self, endpoint: str) -> NDArray[np.bool_]:
        """Which samples belong to ``endpoint``; every one for ``all``."""
        rows = np.full(len(self.samples), endpoint == ALL_ENDPOINTS)
        for number, text in enumerate(self.strings):
            if text == endpoint:  # more than once, where long names were cut to the same text
                rows |= self.samples["endpoint"] == number
        return rows


def select_steady_phase(recording: Recording, accept: Iterable[Accepted]) -> SteadyPhase:
    """The steady phase of a recording, each sample with whether it is a success.

    A run that was cut off counts up to its last sample.
    """
    begin_s, end_s = find_steady_bounds(recording)
    samples = recording.samples
    samples = samples[(samples["intended_s"] >= begin_s) & (samples["intended_s"] < end_s)]
    return SteadyPhase(
        samples=samples,
        latency_ms=find_latencies(samples),
        success=find_successes(samples, recording.strings, accept),
        strings=recording.strings,
        begin_s=begin_s,
        duration_s=end_s - begin_s if begin_s < end_s else 0.0,
    )


def find_steady_bounds(recording: Recording) -> tuple[float, float]:
    """Begin and end of the steady phase in Unix seconds, both infinite where it never began."""
    begin, end = recording.mark("steady"), recording.mark("stopping")
    if begin is None:
        return np.inf, np.inf
    last_s = float(recording.samples["start_s"].max()) if recording.samples.size else 0.0
    end_s = end.wall_s if end else max(last_s, begin.wall_s)
    return begin.wall_s, min(end_s, begin.wall_s + MAX_RECORDING_S)


def find_latencies(samples: NDArray[np.void]) -> NDArray[np.float64]:
    """Latencies in ms from the intended start; none is below the response time, for nothing starts early."""
    late_s = np.maximum(samples["start_s"] - samples["intended_s"], 0)
    latency_ms: NDArray[np.float64] = samples["response_ms"] + late_s * 1000
    return latency_ms


def find_successes(
    samples: NDArray[np.void], strings: tuple[str, ...], accept: Iterable[Accepted]
) -> NDArray[np.bool_]:
    """A status below 400 or accepted for its endpoint, and no failed check of the scenario's own.

    That the scenario called ``success()`` on another status does not help it.
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
    """Which are HTTP statuses from 400 on; a client that knows no status has none."""
    is_error: NDArray[np.bool_] = (status >= _FIRST_ERROR_STATUS) & (status != NOT_HTTP)
    return is_error
