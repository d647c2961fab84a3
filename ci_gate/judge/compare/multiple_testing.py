"""The level of each question of a family, so that a false alarm in any of them is as rare as asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ci_gate.thresholds import ALL_ENDPOINTS

if TYPE_CHECKING:
    from collections.abc import Sequence

SHARE_OF_ALL: Final = 0.5
"""Of the errors that an analysis may spend, what goes to the questions about all requests together."""


def holm_levels(p_values: Sequence[float], weights: Sequence[float], alpha: float) -> list[float]:
    """The level at which each of a family of tests is judged: the change is real where p <= level.

    Weighted procedure of Holm (1979), Scandinavian Journal of Statistics 6:65: in the order of p / weight,
    each gets its share of alpha among those that are left, until one is above it; the rest keep theirs of
    then.
    """
    weight = np.asarray(weights, dtype=np.float64)
    order = np.argsort(np.asarray(p_values) / weight, kind="stable")
    left = np.cumsum(weight[order][::-1])[::-1]
    above = np.flatnonzero(np.asarray(p_values)[order] > alpha * weight[order] / left)
    if above.size:
        left[above[0] :] = left[above[0]]
    levels = np.empty_like(weight)
    levels[order] = alpha * weight[order] / left
    return [float(level) for level in levels]


def weigh_endpoints(endpoints: Sequence[str]) -> list[float]:
    """A weight for each question: `SHARE_OF_ALL` for those of all requests, the rest for single endpoints."""
    of_all = sum(endpoint == ALL_ENDPOINTS for endpoint in endpoints)
    of_one = len(endpoints) - of_all
    return [
        SHARE_OF_ALL / of_all if endpoint == ALL_ENDPOINTS else (1 - SHARE_OF_ALL) / of_one
        for endpoint in endpoints
    ]
