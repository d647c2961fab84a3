"""When the tasks of an open workload are to begin."""

from __future__ import annotations

import math


class Schedule:
    """Intended starts, in seconds after the beginning: the rate rises from 0 over ``ramp_s``, then stays."""

    def __init__(self, rate_per_s: float, ramp_s: float) -> None:
        self._rate_per_s = rate_per_s
        self._ramp_s = ramp_s

    def start_of(self, number: int) -> float:
        """When arrival ``number``, counted from 0, is to begin: the inverse of the integral of the rate."""
        in_ramp = self._rate_per_s * self._ramp_s / 2
        if number < in_ramp:
            return math.sqrt(2 * number * self._ramp_s / self._rate_per_s)
        return self._ramp_s + (number - in_ramp) / self._rate_per_s
