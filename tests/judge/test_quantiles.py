from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ci_gate.judge.quantiles import MIN_TAIL_SAMPLES, compute_quantile, needed_samples

times = arrays(np.float64, st.integers(1, 200), elements=st.floats(0, 1e6))
quantiles = st.floats(0.001, 0.999)


@given(times, quantiles)
def test_quantile__is_numpys_and_the_textbooks(values, quantile):
    ours = compute_quantile(values, quantile)
    assert ours == np.quantile(values, quantile)
    ordered, place = sorted(values.tolist()), (len(values) - 1) * quantile
    low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
    assert ours == pytest.approx(low + (high - low) * (place - math.floor(place)), rel=1e-9, abs=1e-9)


@given(times, quantiles, st.randoms(use_true_random=False))
def test_quantile__order_does_not_matter(values, quantile, random):
    shuffled = list(values)
    random.shuffle(shuffled)
    assert compute_quantile(np.array(shuffled), quantile) == compute_quantile(values, quantile)


@given(times, quantiles, st.floats(0.001, 1000))
def test_quantile__scales(values, quantile, factor):
    scaled = compute_quantile(values * factor, quantile)
    assert scaled == pytest.approx(compute_quantile(values, quantile) * factor, rel=1e-9, abs=1e-9)


def test_quantile__of_nothing():
    assert compute_quantile(np.array([]), 0.5) is None


@pytest.mark.parametrize(
    ("quantile", "needed"),
    [
        (0.5, 20),
        (0.9, 100),
        (0.95, 200),
        (0.99, 1000),
        (0.999, 10_000),
        (0.9999, 100_000),
        (0.99999, 1_000_000),
    ],
)
def test_needed_samples__round_numbers(quantile, needed):
    assert needed_samples(quantile) == needed


@given(quantiles)
def test_needed_samples__is_the_least_that_leaves_ten_beyond(quantile):
    needed = needed_samples(quantile)
    assert needed * (1 - quantile) >= MIN_TAIL_SAMPLES - 1e-6
    assert (needed - 1) * (1 - quantile) < MIN_TAIL_SAMPLES
