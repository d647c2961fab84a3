"""Which statements head sends more often than base, or for which its database takes longer."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ci_gate.evidence.ranges import Quantity
from ci_gate.evidence.readings import MAX_STATEMENTS, StatementReading, StrictValue
from ci_gate.evidence.recording import DUET_BASE, DUET_HEAD
from ci_gate.judge.diagnosis.causes import Cause
from ci_gate.judge.diagnosis.observation import observe_steady
from ci_gate.judge.diagnosis.occupancy import MIN_SHARE, count_in_pool
from ci_gate.judge.diagnosis.saturation import is_pool_queue_hidden
from ci_gate.judge.diagnosis.statement_texts import fold_query, shorten_query
from ci_gate.judge.resources import Counted, have_own_databases, per_success
from ci_gate.judge.steady import ClassifiedRecording
from ci_gate.wording import format_number

MAX_GROWN: Final = 10
_MAX_NAMED: Final = 3
_MAX_QUERY_LENGTH: Final = 300
_MANY_TIMES: Final = 1.5
_MANY_CALLS: Final = 2.0  # more for each success
_MIN_TIME: Final = 0.2  # of the requests' time
_MAX_LOCKED: Final = 0.5  # of the time that it takes longer
_MIN_CALLS: Final = 20  # on head, in all: of fewer, one that hung would make the figure
_MORE_CALLS: Final = (0.1, 0.05)  # worth a row of the table: of base's, and for each success
_MORE_MS: Final = (0.2, 0.05)


class StatementGrowth(StrictValue, frozen=True):
    """One statement on both sides: how often it was sent for each success, and the database's ms for it.

    ``query`` has placeholders for its parameters.
    """

    query: str
    base_calls: Quantity
    head_calls: Quantity
    base_ms: Quantity
    head_ms: Quantity

    @property
    def more_calls(self) -> float:
        return self.head_calls - self.base_calls

    @property
    def more_ms(self) -> float:
        return self.head_ms - self.base_ms

    @property
    def has_grown(self) -> bool:
        """Enough for a row of the table."""
        (of_calls, calls), (of_ms, ms) = _MORE_CALLS, _MORE_MS
        is_called = self.more_calls >= max(of_calls * self.base_calls, calls)
        return is_called or self.more_ms >= max(of_ms * self.base_ms, ms)

    @property
    def is_called_much_more(self) -> bool:
        return self.head_calls >= _MANY_TIMES * self.base_calls and self.more_calls >= _MANY_CALLS

    @property
    def takes_much_longer(self) -> bool:
        """Also each call: who sends more of what is rare does so by chance, too."""
        is_longer_each = self.head_ms * self.base_calls >= _MANY_TIMES * self.base_ms * self.head_calls
        return self.head_ms >= _MANY_TIMES * self.base_ms and is_longer_each


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """Calls and ms for each success by query; ``is_complete``: a statement without is one never sent."""

    successes: int
    figures: Mapping[str, tuple[float, float]]
    is_complete: bool

    def figures_of(self, query: str) -> tuple[float, float] | None:
        return self.figures.get(query, (0.0, 0.0) if self.is_complete else None)


def find_grown(recordings: Mapping[str, ClassifiedRecording]) -> tuple[StatementGrowth, ...]:
    """The statements that grew most in the steady phase of a duet, by time and by calls; most time first.

    Empty without a duet, where a side's statements were not read, and unless each side has its own database.
    What may be among the statements that were not written down is left out.
    """
    base, head = recordings.get(DUET_BASE), recordings.get(DUET_HEAD)
    if base is None or head is None or not have_own_databases(base.recording, head.recording):
        return ()
    of_base, of_head = _read_side(base), _read_side(head)
    if of_base is None or of_head is None:
        return ()
    grown = []
    for query, (head_calls, head_ms) in of_head.figures.items():
        before = of_base.figures_of(query)
        if before and head_calls * of_head.successes >= _MIN_CALLS:
            growth = StatementGrowth(
                query=shorten_query(query, _MAX_QUERY_LENGTH),
                base_calls=before[0],
                head_calls=head_calls,
                base_ms=before[1],
                head_ms=head_ms,
            )
            grown += [growth] if growth.has_grown else []
    by_calls = sorted(grown, key=lambda each: -each.more_calls)[: MAX_GROWN // 2]
    by_time = sorted(grown, key=lambda each: -each.more_ms)
    left = [each for each in by_time if each not in by_calls][: MAX_GROWN - len(by_calls)]
    return tuple(each for each in by_time if each in by_calls or each in left)


def _read_side(classified: ClassifiedRecording) -> _Side | None:
    readings = sorted(classified.recording.statements, key=lambda each: each.wall_s)
    if not readings or readings[0].statements:  # totals since the server began, of older versions
        return None
    is_complete = all(len(each.statements) < MAX_STATEMENTS for each in readings)
    fold = functools.cache(fold_query)  # they are the same again and again
    moments = [(each.wall_s, _fold_all(each, fold)) for each in readings]
    steady = classified.steady
    due_s = steady.samples["intended_s"][steady.success]
    figures = {}
    for query in dict.fromkeys(query for _at, totals in moments for query in totals):
        found = []
        for place in (0, 1):
            counted = Counted.of(_follow(moments, query, place, is_complete=is_complete))
            found.append(per_success(counted, due_s, steady.begin_s, steady.end_s))
        calls, ms = found
        if calls is not None and ms is not None:
            figures[query] = (calls, ms)
    is_covered = len(readings) > 1 and (figures or not moments[-1][1])
    return _Side(successes=len(due_s), figures=figures, is_complete=is_complete) if is_covered else None


def _fold_all(reading: StatementReading, fold: Callable[[str], str]) -> dict[str, tuple[float, float]]:
    totals: dict[str, tuple[float, float]] = {}
    for each in reading.statements:
        query = fold(each.query)
        calls, ms = totals.get(query, (0.0, 0.0))
        totals[query] = (calls + each.calls, ms + each.total_ms)
    return totals


def _follow(
    moments: list[tuple[float, dict[str, tuple[float, float]]]], query: str, place: int, *, is_complete: bool
) -> Iterator[tuple[float, float | None]]:
    """A total over time; where it is not written down, it has not changed, or is not known."""
    total: float | None = 0.0
    for number, (at, totals) in enumerate(moments):
        if query in totals:
            total = totals[query][place]
            yield at, total
        else:
            yield at, total if is_complete or number == 0 else None


def find_statement_growth(grown: tuple[StatementGrowth, ...], head: ClassifiedRecording) -> Iterator[Cause]:
    """The statements of which head beside base needs many more, or much more of its database's time."""
    usage = observe_steady(head)
    if not usage.in_flight or not usage.duration_s:
        return
    rate_per_s = float(head.steady.success.sum()) / usage.duration_s
    longer = [each for each in grown if each.takes_much_longer]
    sessions = sum(each.more_ms for each in longer) / 1000 * rate_per_s  # by Little's law
    is_locked = (usage.postgres.mean("waiting_lock") or 0.0) >= _MAX_LOCKED * sessions
    held = usage.service.mean("pool_in_use")
    share = (
        min(sessions / held, 1.0) * count_in_pool(usage) / usage.in_flight
        if held
        else sessions / usage.in_flight
    )
    is_hidden = is_pool_queue_hidden(usage)  # then what waits for those that hold one is, too
    if longer and (sessions / held if held and is_hidden else share) >= _MIN_TIME and not is_locked:
        yield _make_cause(
            longer,
            title="the database takes longer for a statement on head than on base",
            next_step="EXPLAIN ANALYZE it on head and on base: a lost index, more rows, another plan",
            share=None if is_hidden else min(share, 1.0),
        )
        return
    more = sorted((each for each in grown if each.is_called_much_more), key=lambda each: -each.more_calls)
    if more:
        yield _make_cause(
            more,
            title="head sends a statement more often for a request than base",
            next_step="find the loop that sends it; load all rows by one statement, as a join does",
            share=None,
        )


