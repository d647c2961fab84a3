"""How many statements a request sends to the database: many more on head than on base is an N+1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from ci_gate.evidence.readings import StatementTotal
from ci_gate.evidence.recording import DUET_BASE, DUET_HEAD, Recording
from ci_gate.judge.diagnosis.causes import Cause
from ci_gate.judge.diagnosis.describe_resources import describe_most_called
from ci_gate.judge.diagnosis.observation import ResourceUsage, observe_steady
from ci_gate.judge.diagnosis.occupancy import count_in_pool
from ci_gate.judge.diagnosis.saturation import is_pool_observed
from ci_gate.judge.diagnosis.statement_growth import StatementGrowth, describe_growth
from ci_gate.judge.resources import have_own_databases
from ci_gate.judge.steady import ClassifiedRecording

_MANY_TIMES: Final = 2.0
_MANY_MORE: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementsPerRequest:
    """Of both sides of a duet."""

    base: float
    head: float

    @property
    def excess(self) -> float:
        """The share of head's statements that base would not have sent."""
        return 1 - self.base / self.head

    @property
    def is_many_more(self) -> bool:
        return self.head >= _MANY_TIMES * self.base and self.head >= self.base + _MANY_MORE


def count_statements(recordings: Mapping[str, ClassifiedRecording]) -> StatementsPerRequest | None:
    """Those of both sides, by the service's own count, else by that of a database for each.

    None where there was no duet, or nobody counted.
    """
    sides = [recordings[name] for name in (DUET_BASE, DUET_HEAD) if name in recordings]
    if len(sides) < len((DUET_BASE, DUET_HEAD)):
        return None
    of_base, of_head = map(observe_steady, sides)
    base, head = of_base.statements_per_request, of_head.statements_per_request
    if not (base and head) and have_own_databases(*(side.recording for side in sides)):
        base, head = of_base.database_statements_per_request, of_head.database_statements_per_request
    return StatementsPerRequest(base=base, head=head) if base and head else None


def make_n_plus_one(
    counts: StatementsPerRequest,
    usage: ResourceUsage,
    spent: tuple[StatementTotal, ...],
    grown: tuple[StatementGrowth, ...] = (),
) -> Cause:
    """A request holds its connection for as long as its statements take, and others wait for it as long.

    Without a pool that was observed, its share of the requests' time is not known.
    """
    in_pool = min(count_in_pool(usage) / usage.in_flight, 1.0) if usage.in_flight else 0.0
    has_pool = is_pool_observed(usage)
    most = sorted((each for each in grown if each.more_calls > 0), key=lambda each: -each.more_calls)
    times = f"{counts.head / counts.base:,.1f} x"
    return Cause(
        code="n-plus-one",
        title="head sends many more statements for a request than base",
        numbers=(
            f"{counts.head:,.1f} statements per request on head, {counts.base:,.1f} on base ({times})",
            *(map(describe_growth, most[:1]) if most else describe_most_called(spent)),
        ),
        next_step="load the rows of a list in one statement (a join, or WHERE id = ANY), not one by one",
        share=counts.excess * in_pool if has_pool else None,
    )


def subtract_first(recording: Recording) -> tuple[StatementTotal, ...]:
    """What the slowest statements took between the first and the last reading, or all where there is one."""
    readings = sorted(recording.statements, key=lambda each: each.wall_s)
    if not readings:
        return ()
    before = {each.query: each for each in readings[0].statements} if len(readings) > 1 else {}
    return tuple(_subtract(each, before.get(each.query)) for each in readings[-1].statements)


def _subtract(last: StatementTotal, first: StatementTotal | None) -> StatementTotal:
    if first is None:
        return last
    calls, total_ms = max(last.calls - first.calls, 0), max(last.total_ms - first.total_ms, 0.0)
    return msgspec.structs.replace(last, calls=calls, total_ms=total_ms)
