"""When a running comparison may be decided, and how much of its error budget each moment spends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

SPENDING_EXPONENT: Final = 2.0
MIN_INTERIM_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class InterimAnalysis:
    """A planned moment of decision: after ``duration_s`` of steady load, with ``alpha`` of the budget."""

    duration_s: float
    alpha: float
    share: float  # of the longest duration
    is_last: bool


def plan_interim(max_duration_s: float, alpha: float, count: int = 3) -> tuple[InterimAnalysis, ...]:
    """At most ``count`` analyses, equally spaced by `MIN_INTERIM_S` of load or more; always one at the end.

    Analysis k of K spends alpha((k/K)^rho - ((k-1)/K)^rho), the power family of Kim and DeMets (1987), rho =
    `SPENDING_EXPONENT`. Each is spent in full (Bonferroni), so that nothing is assumed about how analyses
    depend on each other.
    """
    count = max(1, min(count, int(max_duration_s / MIN_INTERIM_S)))
    shares = np.arange(count + 1) / count
    spent = np.diff(alpha * shares**SPENDING_EXPONENT)
    return tuple(
        InterimAnalysis(
            duration_s=max_duration_s * float(shares[k + 1]),
            alpha=float(spent[k]),
            share=float(shares[k + 1]),
            is_last=k + 1 == count,
        )
        for k in range(count)
    )
