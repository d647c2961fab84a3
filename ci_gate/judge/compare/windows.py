"""Paired effects: what head changed against base, from time windows that both sides lived through together.

An effect lives on the scale on which it is symmetric: log(head/base) for percentiles and rate, head - base
for shares. Its standard error is that of batch means, from batches as long as a block.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ci_gate.evidence.sample_table import group_rows
from ci_gate.judge.distributions import t_quantile, t_tail
from ci_gate.judge.resources import NO_RESOURCES, Resources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

BLOCKS = 24
"""Separate batches behind a standard error: 10 to 30 do (Schmeiser 1982, Operations Research 30:556)."""

TRIM = 0.2
"""Share of the windows trimmed at each end: what a burst did to one side alone."""

MIN_WINDOW_S = 1.0
MIN_BLOCK_S = 2.0
MIN_BLOCKS = 10
"""Fewer blocks with requests of both sides are no comparison."""

FINEST = 1e-9  # no effect is known better than this: keeps constant samples from dividing by zero
_CLOCK_MS = 1e-3  # finest response time a clock tells from 0, whose logarithm there is not


@dataclass(frozen=True, slots=True, kw_only=True)
class SideSamples:
    """Requests of one side in any order; four arrays of one length.

    ``endpoint`` holds codes that index the endpoints' names, ``intended_s`` Unix seconds. ``resources`` are
    those of the service, whichever requests these are.
    """

    endpoint: NDArray[np.integer]
    intended_s: NDArray[np.float64]
    latency_ms: NDArray[np.float64]
    success: NDArray[np.bool_]
    resources: Resources = NO_RESOURCES

    def pick(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> SideSamples:
        """Those of a mask, or those at these places."""
        return SideSamples(
            endpoint=self.endpoint[rows],
            intended_s=self.intended_s[rows],
            latency_ms=self.latency_ms[rows],
            success=self.success[rows],
            resources=self.resources,
        )

    def split(self, count: int) -> Iterator[SideSamples]:
        """The requests of each endpoint, by codes from 0 to ``count``."""
        rows_by_code = dict(group_rows(self.endpoint))
        nothing = np.empty(0, dtype=np.intp)
        return (self.pick(rows_by_code.get(code, nothing)) for code in range(count))

    def pick_successes(self) -> SideSamples:
        """The requests that are successes."""
        return self.pick(self.success)

    def within(self, phase: Phase) -> SideSamples:
        """The requests that were due in the phase."""
        return self.pick((self.intended_s >= phase.begin_s) & (self.intended_s < phase.end_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """The wall-clock span in which both sides were under steady load, in Unix seconds."""

    begin_s: float
    end_s: float

    @property
    def most_blocks(self) -> int:
        return min(BLOCKS, int((self.end_s - self.begin_s) / MIN_BLOCK_S))

    def indices(self, times_s: NDArray[np.float64], count: int) -> NDArray[np.intp]:
        """Which of ``count`` equal windows each time of the phase falls into."""
        share = (times_s - self.begin_s) / (self.end_s - self.begin_s)
        return np.minimum((share * count).astype(np.intp), count - 1)  # share may round up to 1

    def counts(self, times_s: NDArray[np.float64], count: int) -> NDArray[np.int64]:
        return np.bincount(self.indices(times_s, count), minlength=count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What was measured of one metric of one endpoint, before any decision.

    ``base`` and ``head`` are the plain figures over the phase; ``estimate`` is the paired effect, ``df`` the
    degrees of freedom of Student's t for estimate / ``error``.
    """

    base: float
    head: float
    estimate: float
    error: float
    df: float
    windows: int

    def bound(self, tail: float) -> float:
        """How far from the estimate the truth lies with probability ``tail`` at most, on one side."""
        return -t_quantile(tail, self.df) * self.error

    @property
    def p_value(self) -> float:
        """One-sided, in the direction of the estimate: at most 0.5, and the same from base's side."""
        return t_tail(-abs(self.estimate) / self.error, self.df)


