"""How rate and latency went over the steady phase, in few enough slices to be drawn in a line of text."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
import numpy as np

from ci_gate.evidence.ranges import Quantity
from ci_gate.evidence.readings import StrictValue
from ci_gate.judge.quantiles import compute_quantile
from ci_gate.judge.summary import SteadyPhase

MAX_SLICES: Final = 24
_MIN_SLICE_S: Final = 1.0
_MIN_SLICES: Final = 2  # one value is no trend


class Trend(StrictValue, frozen=True):
    """Equal slices of the steady phase in their order, all endpoints together.

    ``rate_per_s`` counts successes; ``p95_ms`` is of successes from their intended start, None without any.
    A slice holds the requests that were to start in it.
    """

    slice_s: Quantity
    rate_per_s: Annotated[tuple[Quantity, ...], msgspec.Meta(max_length=MAX_SLICES)]
    p95_ms: Annotated[tuple[Quantity | None, ...], msgspec.Meta(max_length=MAX_SLICES)]


def find_trend(steady: SteadyPhase) -> Trend | None:
    """At most MAX_SLICES slices of a second at least; None for a phase too short for two."""
    count = min(MAX_SLICES, int(steady.duration_s / _MIN_SLICE_S))
    if count < _MIN_SLICES:
        return None
    slice_s = steady.duration_s / count
    since_s = steady.samples["intended_s"][steady.success] - steady.begin_s
    slices = np.minimum((since_s / slice_s).astype(np.intp), count - 1)
    latency_ms = steady.latency_ms[steady.success]
    parts = [latency_ms[slices == number] for number in range(count)]
    return Trend(
        slice_s=slice_s,
        rate_per_s=tuple(part.size / slice_s for part in parts),
        p95_ms=tuple(compute_quantile(part, 0.95) for part in parts),
    )
