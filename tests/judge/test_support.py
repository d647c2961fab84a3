"""Which bound the scatter between runs supports, against simulated runs and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ci_gate.judge.distributions import most_hits, share_interval, t_quantile, t_tail
from ci_gate.judge.limits import Figure
from ci_gate.judge.suggest.support import FALSE_ALARMS, find_support, predict, round_out
from ci_gate.thresholds import FAILURES, RATE, SUCCESSES, metric_of

P95 = metric_of("p95")


def figures(*values, samples=1000):
    return [Figure(measured=value, samples=samples) for value in values]


@pytest.mark.parametrize(("runs", "deviation"), [(3, 0.02), (5, 0.1), (10, 0.3)])
@pytest.mark.parametrize("worse", [1, -1])
def test_predict__the_next_run_is_beyond_it_once_in_a_hundred(runs, deviation, worse):
    draw = np.random.default_rng(runs)
    beyond, rounds = 0, 6000
    for logs in draw.normal(5.0, deviation, size=(rounds, runs + 1)):
        bound = predict(np.exp(logs[:-1]).tolist(), worse=worse)
        beyond += worse * (math.exp(logs[-1]) - bound) > 0
    low, high = share_interval(beyond, rounds, 0.999)
    assert low <= FALSE_ALARMS <= high


@pytest.mark.parametrize("share", [0.0005, 0.003])
def test_failures__the_next_run_has_more_once_in_a_hundred_at_most(share):
    draw, rounds, requests = np.random.default_rng(7), 4000, 1500
    hits = draw.binomial(requests, share, size=(rounds, 4))
    more = sum(int(row[3]) > most_hits(int(row[:3].sum()), 3 * requests, requests, 0.01) for row in hits)
    assert share_interval(more, rounds, 0.999)[0] <= FALSE_ALARMS


def test_distributions__are_those_of_scipy():
    assert t_tail(-2.0, 5.5) == pytest.approx(stats.t.cdf(-2.0, 5.5))
    assert t_quantile(0.99, 2) == pytest.approx(stats.t.ppf(0.99, 2))
    for hits, of in ((0, 20), (3, 20), (20, 20)):
        interval = stats.binomtest(hits, of).proportion_ci()
        assert share_interval(hits, of) == pytest.approx((interval.low, interval.high))


def test_support__with_two_runs_has_no_bound():
    support = find_support(P95, figures(100.0, 110.0))
    assert (support.runs, support.samples, support.median) == (2, 2000, 105.0)
    assert (support.lowest, support.highest, support.bound, support.margin) == (100.0, 110.0, None, None)


def test_support__of_runs_that_are_alike_is_a_quarter_above_the_slowest():
    support = find_support(P95, figures(100.0, 100.1, 100.2))
    assert support.bound == 130.0  # 100.2 x 1.25, rounded up
    assert support.margin == pytest.approx(130 / 100.2 - 1)


def test_support__is_wider_where_runs_scatter_more():
    quiet, noisy = (find_support(P95, figures(*values)).bound for values in ((100, 104, 108), (80, 104, 130)))
    assert (quiet, noisy) == (150.0, 730.0)


def test_support__of_a_floor_is_below_the_lowest():
    support = find_support(RATE, figures(79.0, 80.0, 80.2))
    assert support.bound == 74.0
    assert support.margin == pytest.approx(1 - 74 / 79)
    assert find_support(RATE, figures(79.9, 80.0, 80.1)).bound == 75.0


def test_support__of_failures_counts_them():
    support = find_support(FAILURES, figures(0, 0, 0, samples=1500))
    assert (support.bound, support.margin) == (0.002, 0.002)
    assert find_support(FAILURES, figures(0, 0, 0, samples=20)).bound == 0.15
    # A shorter run has fewer requests, and one failure weighs more.
    assert find_support(FAILURES, figures(0, 0, 0, samples=1500), next_requests=300).bound == 0.0034


def test_support__there_is_none_of_what_was_not_measured_or_is_no_such_metric():
    assert find_support(P95, figures(100.0, None, 100.0)) is None
    assert find_support(P95, []) is None
    assert find_support(SUCCESSES, figures(1.0, 1.0, 1.0)).bound is None
    assert find_support(RATE, figures(0.0, 1.0, 1.0)).bound is None


def test_round_out__keeps_two_digits_and_goes_away_from_the_figure():
    assert [round_out(value, is_up=True) for value in (0.0312, 9.91, 187.2, 130.0, 1201.0)] == [
        0.032,
        10.0,
        190.0,
        130.0,
        1300.0,
    ]
    assert [round_out(value, is_up=False) for value in (0.0319, 79.9, 2213.0)] == [0.031, 79.0, 2200.0]


@given(
    st.lists(st.floats(50, 800), min_size=3, max_size=12),
    st.sampled_from([P95, RATE]),
)
def test_support__is_kept_by_every_run_with_the_margin_that_it_says(values, metric):
    support = find_support(metric, figures(*values))
    for value in values:
        assert not metric.breaks(value, support.bound)
        worse = value * (1 + support.margin) if metric is P95 else value * (1 - support.margin)
        assert not metric.breaks(worse, support.bound * (1 + metric.worse * 1e-6))


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(50, 5000)), min_size=3, max_size=8))
def test_support__of_failures_is_kept_by_every_run(counts):
    runs = [Figure(measured=hits / of, samples=of) for hits, of in counts]
    support = find_support(FAILURES, runs)
    assert all(not FAILURES.breaks(run.measured, support.bound + 1e-12) for run in runs)