def measure_percentile(base: SideSamples, head: SideSamples, quantile: float, phase: Phase) -> Effect | None:
    """Trimmed mean over windows of log(head's quantile / base's quantile), successes only.

    Both sides need `needed_samples` of the quantile; None where too few windows have requests of both.
    """
    sides = base.pick_successes(), head.pick_successes()
    # Rounded, for 100 * (1 - 0.9) is 9.99...8.
    beyond = round(min(side.success.size for side in sides) * (1 - quantile), 6)
    blocks = min(phase.most_blocks, int(beyond))
    # The shorter the windows, the more alike what both sides lived through. But a tail may be made of rare
    # events, which are trimmed away unless a good part of the windows has one; and a window without a request
    # beyond the quantile knows little of it.
    most = int(min((phase.end_s - phase.begin_s) / MIN_WINDOW_S, beyond) / blocks)
    per_block = max(1, min(max(2, round(10 * (1 - quantile))), most))
    logs = [_window_log_quantiles(side, quantile, phase, blocks * per_block) for side in sides]
    differences = logs[1] - logs[0]
    known = np.isfinite(differences)
    known_blocks = int(known.reshape(blocks, per_block).any(axis=1).sum())
    if known_blocks < MIN_BLOCKS:
        return None
    in_batch = max(1, int(known.sum()) // known_blocks)  # a batch spans a block also where windows are empty
    estimate, error, df = trimmed_mean(differences[known], in_batch)
    plain = [float(np.quantile(side.latency_ms, quantile)) for side in sides]
    return Effect(
        base=plain[0], head=plain[1], estimate=estimate, error=error, df=df, windows=blocks * per_block
    )


def measure_rate(base: SideSamples, head: SideSamples, phase: Phase) -> Effect:
    """Log of the ratio of successes; both sides need some."""
    blocks = phase.most_blocks
    per_block = [phase.counts(side.intended_s[side.success], blocks) for side in (base, head)]
    total = [int(counts.sum()) for counts in per_block]
    influence = per_block[1] / total[1] - per_block[0] / total[0]
    duration_s = phase.end_s - phase.begin_s
    return Effect(
        base=total[0] / duration_s,
        head=total[1] / duration_s,
        estimate=float(np.log(total[1]) - np.log(total[0])),
        error=max(error_of_sum(influence), FINEST),
        df=blocks - 1,
        windows=blocks,
    )


def measure_failures(base: SideSamples, head: SideSamples, phase: Phase) -> Effect:
    """Difference of the shares of requests that failed; both sides need requests.

    The error is at least that of independent requests with half a failure added, so that two sides without
    any failure still have an interval.
    """
    blocks = phase.most_blocks
    requests = [phase.counts(side.intended_s, blocks) for side in (base, head)]
    failures = [phase.counts(side.intended_s[~side.success], blocks) for side in (base, head)]
    size = [int(counts.sum()) for counts in requests]
    share = [float(counts.sum() / n) for counts, n in zip(failures, size, strict=True)]
    residual = [(failures[i] - share[i] * requests[i]) / size[i] for i in (0, 1)]
    pooled = (sum(int(counts.sum()) for counts in failures) + 0.5) / (sum(size) + 1)
    independent = float(np.sqrt(pooled * (1 - pooled) * (1 / size[0] + 1 / size[1])))
    return Effect(
        base=share[0],
        head=share[1],
        estimate=share[1] - share[0],
        error=max(error_of_sum(residual[1] - residual[0]), independent),
        df=blocks - 1,
        windows=blocks,
    )


def _window_log_quantiles(
    side: SideSamples, quantile: float, phase: Phase, count: int
) -> NDArray[np.float64]:
    """NaN where the window has no request."""
    index = phase.indices(side.intended_s, count)
    order = np.argsort(index, kind="stable")
    edges = np.searchsorted(index[order], np.arange(count + 1))
    values = side.latency_ms[order]
    quantiles = [
        np.quantile(values[low:high], quantile) if high > low else np.nan for low, high in pairwise(edges)
    ]
    return np.log(np.maximum(quantiles, _CLOCK_MS))


def trimmed_mean(values: NDArray[np.float64], in_batch: int) -> tuple[float, float, float]:
    """Trimmed mean of neighbouring windows, its standard error and degrees of freedom.

    Winsorised sums of Tukey and McLaughlin (1963) and Yuen (1974), their variance from batches that begin at
    every window: Meketon and Schmeiser (1984), Winter Simulation Conference, 227. For independent normal
    windows, overlapping batches of m have 3m^2 / (2m^2 + 1) times the degrees of freedom of separate ones.
    """
    size, blocks = values.size, values.size / in_batch
    ordered = np.sort(values)
    cut = int(TRIM * size)
    winsorised = np.clip(values, ordered[cut], ordered[size - cut - 1])
    batches = np.convolve(winsorised - winsorised.mean(), np.ones(in_batch), "valid")
    sum_of_squares = float(batches @ batches)
    error = size * np.sqrt(sum_of_squares / (in_batch * batches.size * (size - in_batch)))
    overlap = 3 * in_batch**2 / (2 * in_batch**2 + 1)
    df = overlap * (blocks - 2 * int(TRIM * blocks) - 1)
    return float(ordered[cut : size - cut].mean()), max(float(error) / (size - 2 * cut), FINEST), df


def error_of_sum(parts: NDArray[np.number[Any]]) -> float:
    """Standard error of the sum of independent, equally spread parts that add up to about 0."""
    return float(np.std(parts, ddof=1) * np.sqrt(parts.size))
