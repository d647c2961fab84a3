"""What one recording shows of its steady phase: per endpoint and for all, on exact samples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ci_gate.evidence.ranges import MAX_RECORDING_S, Count, Quantity
from ci_gate.evidence.readings import StrictValue
from ci_gate.evidence.recording import Recording
from ci_gate.evidence.samples import ENDED_BY_STATUS, ENDED_WELL, NOT_HTTP, count_ids, group_rows
from ci_gate.judge.quantiles import compute_quantile
from ci_gate.judge.texts import fold_texts
from ci_gate.thresholds import ALL_ENDPOINTS, Accepted

_FIRST_ERROR_STATUS: Final = 400
_KEPT_ERRORS: Final = 5
MAX_ENDPOINTS: Final = 500


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


class ErrorSummary(StrictValue, frozen=True):
    """One kind of failure and how often it came."""

    error: str
    count: Count


class SentLatency(StrictValue, frozen=True):
    """Latencies of successes in ms from when the request was sent, as a plain Locust shows them."""

    p50_ms: Quantity | None
    p95_ms: Quantity | None
    p99_ms: Quantity | None


class EndpointSummary(StrictValue, frozen=True):
    """One row of the endpoints table. Latencies are of successes in ms, None where there is none.

    They count from the intended start; ``sent`` has those from the send, None in a closed workload, where
    both are the same. ``rate_per_s`` counts successes only: a service that fails fast serves nobody.
    """

    endpoint: str
    requests: Count
    successes: Count
    rate_per_s: Quantity
    p50_ms: Quantity | None
    p95_ms: Quantity | None
    p99_ms: Quantity | None
    max_ms: Quantity | None
    sent: SentLatency | None
    statuses: dict[str, Count]  # HTTP status, or "no reply" or "not HTTP", to how often
    errors: tuple[ErrorSummary, ...]

    def __post_init__(self) -> None:
        if self.successes > self.requests:
            raise ValueError(f"{self.successes} successes of {self.requests} requests")

    @property
    def failures(self) -> int:
        return self.requests - self.successes

    @property
    def failure_share(self) -> float | None:
        return self.failures / self.requests if self.requests else None


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


def summarise(steady: SteadyPhase, named: Iterable[str] = ()) -> tuple[EndpointSummary, ...]:
    """A summary of all requests together, then one per endpoint, those that were called most first.

    Before them come those that are ``named``. Of the others at most MAX_ENDPOINTS have one.
    """
    rows_by_name = _group_by_name(steady)
    by_calls = sorted(rows_by_name, key=lambda name: (-len(rows_by_name[name]), name))
    wanted = {*named}
    first = [name for name in by_calls if name in wanted]
    names = (*first, *[name for name in by_calls if name not in wanted][:MAX_ENDPOINTS])
    return (
        _summarise_endpoint(steady, ALL_ENDPOINTS, np.arange(len(steady.samples))),
        *(_summarise_endpoint(steady, name, rows_by_name[name]) for name in names),
    )


def _group_by_name(steady: SteadyPhase) -> dict[str, NDArray[np.intp]]:
    """The places of each endpoint's samples; of several ids, where long names were cut to the same text."""
    places: dict[str, list[NDArray[np.intp]]] = {}
    for number, rows in group_rows(steady.samples["endpoint"]):
        places.setdefault(steady.strings[number], []).append(rows)
    return {
        name: parts[0] if len(parts) == 1 else np.sort(np.concatenate(parts))
        for name, parts in places.items()
    }


def _summarise_endpoint(steady: SteadyPhase, endpoint: str, rows: NDArray[np.intp]) -> EndpointSummary:
    success = steady.success[rows]
    good = rows[success]
    times_ms = np.sort(steady.latency_ms[good])
    return EndpointSummary(
        endpoint=endpoint,
        requests=len(rows),
        successes=len(times_ms),
        rate_per_s=len(times_ms) / steady.duration_s if steady.duration_s else 0.0,
        p50_ms=compute_quantile(times_ms, 0.50),
        p95_ms=compute_quantile(times_ms, 0.95),
        p99_ms=compute_quantile(times_ms, 0.99),
        max_ms=float(times_ms[-1]) if times_ms.size else None,
        sent=_summarise_sent(steady, good),
        statuses={name_status(status): count for status, count in _count(steady.samples["status"][rows])},
        errors=_count_errors(steady.samples["error"][rows[~success]], steady.strings),
    )


def _summarise_sent(steady: SteadyPhase, good: NDArray[np.intp]) -> SentLatency | None:
    times_ms = steady.samples["response_ms"][good]
    if np.array_equal(times_ms, steady.latency_ms[good]):
        return None
    return SentLatency(
        p50_ms=compute_quantile(times_ms, 0.50),
        p95_ms=compute_quantile(times_ms, 0.95),
        p99_ms=compute_quantile(times_ms, 0.99),
    )


def _count_errors(errors: NDArray[np.unsignedinteger], strings: tuple[str, ...]) -> tuple[ErrorSummary, ...]:
    counted = fold_texts((strings[number], count) for number, count in _count(errors) if number)
    return tuple(ErrorSummary(error=error, count=count) for error, count in counted[:_KEPT_ERRORS])


def _count(column: NDArray[np.unsignedinteger]) -> list[tuple[int, int]]:
    ids, counts = count_ids(column)
    return list(zip(ids.tolist(), counts.tolist(), strict=True))


def find_error_statuses(status: NDArray[np.unsignedinteger]) -> NDArray[np.bool_]:
    """Which are HTTP statuses from 400 on; a client that knows no status has none."""
    is_error: NDArray[np.bool_] = (status >= _FIRST_ERROR_STATUS) & (status != NOT_HTTP)
    return is_error


def name_status(status: int) -> str:
    """A sample's status as reports name it."""
    return {0: "no reply", NOT_HTTP: "not HTTP"}.get(status, str(status))
