"""The scalability law: parameters that are known are found again, within their intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_gate.judge.capacity.scalability import Scalability, fit_scalability
from tests.judge.load_steps import follow_law, make_step, mark_invalid, queue_up

IN_FLIGHT = (1, 2, 4, 8, 16, 32, 64, 128)


def seeded(seed=1):
    return np.random.default_rng(seed)


def draw_law(parameters, seed=None, noise=0.05):
    generator = None if seed is None else seeded(seed)
    return [follow_law(float(number), parameters, generator, noise) for number in IN_FLIGHT]


def holds(estimate, truth):
    return estimate.low - 1e-6 <= truth <= estimate.high + 1e-6


@settings(max_examples=30, deadline=None)
@given(
    parameters=st.tuples(st.floats(0.1, 5000), st.floats(0, 0.8), st.floats(0, 0.05)),
)
def test_law__is_found_again_where_nothing_is_noisy(parameters):
    law = fit_scalability(draw_law(parameters), seeded(), is_open=False)
    assert isinstance(law, Scalability)
    found = law.lambda_per_s.value, law.sigma.value, law.kappa.value
    assert found == pytest.approx(parameters, rel=1e-3, abs=1e-5)
    assert law.scatter < 1e-3


@pytest.mark.parametrize("parameters", [(100, 0.1, 0.001), (50, 0.02, 0.0005), (100, 0.3, 0.0)])
def test_law__intervals_hold_the_truth(parameters):
    runs = 30
    laws = [fit_scalability(draw_law(parameters, seed), seeded(seed), is_open=False) for seed in range(runs)]
    for name, truth in zip(("lambda_per_s", "sigma", "kappa"), parameters, strict=True):
        assert sum(holds(getattr(law, name), truth) for law in laws) >= 0.87 * runs, name
    right = [(law.peak_in_flight is not None) == (parameters[2] > 0) for law in laws]
    assert sum(right) >= 0.9 * runs


def test_law__a_peak_is_where_throughput_is_highest():
    law = fit_scalability(draw_law((100, 0.1, 0.001), 1), seeded(), is_open=False)
    assert holds(law.peak_in_flight, np.sqrt(0.9 / 0.001))
    assert law.peak_is_measured


def test_law__a_peak_beyond_what_was_measured_is_extrapolated():
    law = fit_scalability(draw_law((100, 0.0, 0.00002), 1, noise=0.01), seeded(), is_open=False)
    assert law.peak_in_flight.value > law.in_flight[1] == pytest.approx(128, rel=0.1)
    assert not law.peak_is_measured


def test_law__one_server_is_contention_of_a_half_without_coherency():
    """M/M/1: X = N / (S (1 + N)) is the law with sigma = 1/2 and lambda = 1 / 2S."""
    generator = seeded()
    steps = [queue_up(users, generator, is_random=True) for users in (9, 17, 34, 48, 68, 136)]
    law = fit_scalability(steps, generator, is_open=False)
    assert law.lambda_per_s.value == pytest.approx(20, rel=0.15)
    assert law.sigma.value == pytest.approx(0.5, abs=0.1)
    assert law.peak_in_flight is None


def test_law__its_curve_stays_within_what_was_measured_and_knows_the_users():
    generator = seeded()
    steps = [queue_up(users, generator) for users in (9, 17, 34, 48, 68, 136)]
    law = fit_scalability(steps, generator, is_open=False)
    assert law.curve[0].in_flight == pytest.approx(law.in_flight[0])
    assert law.curve[-1].in_flight == pytest.approx(law.in_flight[1])
    assert law.curve[-1].load == pytest.approx(136, rel=0.1)
    assert all(each.rate_per_s.low <= each.rate_per_s.value <= each.rate_per_s.high for each in law.curve)
    assert fit_scalability(steps, seeded(), is_open=True).curve[0].load is None


def test_law__a_law_that_does_not_fit_has_wide_intervals():
    """Eight servers make a kink, which the law has not."""
    generator = seeded()
    users = (18, 36, 72, 102, 119, 144, 287)
    steps = [queue_up(each, generator, servers=8, service_s=0.1) for each in users]
    law = fit_scalability(steps, generator, is_open=False)
    assert law.scatter > 0.05
    assert law.lambda_per_s.high / law.lambda_per_s.low > 1.3


def test_law__the_order_of_steps_does_not_matter():
    steps = draw_law((100, 0.1, 0.001), 1)
    assert fit_scalability(steps[::-1], seeded(), is_open=False) == fit_scalability(
        steps, seeded(), is_open=False
    )


def test_law__takes_five_loads_that_can_be_trusted():
    steps = draw_law((100, 0.1, 0.001), 1)[:5]
    assert isinstance(fit_scalability(steps, seeded(), is_open=False), Scalability)
    lied = [*steps[:4], mark_invalid(steps[4], "generator-busy"), make_step(300, 0.0, 5.0)]
    assert fit_scalability(lied, seeded(), is_open=False) == "the law takes 5 loads that were measured well"
