"""The comparison with base as cells, and how it was made in a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from ci_gate.judge.compare.comparison import Change
from ci_gate.judge.compare.duet import NOT_COMPARED, DuetVerdict
from ci_gate.judge.compare.worsening import exceeds
from ci_gate.judge.outcome import Outcome
from ci_gate.report.cells import format_percent
from ci_gate.report.escape import MAX_NAME_LENGTH, clean
from ci_gate.report.outcome_words import WORDS
from ci_gate.thresholds import ALL_ENDPOINTS, metric_of
from ci_gate.wording import NOTHING, count

CHANGE_HEADERS: Final = (
    "",
    "endpoint",
    "metric",
    "base",
    "head",
    "change",
    "interval",
    "tolerance",
    "detectable",
)
_MAX_DIGITS: Final = 10  # after the point: no tolerance is broken by less


def summarise_duet(duet: DuetVerdict | None) -> str:
    """One cell: of all requests together the change nearest to its tolerance, latency first."""
    if duet is None:
        return NOTHING
    total = [change for change in duet.changes if change.endpoint == ALL_ENDPOINTS]
    if not total:
        return "not compared"
    worst = max(total, key=_rank)
    return f"{worst.metric} {format_change(worst)} ({format_interval(worst)})"


def change_rows(duet: DuetVerdict) -> Iterator[tuple[str, ...]]:
    """The cells under CHANGE_HEADERS for each comparison, broken tolerances first."""
    for change in sorted(duet.changes, key=lambda change: change.outcome != Outcome.FAIL):
        yield (
            WORDS[change.outcome],
            change.endpoint,
            change.metric,
            metric_of(change.metric).unit.format(change.base),
            metric_of(change.metric).unit.format(change.head),
            format_change(change),
            format_interval(change),
            format_percent(change.tolerance),
            f"{change.mde * 100:.1f} %",
        )


def find_missing(duets: Iterable[DuetVerdict | None]) -> str:
    """What kept base and head from being compared in all of ``duets``, in a few words; else empty."""
    why = {
        next((each.message for each in duet.findings if each.code == NOT_COMPARED), "") if duet else ""
        for duet in duets
    }
    first = {re.split(r"[:;]", each, maxsplit=1)[0] for each in why}
    return clean(first.pop(), MAX_NAME_LENGTH) if len(first) == 1 and "" not in first else ""


def describe_duet(duet: DuetVerdict) -> str:
    """How long the comparison took, its false-alarm rate and its outcome, in a sentence."""
    if why := find_missing([duet]):
        return f"not compared with base: {why}"
    analyses = count(duet.analyses, "analysis", "analyses")
    alpha = f"at most {format_percent(duet.alpha)} false alarms"
    return (
        f"base and head under load together for {duet.duration_s:.0f} s, {analyses}, {alpha}: {duet.outcome}"
    )


def format_change(change: Change) -> str:
    """``+12.3 %``; for a share, percentage points. With as many digits as show that a tolerance is broken."""
    sizes = [f"{change.change * 100:+.{digits}f}" for digits in range(1, _MAX_DIGITS)]
    telling = (size for size in sizes if exceeds(change.metric, float(size) / 100, change.tolerance))
    shown = next(telling, sizes[0]) if change.outcome == Outcome.FAIL else sizes[0]
    return f"{shown} {'pp' if metric_of(change.metric).is_share else '%'}"


def format_interval(change: Change) -> str:
    """``+8.1 to +16.5``, in the unit of the change."""
    return f"{change.low * 100:+.1f} to {change.high * 100:+.1f}"


def _rank(change: Change) -> tuple[bool, bool, float]:
    metric = metric_of(change.metric)
    worsening = metric.worse * change.change
    of_tolerance = worsening / change.tolerance if change.tolerance else worsening
    return change.outcome == Outcome.FAIL, metric.is_percentile, of_tolerance
