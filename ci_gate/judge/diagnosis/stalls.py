"""Times in which no endpoint answered while requests waited, and what service and machine did then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ci_gate.evidence.recording import Recording
from ci_gate.evidence.samples import ENDED_BY_CHECK, ENDED_BY_STATUS, ENDED_UNREPORTED, ENDED_WELL
from ci_gate.judge.diagnosis.causes import Cause
from ci_gate.judge.diagnosis.describe_resources import describe_machine
from ci_gate.judge.diagnosis.observation import ResourceUsage, count_in_flight, observe, select_sent
from ci_gate.judge.diagnosis.occupancy import FULL, MIN_SHARE
from ci_gate.judge.foreign import MAX_FOREIGN
from ci_gate.judge.steady import ClassifiedRecording
from ci_gate.wording import count, in_percent

MIN_STALL_S: Final = 1.0
MIN_EXPECTED: Final = 10.0  # replies, at the rate of the phase: fewer may be missing by chance
_SLOWEST: Final = 0.01  # of all requests
_MAX_LATE: Final = 0.5  # of a stall: where Locust itself stood still as long, the service may have answered
_READ_AFTER_S: Final = 2.0  # a reading is of the second before it, and late where Locust was
_READING_S: Final = 1.0
_ANSWERED: Final = (ENDED_WELL, ENDED_BY_STATUS, ENDED_BY_CHECK, ENDED_UNREPORTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall:
    """Unix seconds, and how many requests were in flight on average."""

    begin_s: float
    end_s: float
    waiting: float

    @property
    def duration_s(self) -> float:
        return self.end_s - self.begin_s


def find_stalls(classified: ClassifiedRecording) -> tuple[Stall, ...]:
    """The stalls of the steady phase, in their order.

    At least MIN_STALL_S without a reply of any endpoint, while a request was in flight on average; so long
    that MIN_EXPECTED replies would have come at the rate of the phase.
    """
    steady, samples = classified.steady, select_sent(classified.recording)
    if not steady.duration_s or not len(samples):
        return ()
    starts_s = samples["start_s"]
    ends_s = starts_s + samples["response_ms"] / 1000
    replies_s = np.sort(ends_s[np.isin(samples["ending"], _ANSWERED)])
    inside = replies_s[(replies_s > steady.begin_s) & (replies_s < steady.end_s)]
    edges = np.concatenate([[steady.begin_s], inside, [steady.end_s]])
    lengths = np.diff(edges)
    long = np.flatnonzero(lengths >= MIN_STALL_S)
    rate = len(inside) / steady.duration_s if len(inside) else np.inf  # no reply at all is too few
    in_order = np.sort(starts_s), np.sort(ends_s)
    found = []
    for number in long.tolist():
        begin_s = _find_first_waiting(*in_order, float(edges[number]))
        end_s = float(edges[number + 1])
        waiting = count_in_flight(starts_s, samples["response_ms"], begin_s, end_s)
        is_long = end_s - begin_s >= MIN_STALL_S and (end_s - begin_s) * rate >= MIN_EXPECTED
        if is_long and waiting >= 1 and not _was_locust_late(classified.recording, begin_s, end_s):
            found.append(Stall(begin_s=begin_s, end_s=end_s, waiting=waiting))
    return tuple(found)


def _find_first_waiting(starts_s: NDArray[np.float64], ends_s: NDArray[np.float64], at_s: float) -> float:
    """``at_s`` if a request is in flight right after it; else when the next one is sent."""
    sent = int(np.searchsorted(starts_s, at_s, side="right"))
    if sent > int(np.searchsorted(ends_s, at_s, side="right")):
        return at_s
    return float(starts_s[sent]) if sent < len(starts_s) else np.inf


def _was_locust_late(recording: Recording, begin_s: float, end_s: float) -> bool:
    lags_ms = [each.lag_ms for each in recording.readings if begin_s < each.wall_s <= end_s + _READ_AFTER_S]
    return max(lags_ms, default=0.0) / 1000 >= _MAX_LATE * (end_s - begin_s)


def make_stall(classified: ClassifiedRecording, usage: ResourceUsage) -> Iterator[Cause]:
    """The cause, where the stalls hold enough of the requests' time."""
    stalls = find_stalls(classified)
    total = usage.in_flight * usage.duration_s
    share = min(sum(each.waiting * each.duration_s for each in stalls) / total, 1.0) if total else 0.0
    if share < MIN_SHARE:
        return
    longest = max(stalls, key=lambda each: each.duration_s)
    begin_s, end_s = longest.begin_s + _READING_S, longest.end_s
    if not any(begin_s < each.wall_s < end_s for each in classified.recording.machine):
        # No reading is of the stall alone: those that are at least half of it.
        begin_s, end_s = longest.begin_s + _READING_S / 2, longest.end_s + _READING_S / 2
    meanwhile = observe(classified.recording, begin_s, end_s, usage.host_cores)
    yield Cause(
        code="stall",
        title="no endpoint answered for a second or more, while requests waited",
        numbers=tuple(_describe(stalls, longest, classified, usage, meanwhile)),
        next_step=_find_next_step(meanwhile),
        share=share,
    )


