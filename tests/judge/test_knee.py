"""The knee: where the asymptotes cross, on services whose capacity is known."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_gate.judge.capacity.knee import Knee, find_knee, locate_knee
from tests.judge.load_steps import make_step, mark_invalid, queue_up

SHARES = (1 / 6, 1 / 3, 2 / 3, 0.94, 1.1, 1.33, 2.66)


def seeded(seed=1):
    return np.random.default_rng(seed)


def on_asymptotes(loads, per_load, ceiling):
    return [
        make_step(load, min(load * per_load, ceiling), 1.0 if load * per_load < ceiling else float(load))
        for load in loads
    ]


def queue_to(truth, seed, **service):
    generator = seeded(seed)
    return [queue_up(max(round(truth * share), 1), generator, **service) for share in SHARES], generator


@settings(max_examples=30, deadline=None)
@given(
    knee=st.floats(12, 90),
    per_load=st.floats(0.01, 100),
    loads=st.just((5, 10, 20, 40, 80, 160, 320)),
)
def test_knee__is_where_the_asymptotes_cross(knee, per_load, loads):
    found = find_knee(on_asymptotes(loads, per_load, knee * per_load), seeded())
    assert isinstance(found, Knee)
    assert found.load.value == pytest.approx(knee, rel=0.01)
    assert found.ceiling_per_s.value == pytest.approx(knee * per_load, rel=0.01)
    assert found.load.low <= found.load.value <= found.load.high


@pytest.mark.parametrize(
    ("service", "truth"),
    [
        ({}, 51.0),  # (25 ms + 1.25 s) / 25 ms
        ({"is_random": True}, 51.0),
        ({"servers": 8, "service_s": 0.1, "is_random": True}, 108.0),  # 8 x (100 ms + 1.25 s) / 100 ms
    ],
)
def test_knee__its_interval_holds_the_truth_of_a_queue(service, truth):
    runs = 40
    found = [find_knee(*queue_to(truth, seed, **service)) for seed in range(runs)]
    held = sum(knee.load.low <= truth <= knee.load.high for knee in found)
    assert held >= 0.87 * runs
    assert np.median([knee.load.value for knee in found]) == pytest.approx(truth, rel=0.05)
    assert np.median([(knee.load.high - knee.load.low) / truth for knee in found]) < 0.25


def test_knee__steps_that_differ_by_more_than_their_windows_show_widen_it():
    steps, _ = queue_to(51.0, 1)
    calm = find_knee(steps, seeded())
    shaken = [
        msgspec.structs.replace(
            step,
            rate_per_s=step.rate_per_s * (1.15 if number % 2 else 0.87),
            windows=tuple(
                msgspec.structs.replace(each, rate_per_s=each.rate_per_s * (1.15 if number % 2 else 0.87))
                for each in step.windows
            ),
        )
        for number, step in enumerate(steps)
    ]
    wide = find_knee(shaken, seeded())
    width = calm.load.high - calm.load.low
    assert isinstance(wide, str) or wide.load.high - wide.load.low > 1.5 * width


def test_knee__none_where_throughput_still_grows():
    assert "still grew" in find_knee(on_asymptotes((5, 10, 20, 40, 80), 0.8, 1e9), seeded())
    for seed in range(10):
        generator = seeded(seed)
        steps = [queue_up(users, generator, is_random=True) for users in (2, 4, 8, 16, 32)]
        assert "still grew" in find_knee(steps, generator)


def test_knee__none_too_near_the_largest_load():
    assert "still grew" in find_knee(on_asymptotes((5, 10, 20, 40, 80), 0.8, 0.8 * 75), seeded())


def test_knee__none_where_throughput_never_grew():
    assert "did not grow" in find_knee(on_asymptotes((50, 100, 200, 400), 0.8, 20.0), seeded())


def test_knee__none_where_the_load_did_not_arrive():
    steps = [make_step(load, min(load, 20.0), 1.0, p50_ms=30.0) for load in (5, 10, 20, 40, 80)]
    assert "did not arrive" in find_knee(steps, seeded())


@pytest.mark.parametrize("loads", [(), (10,), (10, 20, 40), (10, 10, 20, 40)])
def test_knee__takes_four_loads(loads):
    steps = [make_step(load, 1.0, 1.0, number=number) for number, load in enumerate(loads, 1)]
    assert "takes 4 loads" in find_knee(steps, seeded())
    assert locate_knee(steps) is None


def test_knee__what_falls_beyond_the_peak_is_left_out():
    rising = on_asymptotes((5, 10, 20, 40, 80), 1.0, 30.0)
    falling = [make_step(160, 20.0, 100.0), make_step(320, 10.0, 300.0)]
    assert find_knee([*rising, *falling], seeded()).load.value == pytest.approx(30, rel=0.01)


def test_knee__the_order_of_steps_does_not_matter():
    steps, _ = queue_to(51.0, 3, is_random=True)
    assert find_knee(steps[::-1], seeded()) == find_knee(steps, seeded())


def test_knee__a_step_that_cannot_be_trusted_does_not_count():
    steps = on_asymptotes((5, 10, 20, 40, 80, 160), 1.0, 30.0)
    lied = [*steps, mark_invalid(make_step(320, 400.0, 1.0), "generator-busy"), make_step(640, 0.0, 1.0)]
    assert find_knee(lied, seeded()) == find_knee(steps, seeded())
