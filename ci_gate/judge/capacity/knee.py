"""The knee: the load beyond which more of it brings no more throughput, and only longer waits.

A service in which no request waits yet serves every user at the same pace: throughput is the load times
``per_load``. One that is saturated serves at its ceiling, whatever the load. These two asymptotes of
throughput bound every closed workload, and the knee is the load at which they cross::

    knee = ceiling / per_load = (R + Z) * Xmax

with R the response time while nothing waits, Z the time a user waits between requests, Xmax the ceiling
(Denning and Buzen 1978, The Operational Analysis of Queueing Network Models, ACM Computing Surveys 10:225,
"saturation point"; Muntz and Wong 1974). Nothing of R, Z or the service is assumed: both asymptotes come from
the measured rates, as the least squares of log(rate) against log(min(load * per_load, ceiling)).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ci_gate.evidence.readings import StrictValue
from ci_gate.judge.capacity.load_step import Step
from ci_gate.judge.capacity.step_windows import Estimate, draw_means, draw_scatter, estimate

MIN_LOADS: Final = 4
"""Two asymptotes need two numbers, and what they are worth needs two loads more."""

FLAT_FROM: Final = 0.8
"""Of a load: a knee below it is surely exceeded by that load, and one above it might be its scatter."""

_FALLEN: Final = 0.9  # of the highest rate: below it, beyond the peak, throughput falls and has no ceiling
_FINENESS: Final = 0.005
_BELOW, _BEYOND = 2.0, 4.0  # how far outside the measured loads a fit may put it, which then is "not seen"


class Knee(StrictValue, frozen=True):
    """The knee in the unit of the load; the ceiling and ``per_load`` in successes per second."""

    load: Estimate
    ceiling_per_s: Estimate
    per_load_per_s: Estimate


def find_knee(steps: Sequence[Step], generator: np.random.Generator) -> Knee | str:
    """The knee with its interval, or in words why there is none.

    It counts as seen only if its whole interval lies within the measured loads, it lies below FLAT_FROM of
    the largest one, and replies had become slower there than at the lightest. Steps beyond the peak whose
    rate has fallen by more than a tenth are left out: what falls has no ceiling.
    """
    chosen = _before_the_fall(steps)
    loads = np.array([step.load for step in chosen])
    if len(np.unique(loads)) < MIN_LOADS:
        return f"a knee takes {MIN_LOADS} loads that were measured well; there were {len(np.unique(loads))}"
    rates = np.array([step.rate_per_s for step in chosen])
    (load,), (per_load,) = _cross(loads, np.log(rates)[np.newaxis])
    drawn = np.log(draw_means([step.windows for step in chosen], generator)[0])
    residuals = np.log(rates) - np.log(np.minimum(loads, load) * per_load)
    drawn = drawn + draw_scatter(residuals, drawn.var(axis=0), 2, generator)
    drawn_loads, drawn_per_load = _cross(loads, drawn)
    knee = Knee(
        load=estimate(float(load), drawn_loads),
        ceiling_per_s=estimate(float(load * per_load), drawn_loads * drawn_per_load),
        per_load_per_s=estimate(float(per_load), drawn_per_load),
    )
    return _doubt(knee, chosen) or knee


def locate_knee(steps: Sequence[Step]) -> float | None:
    """About where it is, without an interval; None for too few loads."""
    chosen = _before_the_fall(steps)
    loads = np.array([step.load for step in chosen])
    if len(np.unique(loads)) < MIN_LOADS:
        return None
    return float(_cross(loads, np.log([[step.rate_per_s for step in chosen]]))[0][0])


def _before_the_fall(steps: Sequence[Step]) -> list[Step]:
    """By load, so that the order in which they were measured does not matter."""
    measured = sorted((step for step in steps if step.is_measured), key=lambda step: (step.load, step.name))
    peak = max(measured, key=lambda step: step.rate_per_s, default=None)
    return [
        step
        for step in measured
        if peak and (step.load <= peak.load or step.rate_per_s >= _FALLEN * peak.rate_per_s)
    ]


def _cross(
    loads: NDArray[np.float64], log_rates: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where the asymptotes cross, and the rate per load below it, for each row of ``log_rates``.

    Given the knee, the best rate per load is the mean of what is left: so that one number remains, and a grid
    over it finds the best of all.
    """
    lowest, highest = np.log(loads.min() / _BELOW), np.log(loads.max() * _BEYOND)
    knees = np.exp(np.arange(lowest, highest, _FINENESS))
    shapes = np.log(np.minimum(loads, knees[:, np.newaxis]))
    centred = shapes - shapes.mean(axis=1, keepdims=True)
    rest = log_rates - log_rates.mean(axis=1, keepdims=True)
    best = ((centred**2).sum(axis=1) - 2 * rest @ centred.T).argmin(axis=1)
    return knees[best], np.exp(log_rates.mean(axis=1) - shapes.mean(axis=1)[best])


def _doubt(knee: Knee, steps: Sequence[Step]) -> str | None:
    """``steps`` are in the order of their loads."""
    lightest, heaviest = steps[0], steps[-1]
    if knee.load.high > heaviest.load or knee.load.value > FLAT_FROM * heaviest.load:
        return f"throughput still grew with the load up to the largest one, {heaviest.load:,.0f}"
    if knee.load.low < lightest.load:
        return f"throughput did not grow from the lightest load, {lightest.load:,.0f}, on"
    slowest = max((step.p50_ms or 0.0 for step in steps if step.load > knee.load.value), default=0.0)
    if slowest <= (lightest.p50_ms or 0.0):
        return "throughput stopped growing while replies were as fast as before: the load did not arrive"
    return None