def _count_slowest(classified: ClassifiedRecording, stalls: tuple[Stall, ...]) -> float:
    """The share of the slowest requests that were in flight in a stall."""
    samples = classified.steady.samples
    if not len(samples):
        return 0.0
    number = max(int(_SLOWEST * len(samples)), 1)
    slowest = samples[np.argpartition(samples["response_ms"], -number)[-number:]]
    ends_s = slowest["start_s"] + slowest["response_ms"] / 1000
    waited = np.zeros(len(slowest), dtype=bool)
    for stall in stalls:
        waited |= (slowest["start_s"] < stall.end_s) & (ends_s > stall.begin_s)
    return float(waited.mean())


def _describe(
    stalls: tuple[Stall, ...],
    longest: Stall,
    classified: ClassifiedRecording,
    usage: ResourceUsage,
    meanwhile: ResourceUsage,
) -> Iterator[str]:
    at = f"{longest.begin_s - classified.steady.begin_s:.1f} s after the steady phase began"
    waited = f"{longest.waiting:,.1f} requests waited on average"
    yield f"no reply for {longest.duration_s:.1f} s, {at}, while {waited}"
    if meanwhile.service_cores is not None:
        mean = f"; {usage.service_cores:.2f} over the whole phase" if usage.service_cores is not None else ""
        yield f"then the service used {meanwhile.service_cores:.2f} cores{mean}"
    if len(stalls) > 1:
        all_s = sum(each.duration_s for each in stalls)
        yield f"{count(len(stalls), 'such time')}, {all_s:.1f} of {usage.duration_s:.1f} s together"
    slowest = f"{in_percent(_count_slowest(classified, stalls))} of the slowest hundredth of the requests"
    yield f"{slowest} waited in such a time"
    if meanwhile.waited_cores:
        yield f"then {meanwhile.waited_cores:.2f} of the service's threads waited for a core"
    yield from (f"then {each}" for each in describe_machine(meanwhile))
    if meanwhile.postgres.readings:
        locks, active = (
            meanwhile.postgres.mean(each) or 0.0 for each in ("waiting_lock", "connections_active")
        )
        yield f"then {active:.1f} database sessions were active, and {locks:.1f} waited for a lock"


def _find_next_step(meanwhile: ResourceUsage) -> str:
    if meanwhile.host_cores and (meanwhile.foreign_cores or 0.0) >= MAX_FOREIGN * meanwhile.host_cores:
        return "other programs had much of this machine then: run again where they do not"
    if meanwhile.service_cores is None:
        return "read the service's log at that time, and look for what every request has to wait for"
    if (meanwhile.postgres.mean("waiting_lock") or 0.0) >= 1:
        return "find the transaction that held the lock then (pg_blocking_pids)"
    if meanwhile.service_cores + (meanwhile.waited_cores or 0.0) >= FULL:
        return (
            "look for what keeps the service busy then: garbage collection, a job in its process; profile it"
        )
    return (
        "look for what every request waits for then: a lock, a blocking call in an event loop, a cache that "
        "is filled again"
    )
