"""Why is it slow: names what held the requests up, with its numbers, or says that it does not know.

It never changes a verdict. docs/diagnosis.md has each criterion and where its arithmetic comes from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from ci_gate.evidence import DUET_BASE, DUET_HEAD, HEAD, Recording
from ci_gate.judge.breakdowns import (
    find_endings,
    find_failing,
    find_full_memory,
    find_throttling,
    find_unmeasured,
    select_replies,
)
from ci_gate.judge.causes import (
    Cause,
    Place,
    are_workers_busy,
    find_cpu_limit,
    is_generator_short,
    make_places,
)
from ci_gate.judge.duet import DuetVerdict
from ci_gate.judge.limits import LimitResult
from ci_gate.judge.occupancy import Observed, Occupancy, ProbeWindow, count_in_pool, locate, observe
from ci_gate.judge.place_numbers import describe_slowest
from ci_gate.judge.summary import select_steady_phase
from ci_gate.readings import StatementTotal, StrictValue
from ci_gate.thresholds import Scenario

LEAST_SHARE: Final = 0.2
"""Of the requests' time: what holds less of it is not what makes them slow."""
MOST_REPLIES: Final = 0.5
_MANY_MORE_STATEMENTS: Final = 2.0
_OF_THE_DATABASE: Final = frozenset({"locks", "io", "database", "pool"})


