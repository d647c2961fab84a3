"""How far a worker's clock is from the master's, by round trips."""

from __future__ import annotations

import numpy as np
import pytest

from ci_gate.evidence.clocks import ClockReading, find_clock
from ci_gate.evidence.readings import Mark
from ci_gate.evidence.sample_table import SAMPLE_DTYPE


def read(at_s, offset_s, round_trip_s, *, asymmetry=0.5):
    """The master answered after this share of the round trip."""
    middle_s = at_s + round_trip_s / 2
    answered_s = at_s + round_trip_s * asymmetry
    return ClockReading(
        wall_s=middle_s,
        monotonic_s=middle_s - 900,
        master_wall_s=answered_s + offset_s,
        master_monotonic_s=answered_s - 100,
        round_trip_s=round_trip_s,
    )


def test_offset__is_that_of_the_shortest_round_trip():
    early, late = read(1000, 5.0, 0.2, asymmetry=0.9), read(1002, 5.0, 0.3, asymmetry=0.1)
    clock = find_clock((early, read(1001, 5.0, 0.001), late))
    assert clock.offset_s == pytest.approx(5.0)
    assert clock.monotonic_offset_s == pytest.approx(800.0)
    assert clock.uncertainty_s == pytest.approx(0.0005)


def test_slow_network__is_uncertain_by_half_of_its_round_trip():
    clock = find_clock(tuple(read(1000 + second, -3.0, 0.1, asymmetry=0.9) for second in range(10)))
    assert abs(clock.offset_s + 3.0) <= clock.uncertainty_s == pytest.approx(0.05)


@pytest.mark.parametrize("jump_s", [1.0, -0.4])
def test_clock_that_is_set__is_uncertain_by_the_jump(jump_s):
    readings = tuple(read(1000 + second, jump_s * (second > 5), 0.002) for second in range(10))
    assert find_clock(readings).uncertainty_s == pytest.approx(abs(jump_s), abs=0.002)


def test_clock_that_runs_faster__is_uncertain_by_what_it_gains():
    """200 parts in a million, over ten minutes."""
    readings = tuple(read(1000 + second, second * 2e-4, 0.002) for second in range(600))
    assert 0.05 < find_clock(readings).uncertainty_s < 0.13


def test_silence__is_the_longest_time_between_two_answers():
    assert find_clock(tuple(read(second, 0.0, 0.002) for second in (1, 2, 3, 9, 10))).silence_s == 6
    assert find_clock((read(1, 0.0, 0.002),)).silence_s == 0


def test_times__become_the_masters():
    clock = find_clock((read(1000, 5.0, 0.0),))
    rows = np.zeros(2, dtype=SAMPLE_DTYPE)
    rows["start_s"][1], rows["intended_s"][1] = 2000.0, 1999.0
    clock.shift_samples(rows)
    assert rows["start_s"].tolist() == [0.0, 2005.0]  # the first was never written
    assert rows["intended_s"].tolist() == [0.0, 2004.0]
    (mark,) = clock.shift((Mark(name="steady", wall_s=2000.0, monotonic_s=50.0),))
    assert (mark.wall_s, mark.monotonic_s) == (2005.0, 850.0)
