"""Where a series changes its level: e-divisive, with a permutation test.

Matteson and James 2014, A nonparametric approach for multiple change point analysis of multivariate data,
JASA 109:334. It asks nothing of the values' distribution. For a split of a stretch into X (n values) and Y
(m values):

    Q = 2 / (n + m) * (sum |x - y|  -  m / (n - 1) * sum |x - x'|  -  n / (m - 1) * sum |y - y'|)

over all pairs between the sides and within each of them. X begins where the stretch does; where Y ends is
searched as well. The best split of all stretches is a change point if no shuffle of the values within their
stretches has one that is as good. Then both of its sides are stretches, and so on.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SHUFFLES: Final = 999
LEVEL: Final = 1 / (SHUFFLES + 1)
"""Probability with which a series without a change shows one: that of the best split of all shuffles."""

MIN_RUNS_OF_A_LEVEL: Final = 5
"""Fewer runs on a side prove no level: a bad hour of a hosted machine lasts as long."""


def find_change_points(
    values: Sequence[float], *, seed: int = 1, shuffles: int = SHUFFLES, shortest: int = MIN_RUNS_OF_A_LEVEL
) -> tuple[int, ...]:
    """The places at which a new level begins, in order; never 0. The same values and seed give the same.

    A side of a split has ``shortest`` values at least.
    """
    series = np.asarray(values, dtype=np.float64)
    draw = np.random.default_rng(seed)
    borders = [0, len(series)]
    while True:
        best, at = _find_best(series, borders, shortest)
        if at is None or not _is_significant(series, borders, best, draw, shuffles, shortest):
            return tuple(borders[1:-1])
        borders = sorted([*borders, at])


def find_best_split(values: NDArray[np.float64], shortest: int = 1) -> tuple[float, int | None]:
    """The greatest Q of any split of one stretch, and where Y begins; None where it is too short for any."""
    size = len(values)
    if size < 2 * shortest or size < 2:  # noqa: PLR2004 - two sides
        return -np.inf, None
    sums = np.zeros((size + 1, size + 1))
    distances = np.abs(values[:, None] - values[None, :])
    sums[1:, 1:] = distances.cumsum(axis=0).cumsum(axis=1)  # [i, j]: of the pairs before i and before j
    split = np.arange(1, size)[:, None]  # n
    end = np.arange(2, size + 1)[None, :]  # n + m
    own = np.diagonal(sums)
    left, across = own[1:size, None] / 2, sums[1:size, 2:] - own[1:size, None]
    right = own[None, 2:] / 2 - left - across
    rest = end - split  # m
    quality = (2 / end) * (
        across - rest / np.maximum(split - 1, 1) * left - split / np.maximum(rest - 1, 1) * right
    )
    quality[(rest < shortest) | (split < shortest)] = -np.inf
    place = int(np.argmax(quality))
    return float(quality.flat[place]), place // (size - 1) + 1


def _find_best(
    series: NDArray[np.float64], borders: Sequence[int], shortest: int
) -> tuple[float, int | None]:
    found = [
        (best, None if at is None else begin + at)
        for begin, end in pairwise(borders)
        for best, at in [find_best_split(series[begin:end], shortest)]
    ]
    return max(found, key=lambda each: each[0])


def _is_significant(
    series: NDArray[np.float64],
    borders: Sequence[int],
    best: float,
    draw: np.random.Generator,
    shuffles: int,
    shortest: int,
) -> bool:
    """One shuffle with as good a split is enough to say no, so most series need few."""
    rounding = 1e-9 * max(abs(best), 1e-300)
    for _ in range(shuffles):
        shuffled = np.concatenate([draw.permutation(series[begin:end]) for begin, end in pairwise(borders)])
        if _find_best(shuffled, borders, shortest)[0] >= best - rounding:
            return False
    return True
