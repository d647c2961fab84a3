"""The universal scalability law: throughput as a function of how many requests are with the service.

    X(N) = lambda * N / (1 + sigma * (N - 1) + kappa * N * (N - 1))

lambda is the throughput of one request at a time, sigma the share that must queue for something (contention),
kappa the price of keeping each consistent with each other (coherency); with kappa above 0 throughput peaks at
N = sqrt((1 - sigma) / kappa) and falls beyond (Gunther 1993, A Simple Capacity Model of Massively Parallel
Transaction Systems, CMG; 2007, Guerrilla Capacity Planning, chapters 4 to 6). N is not the number of users,
who mostly wait by themselves: it is the mean number of requests in flight, N = X R by Little's law.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ci_gate.evidence.readings import StrictValue
from ci_gate.judge.capacity.load_step import Step
from ci_gate.judge.capacity.step_windows import CONFIDENCE, Estimate, draw_means, draw_scatter, estimate

MIN_LOADS: Final = 5
"""Three parameters need three numbers, and what they are worth needs two loads more."""

_PARAMETERS: Final = 3
_MIN_IN_FLIGHT: Final = 1e-6
_ZERO_S: Final = 1e-12
_REWEIGHTED: Final = 4
_NEGLIGIBLE: Final = 0.01
_CURVE_POINTS: Final = 60


class CurvePoint(StrictValue, frozen=True):
    """One point of the fitted curve; ``load`` is None where the workload is open.

    At N in flight and a rate of X, a closed workload has N + X Z users: Z is what they were seen to wait.
    """

    in_flight: float
    load: float | None
    rate_per_s: Estimate


class Scalability(StrictValue, frozen=True):
    """The law's parameters. ``peak_in_flight`` is None where kappa is not distinct from 0: no peak was seen.

    ``scatter`` is the typical relative distance of the steps from the curve; ``in_flight`` the smallest and
    the largest that were measured. Whatever lies outside of them is an extrapolation.
    """

    lambda_per_s: Estimate
    sigma: Estimate
    kappa: Estimate
    peak_in_flight: Estimate | None
    in_flight: tuple[float, float]
    scatter: float
    curve: tuple[CurvePoint, ...]

    @property
    def peak_is_measured(self) -> bool:
        return self.peak_in_flight is not None and self.peak_in_flight.value <= self.in_flight[1]


def fit_scalability(
    steps: Sequence[Step], generator: np.random.Generator, *, is_open: bool
) -> Scalability | str:
    """The law fitted to all steps that can be trusted, or in words why it cannot be.

    Least squares with lambda > 0, 0 <= sigma <= 1 and kappa >= 0; the intervals from the same fit on windows
    drawn anew.
    """
    chosen = sorted(
        (step for step in steps if step.is_measured), key=lambda step: (step.in_flight, step.name)
    )
    if len({step.load for step in chosen}) < MIN_LOADS:
        return f"the law takes {MIN_LOADS} loads that were measured well"
    rates = np.array([step.rate_per_s for step in chosen])
    in_flight = np.maximum([step.in_flight for step in chosen], _MIN_IN_FLIGHT)
    law = _fit(in_flight, rates)
    residuals = np.log(rates / _predict(in_flight, law))
    drawn_rates, drawn_in_flight = draw_means([step.windows for step in chosen], generator)
    explained = np.log(drawn_rates / _predict(drawn_in_flight, law)).var(axis=0)
    drawn_rates = drawn_rates * np.exp(draw_scatter(residuals, explained, _PARAMETERS, generator))
    laws = np.array([_fit(*pair) for pair in zip(drawn_in_flight, drawn_rates, strict=True)])
    lambda_per_s, sigma, kappa = (
        estimate(float(value), drawn)
        for value, drawn in zip(_name_parameters(law), _name_parameters(laws), strict=True)
    )
    return Scalability(
        lambda_per_s=lambda_per_s,
        sigma=sigma,
        kappa=kappa,
        peak_in_flight=_find_peak(law, laws, float(in_flight[-1])),
        in_flight=(float(in_flight[0]), float(in_flight[-1])),
        scatter=float(np.sqrt((residuals**2).sum() / max(len(chosen) - _PARAMETERS, 1))),
        curve=_draw_curve(law, laws, chosen, is_open=is_open),
    )


def _fit(in_flight: NDArray[np.float64], rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """The three times in s of which the law is made, each 0 or more.

    Written for the response time, R = N / X = alone + N * queued + N (N - 1) * crossed, the law is linear,
    with lambda = 1 / (alone + queued), sigma = lambda * queued, kappa = lambda * crossed. So the least
    squares of the relative error have one minimum, and Lawson and Hanson's method finds it. Below N = 1
    nobody meets anybody, and the last term is 0.
    """
    from scipy.optimize import nnls

    times_s = in_flight / rates
    terms = np.column_stack([np.ones_like(in_flight), in_flight, in_flight * np.maximum(in_flight - 1, 0)])
    weights = 1 / times_s
    for _ in range(_REWEIGHTED):  # relative to the curve: relative to what was measured is biased
        law, _ = nnls(terms * weights[:, np.newaxis], times_s * weights)
        weights = 1 / np.maximum(terms @ law, _ZERO_S)
    return np.asarray(law)


def _predict(in_flight: NDArray[np.float64], law: NDArray[np.float64]) -> NDArray[np.float64]:
    """Successes per second; ``law`` has the three times in its last axis."""
    alone, queued, crossed = (law[..., column, np.newaxis] for column in range(_PARAMETERS))
    rates: NDArray[np.float64] = in_flight / (
        alone + in_flight * queued + in_flight * np.maximum(in_flight - 1, 0) * crossed
    )
    return rates


def _name_parameters(law: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """lambda, sigma and kappa."""
    lambda_per_s = 1 / np.maximum(law[..., 0] + law[..., 1], _ZERO_S)
    return lambda_per_s, law[..., 1] * lambda_per_s, law[..., 2] * lambda_per_s


def _find_peak(law: NDArray[np.float64], laws: NDArray[np.float64], largest: float) -> Estimate | None:
    """None unless nearly every draw has a kappa that is felt at the largest number in flight."""
    _, _, kappas = _name_parameters(laws)
    if np.quantile(kappas, (1 - CONFIDENCE) / 2) * largest * (largest - 1) <= _NEGLIGIBLE:
        return None
    peak, peaks = (np.sqrt(each[..., 0] / np.maximum(each[..., 2], _ZERO_S)) for each in (law, laws))
    return estimate(float(peak), peaks)


def _draw_curve(
    law: NDArray[np.float64], laws: NDArray[np.float64], steps: Sequence[Step], *, is_open: bool
) -> tuple[CurvePoint, ...]:
    """Within what was measured, evenly spaced on the scale of the loads, which are geometric."""
    fewest, most = (max(step.in_flight, _MIN_IN_FLIGHT) for step in (steps[0], steps[-1]))
    in_flight = np.geomspace(fewest, most, _CURVE_POINTS)
    wait_s = float(np.median([(step.load - step.in_flight) / step.rate_per_s for step in steps]))
    return tuple(
        CurvePoint(
            in_flight=float(number),
            load=None if is_open else float(number) + float(rate) * wait_s,
            rate_per_s=estimate(float(rate), drawn),
        )
        for number, rate, drawn in zip(
            in_flight, _predict(in_flight, law), _predict(in_flight, laws).T, strict=True
        )
    )
