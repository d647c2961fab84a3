"""Whether a change of one metric is for the worse, and what that makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ci_gate.judge.outcome import Outcome
from ci_gate.thresholds import metric_of

if TYPE_CHECKING:
    from ci_gate.judge.compare.comparison import Change

_ROUNDING: Final = 1e-9  # of a change: floats and logarithms add it to 90 of 100, which keeps 10 %


def exceeds(metric: str, change: float, tolerance: float) -> bool:
    """Whether a change is for the worse, and beyond its tolerance; equality keeps a tolerance."""
    return metric_of(metric).worse * change > tolerance + _ROUNDING


def judge_change(change: Change) -> Outcome:
    """By its figures and whether it is real; its own outcome is not asked."""
    metric = metric_of(change.metric)
    within = not exceeds(change.metric, change.change, change.tolerance)
    if change.is_real and not within:
        return Outcome.FAIL
    # Rare stalls are trimmed from the paired effect, and a short peak of memory is averaged away: what the
    # plain figure shows as worse must not pass.
    most = change.base * (1 + change.tolerance + _ROUNDING)
    is_shown_worse = (metric.is_percentile or metric.is_resource) and change.head > most
    is_excluded = metric.worse * change.worst < change.tolerance
    is_clear = is_excluded or (within and change.mde <= change.tolerance)
    return Outcome.PASS if is_clear and not is_shown_worse else Outcome.INCONCLUSIVE