class Diagnosis(StrictValue, frozen=True):
    """``causes`` are ranked, empty where nothing was saturated; ``unknown`` is what was not observed."""

    causes: tuple[Cause, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What is known of a scenario beside its recordings; ``failure`` is why it was not measured."""

    scenario: Scenario
    limits: tuple[LimitResult, ...]
    comparison: DuetVerdict | None
    failure: str
    host_cores: int | None
    memory_bytes: int | None  # the container's limit

    @property
    def is_too_slow(self) -> bool:
        """A latency is worse than its limit or its tolerance; or the rate is, and not for want of successes."""
        changes = self.comparison.changes if self.comparison else ()
        metrics = {limit.metric for limit in self.limits if limit.outcome == "breached"}
        metrics |= {change.metric for change in changes if change.outcome == "fail"}
        is_slow = any(metric[:1] == "p" for metric in metrics)
        return is_slow or ("rate" in metrics and not metrics & {"failures", "successes"})


def diagnose(circumstances: Circumstances, recordings: Mapping[str, Recording]) -> Diagnosis:
    """The causes of one scenario, by its recordings' names; head's own counts, the duet's for statements."""
    head = recordings.get(HEAD)
    if head is None:
        return Diagnosis(causes=tuple(find_unmeasured(circumstances.failure or "no evidence")), unknown=())
    steady = select_steady_phase(head, circumstances.scenario.accept)
    seen = observe(head, steady.begin_s, steady.begin_s + steady.duration_s, circumstances.host_cores)
    replies = select_replies(circumstances.scenario, head, steady)
    endings = tuple(find_endings(head))
    timeouts = (seen.service.rate("pool_timeouts") or 0.0) / (seen.requests_per_s or 1.0)
    failures = (
        *find_throttling(replies),
        *(() if endings else find_failing(circumstances.scenario, replies, timeouts)),
    )
    unmeasured = find_unmeasured(circumstances.failure) if circumstances.failure and not endings else ()
    hindering = [cause for cause in failures if (cause.share or 0.0) >= MOST_REPLIES]
    others = [cause for cause in failures if cause not in hindering]
    is_too_slow = circumstances.is_too_slow and not hindering and not endings
    waits = find_waits(seen, head, _find_extra(circumstances, recordings), is_too_slow=is_too_slow)
    ranked = sorted((*waits, *others), key=lambda cause: -(cause.share or 0.0))
    return Diagnosis(
        causes=(
            *endings,
            *unmeasured,
            *find_full_memory(head, seen, circumstances.memory_bytes),
            *hindering,
            *ranked,
        ),
        unknown=tuple(_name_unobserved(seen)),
    )


def find_waits(
    seen: Observed, head: Recording, extra: tuple[float, float] | None, *, is_too_slow: bool
) -> Iterator[Cause]:
    """Where the requests' time went: places that are saturated, or that explain why it is too slow.

    ``extra`` are statements per request in base and head, where head sends many more.
    """
    cpu = find_cpu_limit(seen)
    occupancy = locate(
        seen,
        is_cpu_short=cpu is not None,
        is_generator_short=is_generator_short(seen),
        are_workers_busy=are_workers_busy(seen),
    )
    if not occupancy.total:
        return
    spent = spend(head)
    found = list(
        _find_places(seen, occupancy, make_places(seen, occupancy, cpu), spent, is_too_slow=is_too_slow)
    )
    left = 1.0
    if extra and (found or is_too_slow):
        share = (1 - extra[0] / extra[1]) * min(count_in_pool(seen) / occupancy.total, 1.0)
        if share >= LEAST_SHARE:
            left -= share
            yield _make_n_plus_one(extra, share, spent)
    for cause in found:
        share = left * (cause.share or 0.0)
        if left == 1.0 or share >= LEAST_SHARE:
            yield msgspec.structs.replace(cause, share=share)


def _find_places(
    seen: Observed,
    occupancy: Occupancy,
    places: Mapping[str, Place],
    spent: tuple[StatementTotal, ...],
    *,
    is_too_slow: bool,
) -> Iterator[Cause]:
    for name, place in places.items():
        share = getattr(occupancy, name) / occupancy.total
        is_large = share >= LEAST_SHARE
        # A generator at its limit makes every number wrong, however little of the time is its own.
        if (is_large and (is_too_slow or place.is_saturated)) or (name == "generator" and place.is_saturated):
            numbers = [
                f"{getattr(occupancy, name):,.1f} of {occupancy.total:,.1f} requests in flight, on average"
            ]
            numbers += place.describe(seen)
            numbers += describe_slowest(spent) if name in _OF_THE_DATABASE else ()
            yield Cause(
                code=place.code,
                title=place.title,
                numbers=tuple(numbers),
                next_step=place.next_step,
                share=share,
            )


def spend(recording: Recording) -> tuple[StatementTotal, ...]:
    """What the slowest statements took between the first and the last reading, where there are two."""
    readings = sorted(recording.statements, key=lambda each: each.wall_s)
    if not readings:
        return ()
    before = {each.query: each for each in readings[0].statements} if len(readings) > 1 else {}
    return tuple(_subtract(each, before.get(each.query)) for each in readings[-1].statements)


def _subtract(last: StatementTotal, first: StatementTotal | None) -> StatementTotal:
    if first is None:
        return last
    return msgspec.structs.replace(
        last, calls=max(last.calls - first.calls, 0), total_ms=max(last.total_ms - first.total_ms, 0.0)
    )


def _make_n_plus_one(extra: tuple[float, float], share: float, spent: tuple[StatementTotal, ...]) -> Cause:
    base, head = extra
    return Cause(
        code="n-plus-one",
        title="head sends many more statements for a request than base",
        numbers=(
            f"{head:,.1f} statements per request on head, {base:,.1f} on base ({head / base:,.1f} x)",
            *describe_slowest(spent),
        ),
        next_step="load the rows of a list in one statement (a join, or WHERE id = ANY), not one by one",
        share=share,
    )


def _find_extra(
    circumstances: Circumstances, recordings: Mapping[str, Recording]
) -> tuple[float, float] | None:
    """Statements per request of base and head in their duet, where head sends at least twice as many."""
    pair = [recordings.get(name) for name in (DUET_BASE, DUET_HEAD)]
    counts = []
    for recording in pair:
        if recording is None:
            return None
        steady = select_steady_phase(recording, circumstances.scenario.accept)
        seen = observe(recording, steady.begin_s, steady.begin_s + steady.duration_s, None)
        counts.append(seen.statements_per_request)
    base, head = counts
    if base is None or head is None or base <= 0:
        return None
    return (base, head) if head >= _MANY_MORE_STATEMENTS * base and head >= base + 1 else None


def _name_unobserved(seen: Observed) -> Iterator[str]:
    if seen.service_cores is None:
        yield "the service's CPU: its processes could not be read"
    if not seen.postgres.readings:
        yield f"the database: {_explain_silence(seen.postgres, 'postgres')}"
    if seen.service.mean("pool_in_use") is None:
        yield f"the connection pool: {_explain_silence(seen.service, 'service')}"


def _explain_silence(window: ProbeWindow, probe: str) -> str:
    if window.failed:
        return f"the probe {probe} failed {window.failed} x, at last: {window.error}"
    return f"thresholds.yaml has no probe {probe} that shows it"
