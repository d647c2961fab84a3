"""Judges each absolute limit on the steady phase of head."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from ci_gate.evidence.ranges import Count, Quantity
from ci_gate.evidence.readings import StrictValue
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.quantiles import compute_quantile, count_needed
from ci_gate.judge.steady import SteadyPhase
from ci_gate.judge.summary import EndpointSummary
from ci_gate.judge.worst_window import find_worst_window
from ci_gate.thresholds import FAILURES, RATE, SUCCESSES, Limit, Metric, metric_of


class LimitResult(StrictValue, frozen=True):
    """One limit and what was measured, both in the limit's unit (ms, share, per second).

    ``outcome``: PASS, FAIL, or INVALID for want of samples. ``samples`` are the successes for a latency, else
    all requests; ``needed`` is how many of them the metric takes.
    """

    endpoint: str
    metric: str
    bound: Quantity
    text: str
    line: Count | None
    measured: Quantity | None
    samples: Count
    needed: Count
    outcome: Outcome
    begins_s: Quantity | None = None  # of the worst window, in seconds of the steady phase

    def __post_init__(self) -> None:
        metric_of(self.metric)

    @property
    def is_floor(self) -> bool:
        """Whether less than the bound breaks it."""
        return metric_of(self.metric).is_floor

    @property
    def lacks_readings(self) -> bool:
        """Whether there were samples enough, and what they used could not be read."""
        return self.measured is None and self.samples >= self.needed


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What was measured for a limit, and on how many samples; None where nothing was.

    Of windows, ``measured`` is of the worst that has a figure, and ``samples`` are those of the one with the
    fewest. A share is a fraction of counts, so that equality is exact: in floating point,
    1 - 990/1000 is above 1 %.
    """

    measured: float | Fraction | None
    samples: int
    begins_s: float | None = None  # the worst window, in seconds of the phase


def judge_limit(limit: Limit, steady: SteadyPhase, summaries: Iterable[EndpointSummary]) -> LimitResult:
    """Compare one limit with the steady phase, of which there are ``summaries``; equality keeps a limit."""
    return judge_figure(limit, measure_figure(limit.endpoint, limit.metric, steady, summaries))


def measure_figure(
    endpoint: str, metric: Metric, steady: SteadyPhase, summaries: Iterable[EndpointSummary]
) -> Figure:
    """What the steady phase, of which there are ``summaries``, shows of one metric of an endpoint."""
    row = find_row(summaries, endpoint)
    if row is None:
        return Figure(measured=None, samples=0)
    if metric.over_s is not None:
        return measure_worst_window(endpoint, metric, steady)
    return read_figure(metric, row) or _measure_percentile(endpoint, metric, steady)


def find_row(summaries: Iterable[EndpointSummary], endpoint: str) -> EndpointSummary | None:
    """The endpoint's row of the table, None where it has none."""
    return next((row for row in summaries if row.endpoint == endpoint), None)


def read_figure(metric: Metric, row: EndpointSummary) -> Figure | None:
    """The metric's figure in a row of the endpoints' table; None for what the table does not have."""
    if metric.over_s is not None:
        return None
    if metric.is_percentile:
        times_ms, name = row.percentiles_ms, metric.name
        return Figure(measured=times_ms[name], samples=row.successes) if name in times_ms else None
    if not row.requests:
        return Figure(measured=None, samples=0)
    if metric.is_resource:
        return Figure(measured=row.resources.of(metric) if row.resources else None, samples=row.successes)
    if metric == RATE:
        return Figure(measured=row.rate_per_s, samples=row.requests)
    counts = {FAILURES: row.failures, SUCCESSES: row.successes}
    return Figure(measured=Fraction(counts[metric], row.requests), samples=row.requests)


def _measure_percentile(endpoint: str, metric: Metric, steady: SteadyPhase) -> Figure:
    successes = steady.latency_ms[steady.rows_of(endpoint) & steady.success]
    quantile = metric.quantile
    measured = None if quantile is None else compute_quantile(successes, quantile)
    return Figure(measured=measured, samples=len(successes))


def measure_worst_window(endpoint: str, metric: Metric, steady: SteadyPhase) -> Figure:
    """The metric in its worst window of those that have enough samples."""
    rows, needed = steady.rows_of(endpoint), count_needed(metric.quantile)
    worst = find_worst_window(metric, steady, rows, needed)
    return Figure(measured=worst.measured, samples=worst.fewest, begins_s=worst.begins_s)


def judge_figure(limit: Limit, figure: Figure) -> LimitResult:
    """Compare one limit with what was measured, wherever that comes from."""
    needed = count_needed(limit.metric.quantile)
    measured = figure.measured
    return LimitResult(
        endpoint=limit.endpoint,
        metric=limit.metric.name,
        bound=limit.bound,
        text=limit.text,
        line=limit.at.line if limit.at else None,
        measured=None if measured is None else float(measured),
        samples=figure.samples,
        needed=needed,
        outcome=_compare(limit, figure, needed),
        begins_s=figure.begins_s,
    )


def _compare(limit: Limit, figure: Figure, needed: int) -> Outcome:
    measured = figure.measured
    is_lacking = figure.samples < needed
    if measured is None or (is_lacking and limit.metric.over_s is None):
        return Outcome.INVALID
    bound = limit.exact_bound if isinstance(measured, Fraction) else limit.bound
    if limit.metric.breaks(measured, bound):
        return Outcome.FAIL  # in a window that had enough, whatever others lack
    return Outcome.INVALID if is_lacking else Outcome.PASS
