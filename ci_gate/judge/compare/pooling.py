"""The effect of several starts together, with what starts differ by in its error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from ci_gate.judge.compare.windows import Effect
from ci_gate.thresholds import Metric

_MAX_DF: Final = 1e6  # so many are a normal law


def pool_effects(effects: Sequence[Effect], metric: Metric, scatter: float) -> Effect:
    """The mean of the starts, each with the same weight: the order of starting then cancels out of two.

    Its variance is the sum of (s_i^2 + scatter^2) / n^2: s_i is known from blocks within the start, and
    ``scatter``, what starts of one version differ by, from elsewhere. Degrees of freedom by Welch and
    Satterthwaite: Welch (1947), Biometrika 34:28; the scatter is taken as known. The plain figures are means,
    geometric where changes are ratios.
    """
    count = len(effects)
    within = [(effect.error / count) ** 2 for effect in effects]
    variance = math.fsum(within) + scatter**2 / count
    spread = math.fsum(part**2 / effect.df for part, effect in zip(within, effects, strict=True))
    return Effect(
        base=_mean([effect.base for effect in effects], metric),
        head=_mean([effect.head for effect in effects], metric),
        estimate=math.fsum(effect.estimate for effect in effects) / count,
        error=math.sqrt(variance),
        df=min(variance**2 / spread, _MAX_DF) if spread else _MAX_DF,
        windows=sum(effect.windows for effect in effects),
    )


def _mean(figures: Sequence[float], metric: Metric) -> float:
    if metric.is_share:
        return math.fsum(figures) / len(figures)
    return float(math.prod(figure ** (1 / len(figures)) for figure in figures))
