from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ci_gate.judge.compare.interim import MIN_INTERIM_S, plan_interim

ALPHAS = st.floats(1e-11, 0.4)
COUNTS = st.integers(1, 6)


@given(st.floats(1, 1e5), ALPHAS, COUNTS)
def test_plan__spends_alpha_exactly_and_ends_at_the_longest_duration(duration_s, alpha, count):
    analyses = plan_interim(duration_s, count)
    assert sum(interim.spent(alpha) for interim in analyses) == pytest.approx(alpha)
    assert analyses[-1].duration_s == pytest.approx(duration_s)
    assert [interim.is_last for interim in analyses] == [False] * (len(analyses) - 1) + [True]


@given(st.floats(1, 1e5), st.integers(1, 12))
def test_plan__none_is_earlier_than_an_analysis_can_see_anything(duration_s, count):
    analyses = plan_interim(duration_s, count)
    assert len(analyses) == 1 or analyses[0].duration_s >= MIN_INTERIM_S


def test_plan__three_analyses_spend_by_the_square_of_time():
    analyses = plan_interim(180)
    assert [interim.duration_s for interim in analyses] == pytest.approx([60, 120, 180])
    assert [interim.spent(0.09) for interim in analyses] == pytest.approx([0.01, 0.03, 0.05])


def test_plan__a_short_run_has_one_analysis_with_all_of_alpha():
    (interim,) = plan_interim(45)
    assert (interim.duration_s, interim.level(0.01), interim.is_last) == (45, pytest.approx(0.01), True)


# The level of each analysis


@given(ALPHAS, COUNTS)
def test_level__is_what_is_spent_and_what_was_an_error_before(alpha, count):
    analyses = plan_interim(600, count)
    levels = [interim.level(alpha) for interim in analyses]
    assert levels[0] == pytest.approx(analyses[0].spent(alpha))
    for interim, level in zip(analyses, levels, strict=True):
        assert interim.spent(alpha) * (1 - 1e-6) <= level <= alpha * interim.share**2 * (1 + 1e-6)


@given(ALPHAS, COUNTS)
def test_needed_alpha__is_the_inverse_of_the_level(alpha, count):
    for interim in plan_interim(600, count):
        assert interim.needed_alpha(interim.level(alpha)) == pytest.approx(alpha, rel=0.01)
    assert interim.needed_alpha(0.0) == 0


@given(ALPHAS, ALPHAS, COUNTS)
def test_level__rises_with_alpha(one, other, count):
    low, high = sorted((one, other))
    for interim in plan_interim(600, count):
        assert interim.level(low) <= interim.level(high) * (1 + 1e-9)


def test_levels__for_the_published_power_family():
    """Two analyses of one-sided 0.025 by alpha t^2, at halves: the bounds of the joint normal law."""
    first, second = (stats.norm.isf(interim.level(0.025)) for interim in plan_interim(60, 2))
    joint = stats.multivariate_normal([0, 0], [[1, np.sqrt(0.5)], [np.sqrt(0.5), 1]])
    assert first == pytest.approx(stats.norm.isf(0.025 / 4))
    assert 1 - joint.cdf([first, second]) == pytest.approx(0.025, rel=0.005)


@pytest.mark.parametrize("memory", [0.0, 0.9])
def test_levels__keep_alpha_where_each_analysis_sees_all_that_the_one_before_saw(memory):
    """Also of noise that remembers the second before."""
    rng, runs, steps, alpha = np.random.default_rng(5), 200_000, 30, 0.05
    analyses = plan_interim(90)
    noise, value = np.zeros((runs, 3)), rng.normal(0, 1, runs)
    for step in range(steps):
        value = memory * value + np.sqrt(1 - memory**2) * rng.normal(0, 1, runs)
        noise[:, step * 3 // steps] += value
    sums = noise.cumsum(axis=1)
    z = sums / sums.std(axis=0)
    crossed = z > [stats.norm.isf(interim.level(alpha)) for interim in analyses]
    share = crossed.any(axis=1).mean()
    assert share <= alpha + 0.0015
    if not memory:  # what remembers is more alike from one to the next, and spends less
        assert share >= alpha - 0.0015
