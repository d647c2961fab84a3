"""The worst window of a steady phase: what a figure of the whole phase hides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ci_gate.judge.quantiles import compute_quantile
from ci_gate.judge.steady import SteadyPhase
from ci_gate.thresholds import FAILURES, RATE, Metric

STEPS: Final = 10
"""Windows overlap: each begins a tenth of a window after the one before it."""

_MAX_WINDOWS: Final = 5_000
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstWindow:
    """The figure of the worst window that has one, and the fewest samples of any window.

    ``measured`` and when it begins, in seconds of the phase, are None where no window has one.
    """

    measured: float | Fraction | None
    begins_s: float | None
    fewest: int


def find_worst_window(
    metric: Metric, steady: SteadyPhase, rows: NDArray[np.bool_], needed: int
) -> WorstWindow:
    """The worst window of the metric's length, of the requests of ``rows``.

    Windows with fewer than ``needed`` samples have no figure: successes for a percentile, else requests. But
    each has a rate: while a service stands still, nobody sends it enough.
    """
    begins_s = plan_windows(steady.duration_s, metric.over_s or 0.0)
    if not begins_s.size:
        return WorstWindow(measured=None, begins_s=None, fewest=0)
    counted = rows & steady.success if metric.is_percentile else rows
    order = np.argsort(steady.samples["intended_s"][counted], kind="stable")
    times_s = steady.samples["intended_s"][counted][order] - steady.begin_s
    edges = np.searchsorted(times_s, [begins_s, begins_s + (metric.over_s or 0.0)])
    figures: Iterator[float | Fraction | None]
    if metric.is_percentile:
        figures = _percentiles(steady.latency_ms[counted][order], edges, metric.quantile or 0.0)
    else:
        figures = _counts(metric, steady.success[counted][order], edges)
    sizes = (edges[1] - edges[0]).tolist()
    known = [
        (figure, begins)
        for figure, size, begins in zip(figures, sizes, begins_s.tolist(), strict=True)
        if figure is not None and (size >= needed or metric.whole == RATE)
    ]
    measured, begins = max(known, key=lambda each: metric.worse * each[0]) if known else (None, None)
    return WorstWindow(measured=measured, begins_s=begins, fewest=min(sizes))


def plan_windows(duration_s: float, over_s: float) -> NDArray[np.float64]:
    """When each window begins, in seconds of the phase; none where it is shorter. The last ends with it."""
    last_s = duration_s - over_s
    if last_s < -_ROUNDING or not over_s:
        return np.empty(0)
    step_s = max(over_s / STEPS, last_s / _MAX_WINDOWS)
    begins_s = np.arange(0.0, max(last_s, 0.0), step_s)
    return np.append(begins_s, max(last_s, 0.0))


def _percentiles(
    latency_ms: NDArray[np.float64], edges: NDArray[np.intp], quantile: float
) -> Iterator[float | None]:
    for low, high in edges.T:
        yield compute_quantile(latency_ms[low:high], quantile)


def _counts(
    metric: Metric, success: NDArray[np.bool_], edges: NDArray[np.intp]
) -> Iterator[float | Fraction | None]:
    """Shares as fractions, so that equality is exact."""
    good = np.concatenate([[0], np.cumsum(success)])
    for low, high in edges.T.tolist():
        successes, requests = int(good[high] - good[low]), high - low
        if metric.whole == RATE:
            yield successes / (metric.over_s or 1.0)
        else:
            hits = requests - successes if metric.whole == FAILURES else successes
            yield Fraction(hits, requests) if requests else None
