"""Which bound the scatter between runs supports: one that the next run of equal code breaks 1 time in 100."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction
from typing import Final

from ci_gate.judge.distributions import most_hits, t_quantile
from ci_gate.judge.limits import Figure
from ci_gate.thresholds import FAILURES, RATE, Metric

MIN_RUNS: Final = 3
"""With two, Student's t has one degree of freedom, and supports 140 times their scatter."""

FALSE_ALARMS: Final = 0.01
"""How often the next run may break a limit though nothing has changed."""

MIN_MARGIN: Final = 0.25
"""Above the slowest run, however little the runs scatter: runs of one hour know one hour. Under CPU noise two
starts of one version differed by 12 % at p50 and 19 % at p95 (root mean square), so that one start of 100 is
20 to 30 % above the mean."""

MIN_RESOURCE_MARGIN: Final = 0.1
"""Above the run that used most: CPU per success of two starts differed by 2.8 % under the same noise."""

MIN_RATE_MARGIN: Final = 0.05
"""Below the lowest run: the rate of a closed workload is mostly that of its users, and scatters little."""

MAX_TIMES: Final = 3.0
"""A bound that is more times the worst run than this says that the runs scatter, and limits nothing."""

_CLOCK_MS: Final = 1e-3  # the finest response time, whose logarithm there is
_DIGITS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """What runs show of one metric, in its unit.

    ``lowest`` to ``highest`` holds the median of all such runs with probability 1 - 2^(1 - runs).
    ``bound`` is the limit that they support, None with fewer than `MIN_RUNS`. ``margin`` is how far the
    worst run is from it: a share of that run's figure, of failures a share of the requests.
    """

    runs: int
    samples: int
    median: float
    lowest: float
    highest: float
    bound: float | None = None
    margin: float | None = None

    def is_too_wide(self, metric: Metric) -> bool:
        """Whether the bound is so far from the worst run that it limits nothing."""
        if self.bound is None or metric.is_share:
            return False
        if metric.is_floor:
            return self.bound * MAX_TIMES < self.lowest
        return self.bound > MAX_TIMES * self.highest


def find_support(
    metric: Metric, figures: Sequence[Figure], next_requests: int | None = None
) -> Support | None:
    """The support of at least one figure; None where one was not measured, or the metric is no such.

    ``next_requests`` is how many the next run will have at least, in which one failure weighs most; without,
    as many as the smallest of these.
    """
    measured = [figure.measured for figure in figures if figure.measured is not None]
    if not measured or len(measured) < len(figures):
        return None
    least = min(next_requests or figure.samples for figure in figures)
    bound = _find_bound(metric, figures, [float(value) for value in measured], least)
    worst = min(measured) if metric.is_floor else max(measured)
    return Support(
        runs=len(figures),
        samples=sum(figure.samples for figure in figures),
        median=statistics.median(map(float, measured)),
        lowest=float(min(measured)),
        highest=float(max(measured)),
        bound=bound,
        margin=None if bound is None else _margin(metric, bound, float(worst)),
    )


def _find_bound(
    metric: Metric, figures: Sequence[Figure], measured: Sequence[float], next_requests: int
) -> float | None:
    if len(figures) < MIN_RUNS:
        return None
    if metric == FAILURES:
        return _bound_failures(figures, next_requests)
    if metric.is_percentile or metric.is_resource:
        margin = MIN_RESOURCE_MARGIN if metric.is_resource else MIN_MARGIN
        most = max(predict(measured, worse=1), max(measured) * (1 + margin))
        return round_out(max(most, _CLOCK_MS), is_up=True)
    if metric == RATE and min(measured) > 0:
        return round_out(min(predict(measured, worse=-1), min(measured) * (1 - MIN_RATE_MARGIN)), is_up=False)
    return None


def predict(measured: Sequence[float], *, worse: int) -> float:
    """What the next figure is beyond, in the direction ``worse`` (1 or -1), with `FALSE_ALARMS` at most.

    For figures whose logarithms are normal: mean + t s sqrt(1 + 1/n), Hahn and Meeker (1991), Statistical
    Intervals, 4.7; exact for any number of figures.
    """
    logs = [math.log(max(value, _CLOCK_MS)) for value in measured]
    return math.exp(statistics.fmean(logs) + worse * next_deviation(logs))


def next_deviation(values: Sequence[float]) -> float:
    """How far above the mean of normal values the next one may be, with `FALSE_ALARMS` at most."""
    size = len(values)
    return t_quantile(1 - FALSE_ALARMS, size - 1) * statistics.stdev(values) * math.sqrt(1 + 1 / size)


def _bound_failures(figures: Sequence[Figure], next_requests: int) -> float:
    hits = [round((figure.measured or 0) * figure.samples) for figure in figures]
    least, total = max(next_requests, 1), sum(figure.samples for figure in figures)
    worst = max(Fraction(each, figure.samples) for each, figure in zip(hits, figures, strict=True))
    share = max(Fraction(most_hits(sum(hits), total, least, FALSE_ALARMS), least), worst)
    return min(round_out(float(share), is_up=True), 1.0)


def round_out(value: float, *, is_up: bool, digits: int = _DIGITS) -> float:
    """To so many digits, away from what was measured."""
    exact = Decimal(format(value, ".12g"))  # of 3 x 1.1, which is 3.3000000000000003
    step = Decimal(1).scaleb(exact.adjusted() - digits + 1)
    return float((exact / step).to_integral_value(ROUND_CEILING if is_up else ROUND_FLOOR) * step)


def _margin(metric: Metric, bound: float, worst: float) -> float:
    if metric.is_share:
        return bound - worst
    return abs(bound - worst) / worst if worst else 0.0
