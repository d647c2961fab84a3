"""The comparison with base as cells, and how it was made in a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from ci_gate.judge.compare.comparison import Change
from ci_gate.judge.compare.duet import NOT_COMPARED, DuetVerdict
from ci_gate.judge.compare.worsening import exceeds
from ci_gate.judge.outcome import WORST_FIRST, Outcome
from ci_gate.report.cells import format_percent
from ci_gate.report.escape import MAX_NAME_LENGTH, clean
from ci_gate.thresholds import ALL_ENDPOINTS, metric_of
from ci_gate.wording import NOTHING, add_sign, count, format_number

_MAX_DIGITS: Final = 10  # after the point: no tolerance is broken by less
_MAX_END_DIGITS: Final = 4  # of an end of an interval
_TWICE: Final = 1.0  # a change of +100 %
_TENTH: Final = 0.1
_HUNDREDTH: Final = 0.01
_MAX_FAILURE: Final = 400
_WEIGHT_OF_ALL: Final = 2.0  # an endpoint that is little worse than all of them says no more than they do


def summarise_duet(duet: DuetVerdict | None) -> str:
    """One cell: the change that says most about the outcome; ``-`` where nothing was to be compared."""
    worst = choose_worst(duet)
    if worst is None:
        return NOTHING if duet is None else "not compared"
    where = "" if worst.endpoint == ALL_ENDPOINTS else f" of {worst.endpoint}"
    return f"{worst.metric}{where} {' '.join(size_change(worst))}"


def choose_worst(duet: DuetVerdict | None) -> Change | None:
    """The change that says most: of those that decided, else of all requests together.

    Latency before other metrics, then what is worst in parts of its tolerance; one endpoint only if it is
    much worse than all of them together. None where there is no change.
    """
    changes = duet.changes if duet else ()
    deciding = [change for change in changes if change.outcome == Outcome.FAIL]
    deciding = deciding or [change for change in changes if change.leaves_open]
    total = [change for change in changes if change.endpoint == ALL_ENDPOINTS]
    return max(deciding or total, key=rank_change, default=None)


def size_change(change: Change) -> tuple[str, str]:
    """``4.2 → 304 ms`` and ``(73x)`` from twice as much on, else ``+12 %`` and ``(+8 to +16)``."""
    if _is_multiple(change):
        base, head = format_sides(change)
        return f"{base} → {head}", f"({format_change(change)})"
    return format_change(change), f"({format_interval(change)})"


def format_sides(change: Change) -> tuple[str, str]:
    """Base's figure without its unit, and head's: ``4.2`` and ``304 ms``."""
    unit = metric_of(change.metric).unit
    return unit.format(change.base).removesuffix(unit.symbol), unit.format(change.head)


def sort_changes(duet: DuetVerdict) -> list[Change]:
    """The worst outcome first, else in the order in which they were asked."""
    return sorted(duet.changes, key=lambda change: WORST_FIRST.index(change.outcome))


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
    load = f"base and head under load together for {duet.duration_s:.0f} s, {analyses}, {alpha}"
    return f"{load}: {duet.outcome}{_describe_confirmation(duet)}"


def _describe_confirmation(duet: DuetVerdict) -> str:
    if duet.confirmation is None:
        return ""
    if duet.confirmation.failure:
        return f"; a second start could not confirm it: {clean(duet.confirmation.failure, _MAX_FAILURE)}"
    if duet.is_confirmed:
        return ", confirmed on a second start"
    return ", for a second start did not confirm what the first one showed"


def describe_starts(change: Change, duet: DuetVerdict) -> str:
    """``+12 %, then +9.8 %``; empty where one start alone decided."""
    start = duet.find_start(change)
    if start is None:
        return ""
    first, second = (
        format_change(msgspec.structs.replace(change, change=read, outcome=Outcome.INCONCLUSIVE))
        for read in (start.first, start.second)
    )
    return f"{first}, then {second}"


def format_change(change: Change) -> str:
    """``+12 %``, ``+2.3 %``; ``73x`` from twice as much on; for a share, percentage points.

    With as many digits as show that a tolerance is broken.
    """
    if _is_multiple(change):
        return _format_multiple(change.change)
    first = _count_digits(change.change)
    sizes = [_format_percentage(change.change, digits) for digits in range(first, _MAX_DIGITS)]
    telling = (size for size in sizes if exceeds(change.metric, float(size) / 100, change.tolerance))
    shown = next(telling, sizes[0]) if change.outcome == Outcome.FAIL else sizes[0]
    return f"{shown} {'pp' if metric_of(change.metric).is_share else '%'}"


def format_interval(change: Change) -> str:
    """``+8 to +17``, ``61x to 87x``: in the unit of the change."""
    if _is_multiple(change):
        return f"{_format_multiple(change.low)} to {_format_multiple(change.high)}"
    digits = _count_digits(max(change.low, change.high, key=abs))
    return " to ".join(_format_end(end, digits) for end in (change.low, change.high))


def _format_end(end: float, digits: int) -> str:
    """An end that is not 0 is not shown as 0: whether the interval has it is what matters."""
    first = digits if abs(end) >= _HUNDREDTH else 1
    sizes = (_format_percentage(end, more) for more in range(first, _MAX_END_DIGITS + 1))
    return next((size for size in sizes if float(size)), "0")


def _format_percentage(ratio: float, digits: int) -> str:
    """``+12.3``, and ``0.0`` without a sign where rounding leaves nothing."""
    return add_sign(ratio, f"{abs(ratio) * 100:.{digits}f}")


def _is_multiple(change: Change) -> bool:
    """Whether ``73x`` reads better than ``+7,200 %``, and shows a broken tolerance as such."""
    is_ratio = not metric_of(change.metric).is_share
    return is_ratio and change.change >= max(_TWICE, 2 * change.tolerance)


def _format_multiple(change: float) -> str:
    return f"{format_number(1 + change)}x"


def _count_digits(change: float) -> int:
    """After the point of a percentage: none from 10 % on."""
    return 0 if abs(change) >= _TENTH else 1


def rank_change(change: Change) -> tuple[bool, bool, float]:
    """How much a change says; the greatest the most."""
    metric = metric_of(change.metric)
    worsening = metric.worse * change.change
    of_tolerance = worsening / change.tolerance if change.tolerance else worsening
    weight = _WEIGHT_OF_ALL if change.endpoint == ALL_ENDPOINTS and of_tolerance > 0 else 1.0
    return change.outcome == Outcome.FAIL, metric.is_percentile, of_tolerance * weight
