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
from scipy.optimize import curve_fit

from ci_gate.judge.load_step import Step
from ci_gate.judge.step_windows import Estimate, draw_means, draw_scatter, estimate
from ci_gate.readings import StrictValue

LEAST_STEPS: Final = 4
_PARAMETERS: Final = 3
_FEWEST_IN_FLIGHT: Final = 1e-6
_ZERO: Final = 1e-9
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
    """The law's parameters. ``peak_in_flight`` is None where kappa cannot be told from 0: no peak was seen.

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

    Least squares of the logarithm of the rate, lambda > 0, 0 <= sigma <= 1, kappa >= 0; the intervals from
    the same fit on windows drawn anew.
    """
    chosen = sorted(
        (step for step in steps if step.is_measured), key=lambda step: (step.in_flight, step.name)
    )
    if len({step.load for step in chosen}) < LEAST_STEPS:
        return f"the law takes {LEAST_STEPS} loads that were measured well"
    rates = np.array([step.rate_per_s for step in chosen])
    in_flight = np.maximum([step.in_flight for step in chosen], _FEWEST_IN_FLIGHT)
    fitted = _fit(in_flight, np.log(rates), None)
    residuals = np.log(rates) - _log_rate(in_flight, *fitted)
    drawn_rates, drawn_in_flight = draw_means([step.windows for step in chosen], generator)
    log_rates, drawn_in_flight = np.log(drawn_rates), np.maximum(drawn_in_flight, _FEWEST_IN_FLIGHT)
    explained = (log_rates - _log_rate(drawn_in_flight, *fitted)).var(axis=0)
    log_rates = log_rates + draw_scatter(residuals, explained, _PARAMETERS, generator)
    drawn = np.array([_fit(*pair, fitted) for pair in zip(drawn_in_flight, log_rates, strict=True)])
    return Scalability(
        lambda_per_s=estimate(float(np.exp(fitted[0])), np.exp(drawn[:, 0])),
        sigma=estimate(float(fitted[1]), drawn[:, 1]),
        kappa=estimate(float(fitted[2]), drawn[:, 2]),
        peak_in_flight=_find_peak(fitted, drawn, float(in_flight[-1])),
        in_flight=(float(in_flight[0]), float(in_flight[-1])),
        scatter=float(np.sqrt((residuals**2).sum() / max(len(chosen) - _PARAMETERS, 1))),
        curve=_draw_curve(fitted, drawn, chosen, is_open=is_open),
    )


def _log_rate(
    in_flight: NDArray[np.float64], log_lambda: float, sigma: float, kappa: float
) -> NDArray[np.float64]:
    law: NDArray[np.float64] = log_lambda + np.log(in_flight) - np.log(_denominator(in_flight, sigma, kappa))
    return law


def _denominator(in_flight: NDArray[np.float64], sigma: float, kappa: float) -> NDArray[np.float64]:
    """Below one request in flight it may reach 0 in theory, and nothing measured comes near."""
    return np.maximum(1 + sigma * (in_flight - 1) + kappa * in_flight * (in_flight - 1), _ZERO)


def _slopes(in_flight: NDArray[np.float64], *parameters: float) -> NDArray[np.float64]:
    denominator = _denominator(in_flight, *parameters[1:])
    others = in_flight - 1
    return np.column_stack(
        [np.ones_like(in_flight), -others / denominator, -in_flight * others / denominator]
    )


def _fit(
    in_flight: NDArray[np.float64], log_rates: NDArray[np.float64], start: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """log(lambda), sigma, kappa; what the bounds keep a hair above 0 is 0."""
    if start is None:
        start = np.array([float((log_rates - np.log(in_flight)).max()), 0.1, 1e-4])
    lowest, highest = [-np.inf, 0.0, 0.0], [np.inf, 1.0, np.inf]
    inside = np.clip(start, [-np.inf, 1e-6, _ZERO], [np.inf, 1 - 1e-6, np.inf])
    fitted, _ = curve_fit(
        _log_rate,
        in_flight,
        log_rates,
        p0=inside,
        bounds=(lowest, highest),
        jac=_slopes,
        x_scale=(1.0, 0.1, 1e-3),
        max_nfev=200,
    )
    return np.where(np.abs(fitted) < _ZERO, 0.0, fitted)


def _find_peak(fitted: NDArray[np.float64], drawn: NDArray[np.float64], largest: float) -> Estimate | None:
    """None unless nearly every draw has a kappa that is felt at the largest number in flight."""
    if np.quantile(drawn[:, 2], 0.025) * largest * (largest - 1) <= _NEGLIGIBLE:
        return None
    peaks = np.sqrt((1 - drawn[:, 1]) / np.maximum(drawn[:, 2], _ZERO))
    return estimate(float(np.sqrt((1 - fitted[1]) / fitted[2])), peaks)


def _draw_curve(
    fitted: NDArray[np.float64], drawn: NDArray[np.float64], steps: Sequence[Step], *, is_open: bool
) -> tuple[CurvePoint, ...]:
    """Within what was measured, evenly spaced on the scale of the loads, which are geometric."""
    in_flight = np.geomspace(
        max(steps[0].in_flight, _FEWEST_IN_FLIGHT), max(steps[-1].in_flight, _FEWEST_IN_FLIGHT), _CURVE_POINTS
    )
    wait_s = float(np.median([(step.load - step.in_flight) / step.rate_per_s for step in steps]))
    rates = np.exp(_log_rate(in_flight, *fitted))
    drawn_rates = np.exp([_log_rate(in_flight, *parameters) for parameters in drawn])
    return tuple(
        CurvePoint(
            in_flight=float(number),
            load=None if is_open else float(number) + float(rate) * wait_s,
            rate_per_s=estimate(float(rate), column),
        )
        for number, rate, column in zip(in_flight, rates, drawn_rates.T, strict=True)
    )
