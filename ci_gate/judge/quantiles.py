"""Exact percentiles, and how many samples it takes to speak of one."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Final, TypedDict

import numpy as np
from numpy.typing import NDArray

MIN_TAIL_SAMPLES: Final = 10
"""Samples that must lie beyond a percentile for it to be judged; with fewer, one slow reply moves it."""


def compute_quantile(values: NDArray[np.float64], quantile: float) -> float | None:
    """The quantile (0 to 1) of all values by linear interpolation, numpy's default; None without values.

    Hyndman and Fan (1996), definition 7.
    """
    return float(np.quantile(values, quantile)) if values.size else None


class Percentiles(TypedDict):
    """Those that every row of a table has, in ms; None where there are no values."""

    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


def compute_percentiles(times_ms: NDArray[np.float64]) -> Percentiles:
    """Those of a row, to be given to it by name. It puts the times in another order."""
    if not times_ms.size:
        return Percentiles(p50_ms=None, p95_ms=None, p99_ms=None)
    p50_ms, p95_ms, p99_ms = np.quantile(times_ms, (0.50, 0.95, 0.99), overwrite_input=True).tolist()
    return Percentiles(p50_ms=p50_ms, p95_ms=p95_ms, p99_ms=p99_ms)


def needed_samples(quantile: float) -> int:
    """The least n with n(1 - quantile) >= MIN_TAIL_SAMPLES: 1,000 for p99, 20 for p50."""
    beyond = 1 - Fraction(repr(float(quantile)))  # of the decimal: 10 / (1 - 0.99) is 1000.0000000000009
    return math.ceil(MIN_TAIL_SAMPLES / beyond)


def count_needed(quantile: float | None) -> int:
    """The fewest samples that prove a metric: ``quantile`` is None for one that is no percentile."""
    return MIN_TAIL_SAMPLES if quantile is None else needed_samples(quantile)
