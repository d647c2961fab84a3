"""When the tasks of an open workload are to begin."""

from __future__ import annotations

import math


class Schedule:
    """Intended starts, in seconds after the beginning: the rate rises from 0 over ``ramp_s``, then stays.

    Of several processes each has every ``processes``-th arrival, beginning with its own number from 0.
    """

    def __init__(self, rate_per_s: float, ramp_s: float, *, process: int = 0, processes: int = 1) -> None:
        self._rate_per_s = rate_per_s
        self._ramp_s = ramp_s
        self._process = process
        self._processes = processes

    def part_of(self, process: int, processes: int) -> Schedule:
        """What one of several processes is to start, counted from 0: together they start all of it."""
        return Schedule(self._rate_per_s, self._ramp_s, process=process, processes=processes)

    def start_of(self, number: int) -> float:
        """When arrival ``number``, counted from 0, is to begin: the inverse of the integral of the rate."""
        number = number * self._processes + self._process
        in_ramp = self._rate_per_s * self._ramp_s / 2
        if number < in_ramp:
            return math.sqrt(2 * number * self._ramp_s / self._rate_per_s)
        return self._ramp_s + (number - in_ramp) / self._rate_per_s
