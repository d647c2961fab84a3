"""How often noise looks like a warm-up: a service that has long been warm, cut into phases of 30 s.

A pair of equal versions of the reference service runs while CPU noise comes and goes, for 10 to 40 s each.
Every 10 s a phase begins. Of each are counted whether its latencies look like a warm-up, and whether the
service's CPU per success does, too, which is what `still-warming` asks for.

    python -m benchmarks.still_warming [--scenario connector-scaling] [--minutes 4]
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np

from benchmarks.noise import noise
from benchmarks.pairs import find_scenario, load_thresholds, run_pairs
from ci_gate.evidence.recording import Recording
from ci_gate.judge.distributions import share_interval
from ci_gate.judge.steady import classify
from ci_gate.judge.validity.warm_up_rules import MIN_DEARER, compare_cpu, measure_warming
from ci_gate.thresholds import Scenario

PHASE_S, STEP_S, WARM_S = 30.0, 10.0, 20.0


class ChangingNoise:
    """Turns the noise on and off as the seconds pass."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._draw = random.SystemRandom()
        self._on = ExitStack()
        self._is_on = False
        self._next_s = WARM_S

    def turn(self, passed_s: float) -> bool:
        """To be called once a second; never ends the load."""
        if passed_s >= self._next_s:
            self._is_on = not self._is_on
            self._on.close()
            self._on = self._stack.enter_context(ExitStack())
            self._on.enter_context(noise(wanted=self._is_on))
            self._next_s = passed_s + self._draw.uniform(10, 40)
        return False


def read_phases(recording: Recording, scenario: Scenario) -> Iterator[tuple[bool, float | None]]:
    """Whether each phase looks like a warm-up by its latencies, and the ratio of CPU per success."""
    steady = classify(recording, scenario.accept).steady
    times_s, latency_ms = steady.samples["intended_s"][steady.success], steady.latency_ms[steady.success]
    for begin_s in np.arange(steady.begin_s + WARM_S, steady.end_s - PHASE_S, STEP_S):
        rows = (times_s >= begin_s) & (times_s < begin_s + PHASE_S)
        warming = measure_warming(times_s[rows], latency_ms[rows], begin_s, PHASE_S)
        yield (
            warming is not None,
            compare_cpu(recording.machine, times_s[rows], begin_s, begin_s + PHASE_S),
        )


def main() -> None:
    """Measure, cut, count, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenario", default="connector-scaling")
    parser.add_argument("--minutes", type=float, default=4)
    options = parser.parse_args()
    thresholds = load_thresholds()
    scenario = find_scenario(thresholds, options.scenario)
    with ExitStack() as stack:
        changing = ChangingNoise(stack)
        (pair,) = run_pairs(
            thresholds,
            scenario,
            faults=[("", "")],
            duration_s=options.minutes * 60,
            on_second=changing.turn,
        )
    phases = [phase for recording in pair for phase in read_phases(recording, scenario)]
    ratios = sorted(ratio for _, ratio in phases if ratio is not None)
    slow = [ratio for is_slow, ratio in phases if is_slow]
    found = sum(ratio is not None and ratio >= MIN_DEARER for ratio in slow)
    low, high = share_interval(found, len(phases))
    print(f"{len(phases)} phases of {PHASE_S:.0f} s, which overlap; {len(slow)} look warming by latency")
    print(f"CPU per success, first half over second: {ratios[0]:.2f} to {ratios[-1]:.2f} in all of them")
    print(f"still-warming by both: {found} ({low:.0%} to {high:.0%} if they were independent)")


if __name__ == "__main__":
    main()
