"""What a limit or a tolerance is of: the unit, how a figure is written, and which way is worse.

A new one is an entry in METRICS, how it is counted (`ci_gate.judge.limits.read_figure`), and its key in
thresholds.schema.json.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Final

from ci_gate.thresholds.quantities import parse_duration_ms, parse_mib, parse_rate_per_s, parse_share
from ci_gate.wording import DIGITS, NOTHING, format_exact, format_number

_PERCENTILE: Final = re.compile(r"p((?:[1-9][0-9]?(?:\.[0-9]{0,2}[1-9])?|0\.[0-9]{0,2}[1-9]))")
_WORST: Final = re.compile(r"worst (\S{1,10}) over ([1-9][0-9]{0,5}(?:\.[0-9]{1,9})?)s")
_MAX_NAME: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What figures are in: ``factor`` times a figure is the number that stands before ``symbol``.

    ``parse`` reads a figure as thresholds.yaml writes it. A figure that is not 0 but below ``smallest`` is
    shown as less than that.
    """

    symbol: str
    parse: Callable[[str], float]
    factor: int = 1
    smallest: float = 0.0

    def format(self, value: float | None, digits: int = DIGITS) -> str:
        """``312 ms``, ``1,234/s``, ``< 0.01 %``; ``-`` for None. With 3 digits it is easy to read."""
        if value is None:
            return NOTHING
        if 0 < value < self.smallest and digits == DIGITS:
            return f"< {format_number(self.smallest * self.factor)}{self.symbol}"
        return f"{format_number(value * self.factor, digits)}{self.symbol}"

    def write(self, value: float | Fraction) -> str:
        """``312ms``, ``0.5%``: as thresholds.yaml writes it, with six decimals at most."""
        return f"{format_exact(round(float(value * self.factor), 6))}{self.symbol.strip()}"

    def read(self, shown: str) -> Fraction:
        """The figure that a text of `format` shows; where it shows "less than", that bound."""
        return Fraction(shown.removeprefix("< ").removesuffix(self.symbol).replace(",", "")) / self.factor


MS: Final = Unit(symbol=" ms", parse=parse_duration_ms)
PER_S: Final = Unit(symbol="/s", parse=parse_rate_per_s)
MIB: Final = Unit(symbol=" MiB", parse=parse_mib)
COUNT: Final = Unit(symbol="", parse=float)
SHARE: Final = Unit(symbol=" %", parse=parse_share, factor=100, smallest=0.0001)
"""From 0 to 1, shown in percent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What a limit or a tolerance is of. Limits on a floor are broken below it, on all others above it.

    ``quantile`` is 0.99 for p99, None where the metric is no percentile. ``over_s`` is how long the windows
    are of whose figures the worst counts; None where the figure is of the whole phase.
    A resource is of the service as a whole, and so of all requests together only.
    """

    name: str
    unit: Unit
    is_floor: bool = False
    quantile: float | None = None
    over_s: float | None = None
    is_resource: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def is_percentile(self) -> bool:
        """Whether it is one of the response times of successes."""
        return self.quantile is not None

    @property
    def is_share(self) -> bool:
        """Whether it is a share of requests, which a change moves by percentage points."""
        return self.unit is SHARE

    @property
    def whole(self) -> Metric:
        """The same of the whole phase; of a metric that has no windows, itself."""
        return self if self.over_s is None else metric_of(self.name.split()[1])

    @property
    def worse(self) -> int:
        """The sign of a change for the worse: -1 for a floor, else 1."""
        return -1 if self.is_floor else 1

    def breaks(self, measured: float | Fraction, bound: float | Fraction) -> bool:
        """Whether a figure is on the worse side of a bound; equality is not."""
        return measured < bound if self.is_floor else measured > bound


FAILURES: Final = Metric(name="failures", unit=SHARE)
SUCCESSES: Final = Metric(name="successes", unit=SHARE, is_floor=True)
RATE: Final = Metric(name="rate", unit=PER_S, is_floor=True)
CPU: Final = Metric(name="cpu", unit=MS, is_resource=True)
"""CPU time of the service, or of all that cpu_of names, for each success."""
MEMORY: Final = Metric(name="memory", unit=MIB, is_resource=True)
"""The most memory of its own that the service held."""
STATEMENTS: Final = Metric(name="statements", unit=COUNT, is_resource=True)
"""Statements that the database was sent for each success."""
METRICS: Final = {metric.name: metric for metric in (FAILURES, SUCCESSES, RATE, CPU, MEMORY, STATEMENTS)}
"""All but the percentiles, by name."""


def worst_window(metric: Metric, over_s: float) -> Metric:
    """The metric in the worst window of so many seconds: ``worst p95 over 10s``."""
    return metric_of(f"worst {metric.name} over {format_exact(over_s)}s")


@cache
def metric_of(name: str) -> Metric:
    """One of METRICS, a percentile such as ``p99.9``, or either in its worst window (see `worst_window`).

    Raises ValueError for any other name.
    """
    if name in METRICS:
        return METRICS[name]
    if worst := _WORST.fullmatch(name):
        inner = metric_of(worst[1])
        if not inner.is_resource:
            return replace(inner, name=name, over_s=float(worst[2]))
    percentile = _PERCENTILE.fullmatch(name)
    if percentile is None:
        raise ValueError(f"{name[:_MAX_NAME]!r} is no metric")
    return Metric(name=name, unit=MS, quantile=float(Decimal(percentile[1]) / 100))


POSTGRES: Final = "postgres"
"""The name of PostgreSQL among probes, and in cpu_of."""

DEFAULT_CPU_OF: Final = ("service",)
"""Whose CPU counts for each success where the file does not say it."""
