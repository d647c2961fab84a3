"""What one recording shows of its steady phase: per endpoint and for all, on exact samples."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from ci_gate.evidence.ranges import Count, Quantity
from ci_gate.evidence.readings import ErrorCount, StrictValue
from ci_gate.evidence.sample_table import count_ids, group_rows
from ci_gate.evidence.samples import NOT_HTTP
from ci_gate.judge.quantiles import compute_percentiles
from ci_gate.judge.resources import ResourceFigures, summarise_resources
from ci_gate.judge.steady import SteadyPhase
from ci_gate.judge.texts import describe_errors, fold_texts
from ci_gate.thresholds import ALL_ENDPOINTS

_KEPT_ERRORS: Final = 5
MAX_ENDPOINTS: Final = 500
_MIN_ERROR_STATUS: Final = 400  # from there on, the status says what went wrong


class ErrorSummary(StrictValue, frozen=True):
    """One kind of failure and how often it came."""

    error: str
    count: Count


class SentLatency(StrictValue, frozen=True):
    """Latencies of successes in ms from when the request was sent, as a plain Locust shows them."""

    p50_ms: Quantity | None
    p95_ms: Quantity | None
    p99_ms: Quantity | None


class EndpointSummary(StrictValue, frozen=True, omit_defaults=True):
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
    resources: ResourceFigures | None = None  # of all requests together only

    def __post_init__(self) -> None:
        if self.successes > self.requests:
            raise ValueError(f"{self.successes} successes of {self.requests} requests")

    @property
    def percentiles_ms(self) -> dict[str, float | None]:
        """Those that a row has, by the metric's name."""
        return {"p50": self.p50_ms, "p95": self.p95_ms, "p99": self.p99_ms}

    @property
    def failures(self) -> int:
        return self.requests - self.successes

    @property
    def failure_share(self) -> float | None:
        return self.failures / self.requests if self.requests else None


def summarise(steady: SteadyPhase, named: Iterable[str] = ()) -> tuple[EndpointSummary, ...]:
    """A summary of all requests together, then one per endpoint, those that were called most first.

    Before them come those that are ``named``. Of the others at most MAX_ENDPOINTS have one.
    """
    total = _summarise_endpoint(steady, ALL_ENDPOINTS, slice(None))
    due_s = steady.samples["intended_s"][steady.success]
    resources = summarise_resources(steady.resources, due_s, steady.begin_s, steady.end_s)
    del due_s  # of millions of requests it is large
    rows_by_name = _group_by_name(steady)
    by_calls = sorted(rows_by_name, key=lambda name: (-len(rows_by_name[name]), name))
    wanted = {*named}
    first = [name for name in by_calls if name in wanted]
    names = (*first, *[name for name in by_calls if name not in wanted][:MAX_ENDPOINTS])
    return (
        msgspec.structs.replace(total, resources=resources),
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


def _summarise_endpoint(
    steady: SteadyPhase, endpoint: str, rows: NDArray[np.intp] | slice
) -> EndpointSummary:
    success = steady.success[rows]
    times_ms = steady.latency_ms[rows][success]
    sent = _summarise_sent(steady, rows, times_ms)
    return EndpointSummary(
        endpoint=endpoint,
        requests=len(success),
        successes=len(times_ms),
        rate_per_s=len(times_ms) / steady.duration_s if steady.duration_s else 0.0,
        **compute_percentiles(times_ms),
        max_ms=float(times_ms.max()) if times_ms.size else None,
        sent=sent,
        statuses={name_status(status): count for status, count in _count(steady.samples["status"][rows])},
        errors=_count_errors(steady.samples["error"][rows][~success], steady.strings),
    )


def _summarise_sent(
    steady: SteadyPhase, rows: NDArray[np.intp] | slice, since_intended_ms: NDArray[np.float64]
) -> SentLatency | None:
    """The times since requests were sent, where they are others than those since they should have been."""
    response_ms = steady.samples["response_ms"]
    if np.may_share_memory(response_ms, steady.latency_ms):  # they are the latencies: nothing was sent late
        return None
    times_ms = response_ms[rows][steady.success[rows]]
    if np.array_equal(times_ms, since_intended_ms):
        return None
    return SentLatency(**compute_percentiles(times_ms))


def _count_errors(errors: NDArray[np.unsignedinteger], strings: tuple[str, ...]) -> tuple[ErrorSummary, ...]:
    counted = fold_texts((strings[number], count) for number, count in _count(errors) if number)
    return tuple(ErrorSummary(error=error, count=count) for error, count in counted[:_KEPT_ERRORS])


def _count(column: NDArray[np.unsignedinteger]) -> list[tuple[int, int]]:
    ids, counts = count_ids(column)
    return list(zip(ids.tolist(), counts.tolist(), strict=True))


def describe_statuses(samples: NDArray[np.void], strings: tuple[str, ...]) -> str:
    """How often each status came; where it is no error status, with the text of what went wrong."""
    return ", ".join(
        f"{name_status(status)} x {times:,}{_describe_texts(samples[samples['status'] == status], strings)}"
        for status, times in sorted(_count(samples["status"]), key=lambda pair: -pair[1])[:_KEPT_ERRORS]
    )


def _describe_texts(rows: NDArray[np.void], strings: tuple[str, ...]) -> str:
    status = int(rows["status"][0])
    if _MIN_ERROR_STATUS <= status < NOT_HTTP:
        return ""
    errors = [
        ErrorCount(subject="", error=strings[number], count=times)
        for number, times in _count(rows["error"])
        if number
    ]
    of_all = f"{len(rows):,} x "  # said already
    return f": {describe_errors(errors).removeprefix(of_all)}" if errors else ""


def name_status(status: int) -> str:
    """A sample's status as reports name it."""
    return {0: "no reply", NOT_HTTP: "not HTTP"}.get(status, str(status))
