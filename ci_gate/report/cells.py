"""Numbers as text, the same in every report."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from ci_gate.judge.limits import LimitResult
from ci_gate.judge.outcome import Outcome
from ci_gate.thresholds import metric_of
from ci_gate.thresholds.metrics import MS, PER_S, SHARE
from ci_gate.wording import DIGITS, format_exact

_MAX_DIGITS: Final = 18  # a float has no more
_BOUND_DIGITS: Final = 6
_LONG_NUMBER: Final = re.compile(r"\d{7}")  # GitHub would take it for a commit

format_ms: Final = MS.format
format_rate: Final = PER_S.format
format_share: Final = SHARE.format


def format_measured(limit: LimitResult) -> str:
    """``312 ms``: what was measured for a limit, with as many digits as show on which side of it that is."""
    metric = metric_of(limit.metric)
    show = metric.unit.format
    if limit.measured is None or limit.outcome == Outcome.INVALID:
        return show(limit.measured)
    texts = [show(limit.measured, digits) for digits in range(DIGITS, _MAX_DIGITS)]
    telling = (text for text in texts if _tells(text, limit) and not _LONG_NUMBER.search(text))
    if limit.outcome == Outcome.FAIL and metric.breaks(limit.measured, limit.bound):
        side = "below" if metric.is_floor else "above"
        return next(telling, f"just {side} {show(limit.bound, _BOUND_DIGITS)}")
    return next(telling, texts[0])


def _tells(shown: str, limit: LimitResult) -> bool:
    """Whether the text alone says that the limit is kept, or that it is broken."""
    metric = metric_of(limit.metric)
    size, bound = metric.unit.read(shown), Fraction(repr(limit.bound))
    if shown.startswith("<") and 0 < bound < size:
        return False
    return metric.breaks(size, bound) is (limit.outcome != Outcome.PASS)


def format_bound(limit: LimitResult) -> str:
    """``at most 200ms``, ``at least 50/s``; the bound as its author wrote it."""
    return f"at {'least' if limit.is_floor else 'most'} {limit.text}"


def format_percent(ratio: float) -> str:
    """``12.5 %`` for the ratio 0.125, with all of its digits: somebody has written it."""
    return f"{format_exact(ratio * 100)} %"
