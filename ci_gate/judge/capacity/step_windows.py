"""A load step second by second: what came out of the service, and how much was in it.

Windows, not requests, are drawn anew for the intervals: requests of the same moment share its fate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ci_gate.evidence.readings import StrictValue
from ci_gate.judge.steady import ClassifiedRecording

WINDOW_S: Final = 1.0
MAX_WINDOWS: Final = 3600
DRAWS: Final = 400
CONFIDENCE: Final = 0.95


class Estimate(StrictValue, frozen=True):
    """A value and the interval that holds the true one with probability CONFIDENCE."""

    value: float
    low: float
    high: float


class StepWindow(StrictValue, frozen=True):
    """One window of a step. ``rate_per_s`` counts the successes that ended in it.

    ``in_flight`` is how many requests were with the service, on the average over the window's time: the N of
    Little's law N = X R, and here exact, whenever they began and ended.
    """

    rate_per_s: float
    in_flight: float


def cut_windows(classified: ClassifiedRecording) -> tuple[StepWindow, ...]:
    """Equal windows of the steady phase, of about WINDOW_S, or MAX_WINDOWS longer ones.

    Requests that began before the steady phase and ended in it count: at a steady load as many pass its
    begin as its end, and under overload those that end after it were not served in it.
    """
    samples, success, steady = classified.recording.samples, classified.success, classified.steady
    count = min(int(steady.duration_s / WINDOW_S), MAX_WINDOWS)
    if not count:
        return ()
    edges = np.linspace(steady.begin_s, steady.end_s, count + 1)
    lasted_s = samples["response_ms"] / 1000
    ended = np.histogram(samples["start_s"][success] + lasted_s[success], edges)[0]
    spent_s = np.diff([np.clip(edge - samples["start_s"], 0.0, lasted_s).sum() for edge in edges])
    width_s = steady.duration_s / count
    return tuple(
        StepWindow(rate_per_s=float(number) / width_s, in_flight=float(time_s) / width_s)
        for number, time_s in zip(ended, spent_s, strict=True)
    )


def estimate(value: float, drawn: NDArray[np.float64]) -> Estimate:
    """``value`` with the percentile interval of what the same method gave on windows drawn anew."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Estimate(value=value, low=min(float(low), value), high=max(float(high), value))


def draw_means(
    steps: Sequence[Sequence[StepWindow]], generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean rate and mean number in flight of each step, DRAWS times from windows drawn anew.

    Both have shape (DRAWS, steps) and no zeros. Of n windows n - 1 are drawn with replacement, which makes
    the variance of the mean unbiased (Rao and Wu 1988, J. of the American Statistical Association 83:231).
    """
    rates, in_flight = np.empty((DRAWS, len(steps))), np.empty((DRAWS, len(steps)))
    for column, windows in enumerate(steps):
        values = np.array([(window.rate_per_s, window.in_flight) for window in windows])
        chosen = generator.integers(len(values), size=(DRAWS, max(len(values) - 1, 1)))
        least = values.mean(axis=0) / len(values) / 2  # a logarithm is taken of both
        rates[:, column], in_flight[:, column] = np.maximum(values[chosen].mean(axis=1), least).T
    return rates, in_flight


def draw_scatter(
    residuals: NDArray[np.float64],
    explained: NDArray[np.float64],
    parameters: int,
    generator: np.random.Generator,
) -> NDArray[np.float64]:
    """What steps differ by that their windows do not show: other moments, and a law that does not quite fit.

    ``residuals`` are of the logarithms of the steps' rates, ``explained`` their variance by windows. The
    excess of the one over the other is drawn anew for each step (as Birge widened intervals: 1932, Physical
    Review 40:207), from Student's t, for it is known from few steps. Shape (DRAWS, steps).
    """
    freedom = max(residuals.size - parameters, 1)
    excess = max(float((residuals**2).sum()) / freedom - float(explained.mean()), 0.0)
    drawn: NDArray[np.float64] = generator.standard_t(freedom, size=(DRAWS, residuals.size))
    return drawn * math.sqrt(excess)