def explain_slowness(share: float, recordings: Mapping[str, ClassifiedRecording]) -> bool:
    """Whether ``share`` of head's time is all that it is slower by than base, but for what is not named."""
    if share < MIN_SHARE or DUET_BASE not in recordings or DUET_HEAD not in recordings:
        return False
    base_s, head_s = (_measure_mean_s(recordings[name]) for name in (DUET_BASE, DUET_HEAD))
    return head_s > base_s and 1 - base_s / head_s - share < MIN_SHARE


def _measure_mean_s(classified: ClassifiedRecording) -> float:
    """For which a request is in flight, by Little's law: also those that have no reply yet."""
    usage = observe_steady(classified)
    return usage.in_flight / usage.requests_per_s if usage.requests_per_s else 0.0


def _make_cause(grown: list[StatementGrowth], *, title: str, next_step: str, share: float | None) -> Cause:
    return Cause(
        code="statement-growth",
        title=title,
        numbers=tuple(map(describe_growth, grown[:_MAX_NAMED])),
        next_step=next_step,
        share=share,
    )


def describe_growth(growth: StatementGrowth) -> str:
    """Calls and time for each success on both sides, then the statement."""
    head, base = (
        f"{number} call{'' if number == '1' else 's'} and {format_number(ms)} ms"
        for number, ms in (
            (format_number(growth.head_calls), growth.head_ms),
            (format_number(growth.base_calls), growth.base_ms),
        )
    )
    return f"for each success {head} on head, {base} on base: {growth.query}"
