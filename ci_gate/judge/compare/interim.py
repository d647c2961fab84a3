"""When a running comparison may be decided, and at what level each moment judges."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPENDING_EXPONENT: Final = 2.0
MIN_INTERIM_S: Final = 30.0
MAX_ANALYSES: Final = 3

_PER_DECADE: Final = 8  # of the alphas at which a gain is computed: the next smaller one is used
_SMALLEST_ALPHA: Final = 1e-12  # below, nothing is gained
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(96)
_FAR: Final = 9.0  # standard deviations: less than 1e-18 lies beyond
_HALVINGS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class InterimAnalysis:
    """A planned moment of decision: after ``duration_s`` of steady load, ``share`` of the longest duration.

    ``earlier`` are the shares of the analyses before it.
    """

    duration_s: float
    share: float
    earlier: tuple[float, ...] = ()

    @property
    def is_last(self) -> bool:
        return self.share >= 1

    def spent(self, alpha: float) -> float:
        """What this analysis adds to the errors of one question that may make ``alpha`` of them in all.

        Spending function of Lan and DeMets (1983) in the power family of Kim and DeMets (1987): alpha t^rho
        is spent until the share t, rho = `SPENDING_EXPONENT`.
        """
        return _spend(alpha, max(self.earlier, default=0.0), self.share)

    def level(self, alpha: float) -> float:
        """The one-sided level at which this analysis judges such a question.

        Above what it spends, for part of what would be an error now has been one before: exact by the joint
        normal law of the analyses, whose correlation is sqrt(t1 / t2).
        """
        if alpha <= _SMALLEST_ALPHA:
            return self.spent(alpha)
        step = math.ceil(-_PER_DECADE * math.log10(min(alpha, 1.0)))
        return self.spent(alpha) * _find_gain(self.share, self.earlier, step)

    def needed_alpha(self, p_value: float) -> float:
        """The least alpha with which a question of this p-value is decided here: the inverse of `level`."""
        per_alpha = self.spent(1.0)
        needed = p_value / per_alpha
        for _ in range(8):  # the gain hardly depends on alpha
            needed = p_value / per_alpha * self.spent(needed) / self.level(needed) if needed else 0.0
        return needed


def plan_interim(max_duration_s: float, count: int = MAX_ANALYSES) -> tuple[InterimAnalysis, ...]:
    """At most ``count`` analyses, equally spaced by `MIN_INTERIM_S` of load or more, one at the end."""
    count = max(1, min(count, int(max_duration_s / MIN_INTERIM_S)))
    shares = tuple((k + 1) / count for k in range(count))
    return tuple(
        InterimAnalysis(duration_s=max_duration_s * share, share=share, earlier=shares[:k])
        for k, share in enumerate(shares)
    )


def _spend(alpha: float, before: float, share: float) -> float:
    return float(alpha * (share**SPENDING_EXPONENT - before**SPENDING_EXPONENT))


@functools.cache
def _find_gain(share: float, earlier: tuple[float, ...], step: int) -> float:
    """Level / spent at alpha = 10^(-step / _PER_DECADE).

    Recursion of Armitage, McPherson and Rowe (1969), Journal of the Royal Statistical Society A 132:235: the
    density of a Brownian motion that has crossed no bound so far, from one share to the next, by
    Gauss-Legendre quadrature.
    """
    from scipy.special import ndtr

    alpha = float(10.0 ** (-step / _PER_DECADE))
    at, nodes, density = 0.0, np.zeros(1), np.ones(1)  # density times weight: a point at 0
    for time in (*earlier, share):
        to_spend = _spend(alpha, at, time)
        sd = math.sqrt(time - at)
        bound = _find_bound(nodes, density, sd, to_spend)
        if time == share:
            return float(ndtr(-bound / math.sqrt(time))) / to_spend
        low = -_FAR * math.sqrt(time)
        half = (bound - low) / 2
        next_nodes = low + half * (_NODES + 1)
        steps = (next_nodes[:, None] - nodes[None, :]) / sd
        kernel = np.exp(-(steps**2) / 2) / (sd * math.sqrt(2 * math.pi))
        at, nodes, density = time, next_nodes, (kernel @ density) * half * _WEIGHTS
    raise AssertionError("the share itself comes last")


def _find_bound(
    nodes: NDArray[np.float64], density: NDArray[np.float64], sd: float, to_spend: float
) -> float:
    """Where a step of standard deviation ``sd`` ends above with probability ``to_spend``."""
    from scipy.special import ndtr

    low, high = -_FAR, _FAR * (1 + sd)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if float(density @ ndtr((nodes - middle) / sd)) > to_spend:
            low = middle
        else:
            high = middle
    return high
