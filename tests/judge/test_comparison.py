from __future__ import annotations

import math
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ci_gate.judge.compare.comparison import Comparison, compare, settle
from ci_gate.judge.compare.interim import InterimAnalysis
from ci_gate.judge.compare.multiple_testing import SHARE_OF_ALL, holm_levels, weigh_endpoints
from ci_gate.judge.compare.windows import Effect, SideSamples, measure_percentile, trimmed_mean
from tests.judge.duets import (
    ENDPOINTS,
    HOSTILE,
    QUIET,
    START_S,
    change_response,
    phase,
    simulate,
)

TOLERANCES = {"p50": 0.1, "p95": 0.2, "rate": 0.05, "failures": 0.01}
WIDE = {"p50": 0.6, "p95": 0.6}
LAST = InterimAnalysis(duration_s=60, share=1.0)
FIRST = InterimAnalysis(duration_s=60, share=1 / 3)


def compared(
    base, head, *, tolerances=TOLERANCES, endpoints=ENDPOINTS, duration_s=60.0, interim=LAST, alpha=0.01
):
    return compare(
        base,
        head,
        endpoints=endpoints,
        tolerances=tolerances,
        phase=phase(duration_s),
        interim=interim,
        alpha=alpha,
    )


def change_of(comparison, metric, endpoint="all"):
    return next(c for c in comparison.changes if (c.endpoint, c.metric) == (endpoint, metric))


def missing_of(comparison, metric, endpoint="all"):
    return next(c for c in comparison.not_compared if (c.endpoint, c.metric) == (endpoint, metric))


def duet(seed=1, duration_s=60.0, noise=QUIET, **options):
    return simulate(np.random.default_rng(seed), duration_s, noise, **options)


def fail_some(samples: SideSamples, share: float, seed=3) -> SideSamples:
    return replace(samples, success=np.random.default_rng(seed).random(samples.success.size) >= share)


def even_load(latency_ms: float, *, per_second=20, duration_s=60) -> SideSamples:
    """Every request alike, at even distances."""
    count = per_second * duration_s
    return SideSamples(
        endpoint=np.zeros(count, dtype=int),
        intended_s=START_S + (np.arange(count) + 0.5) / per_second,
        latency_ms=np.full(count, latency_ms),
        success=np.ones(count, dtype=bool),
    )


# What does not matter


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.7, 1.4), st.floats(0, 0.1))
def test_comparison__swapping_the_sides_mirrors_it(seed, slower, failing):
    base, head = duet(seed, noise=HOSTILE, slower=slower)
    head = fail_some(head, failing)
    there, back = compared(base, head).changes, compared(head, base).changes
    assert len(there) == len(back) == 13
    for one, other in zip(there, back, strict=True):
        is_share = one.metric == "failures"
        assert (one.base, one.head) == (other.head, other.base)
        assert (one.windows, one.is_real) == (other.windows, other.is_real)
        assert one.p_value == pytest.approx(other.p_value, rel=1e-6)
        for name, mirrored in (("change", "change"), ("low", "high"), ("high", "low")):
            mine, its = getattr(one, name), getattr(other, mirrored)
            assert mine == pytest.approx(-its if is_share else 1 / (1 + its) - 1, rel=1e-6, abs=1e-12)
        assert one.mde == pytest.approx(other.mde, rel=1e-6)


def test_comparison__sample_order_does_not_matter():
    base, head = duet(noise=HOSTILE)
    head = fail_some(head, 0.02)
    order = np.random.default_rng(5).permutation(head.success.size)
    assert compared(base, head.pick(order)) == compared(base, head)


@pytest.mark.parametrize("factor", [0.125, 1024.0])
def test_comparison__the_unit_of_time_does_not_matter(factor):
    base, head = duet(noise=HOSTILE)
    plain = compared(base, head).changes
    scaled = compared(*(replace(s, latency_ms=s.latency_ms * factor) for s in (base, head))).changes
    for one, other in zip(plain, scaled, strict=True):
        assert (one.change, one.low, one.high, one.p_value) == pytest.approx(
            (other.change, other.low, other.high, other.p_value), rel=1e-9
        )
        if one.metric.startswith("p"):
            assert (one.base * factor, one.head * factor) == (other.base, other.head)


def test_comparison__requests_outside_the_phase_do_not_count():
    base, head = duet(duration_s=90.0)
    outside = head.intended_s >= START_S + 60
    spoilt = replace(
        head, latency_ms=np.where(outside, 1e6, head.latency_ms), success=head.success & ~outside
    )
    assert compared(base, spoilt) == compared(base, head)


def test_comparison__base_and_head_are_the_plain_figures():
    base, head = duet()
    comparison = compared(base, head)
    assert change_of(comparison, "p95").base == np.quantile(base.latency_ms, 0.95)
    assert change_of(comparison, "p95").head == np.quantile(head.latency_ms, 0.95)
    mine = base.latency_ms[base.endpoint == 2]
    assert change_of(comparison, "p50", ENDPOINTS[2]).base == np.quantile(mine, 0.5)
    assert change_of(comparison, "rate").base == base.success.size / 60


# What is asked


def test_questions__every_metric_of_all_and_of_each_endpoint_but_no_rate_of_an_endpoint():
    asked = {(c.endpoint, c.metric) for c in compared(*duet()).changes}
    assert asked == {("all", metric) for metric in TOLERANCES} | {
        (endpoint, metric) for endpoint in ENDPOINTS for metric in TOLERANCES if metric != "rate"
    }


def test_questions__a_single_endpoint_is_not_asked_twice():
    base, head = (replace(s, endpoint=np.zeros_like(s.endpoint)) for s in duet())
    assert {c.endpoint for c in compared(base, head, endpoints=("GET /",)).changes} == {"all"}


def test_questions__many_endpoints_take_no_more_looks_at_each_request_than_few(monkeypatch):
    looked, pick = [], SideSamples.pick

    def count(samples, rows):
        looked.append(len(rows))
        return pick(samples, rows)

    monkeypatch.setattr(SideSamples, "pick", count)
    looks = []
    for endpoints in (2, 400):
        looked.clear()
        many = replace(even_load(5.0, per_second=200), endpoint=np.arange(12_000) % endpoints)
        comparison = compared(many, many, endpoints=tuple(map(str, range(endpoints))))
        assert len({change.endpoint for change in comparison.changes}) == endpoints + 1
        looks.append(sum(looked))
    assert looks[1] < 1.1 * looks[0]


def test_compare__refuses_a_phase_of_too_few_blocks():
    base, head = duet(duration_s=20.0)
    assert compared(base, head, duration_s=20.0).changes
    with pytest.raises(ValueError, match="20 s of load"):
        compared(base, head, duration_s=19.9)


# What is decided


def test_outcome__a_real_change_beyond_its_tolerance_fails():
    comparison = compared(*duet(slower=1.3), tolerances={"p50": 0.1})
    change = change_of(comparison, "p50")
    assert (change.outcome, change.is_real) == ("FAIL", True)
    assert change.low > 0
    assert settle(comparison) == "FAIL"


def test_outcome__a_real_change_within_its_tolerance_passes():
    change = change_of(compared(*duet(slower=1.3), tolerances={"p50": 0.5}), "p50")
    assert (change.outcome, change.is_real) == ("PASS", True)
    assert change.change == pytest.approx(0.3, abs=0.05)


def test_outcome__an_improvement_passes_however_large():
    comparison = compared(*duet(slower=0.5))
    assert change_of(comparison, "p50").is_real
    assert settle(comparison) == "PASS"


def test_outcome__a_change_beyond_the_tolerance_that_may_be_noise_is_inconclusive():
    base, head = duet(5, noise=HOSTILE, slower=1.05)
    comparison = compared(base, head, tolerances={"p50": 0.02}, endpoints=())
    change = change_of(comparison, "p50")
    assert (change.outcome, change.is_real) == ("INCONCLUSIVE", False)
    assert change.low < 0 < change.high
    assert settle(comparison) == "INCONCLUSIVE"


def test_outcome__passes_where_the_worst_is_within_the_tolerance_though_the_interval_is_not():
    change = change_of(compared(*duet(2, noise=HOSTILE), tolerances={"p50": 0.14}), "p50")
    assert change.worst < 0.14 < change.mde
    assert change.high > change.worst
    assert change.outcome == "PASS"


def test_outcome__passes_where_the_estimate_is_within_and_a_breach_would_have_been_seen():
    base, head = duet(slower=1.09)
    change = change_of(compared(base, head, tolerances={"p50": 0.1}), "p50")
    assert change.change < 0.1 < change.worst
    assert change.mde < 0.1
    assert change.outcome == "PASS"


def test_outcome__a_change_within_is_inconclusive_where_a_breach_would_not_have_been_seen():
    change = change_of(compared(*duet(2, noise=HOSTILE), tolerances={"p50": 0.05}), "p50")
    assert change.change < 0.05 < min(change.worst, change.mde)
    assert change.outcome == "INCONCLUSIVE"


def test_mde__adds_the_power_of_four_in_five_to_the_interval():
    (change,) = compared(*duet(noise=HOSTILE), tolerances={"p95": 0.2}, endpoints=()).changes
    error = (np.log1p(change.high) - np.log1p(change.change)) / stats.t.isf(
        0.01, 20
    )  # (24 - 2 * 4 - 1) * 12 / 9
    assert np.log1p(change.mde) == pytest.approx(error * (stats.t.isf(0.01, 20) + stats.t.isf(0.2, 20)))


def test_outcome__a_lower_rate_is_worse_and_a_higher_one_is_not():
    base, head = duet()
    fewer = head.pick(np.random.default_rng(2).random(head.success.size) < 0.7)
    slower = change_of(compared(base, fewer), "rate")
    assert slower.outcome == "FAIL"
    assert slower.change == pytest.approx(-0.3, abs=0.05)
    assert slower.worst < slower.change
    assert change_of(compared(fewer, base), "rate").outcome == "PASS"


def slump(samples: SideSamples, from_s: float, *, seed: int) -> SideSamples:
    """Loses most requests of ten seconds."""
    within = (samples.intended_s >= START_S + from_s) & (samples.intended_s < START_S + from_s + 10)
    return samples.pick(~within | (np.random.default_rng(seed).random(samples.success.size) < 0.2))


def test_rate__what_slows_both_sides_at_once_does_not_blur_it():
    base, head = duet()
    together = change_of(compared(slump(base, 20, seed=1), slump(head, 20, seed=2)), "rate")
    apart = change_of(compared(slump(base, 20, seed=1), slump(head, 40, seed=2)), "rate")
    assert together.high - together.low < 0.25 * (apart.high - apart.low)


def test_decide__nothing_compared_is_no_pass():
    assert settle(Comparison(changes=(), not_compared=())) == "INCONCLUSIVE"


def test_trimmed_mean__by_hand():
    # winsorised: 1 1 3 4 4, less their mean 2.6; batches of 2: -3.2 -1.2 1.8 2.8; the middle: 1 3 4
    estimate, error, df = trimmed_mean(np.array([0.0, 1.0, 3.0, 4.0, 9.0]), 2)
    assert estimate == pytest.approx(8 / 3)
    assert error == pytest.approx(5 / 3 * math.sqrt((3.2**2 + 1.2**2 + 1.8**2 + 2.8**2) / (2 * 4 * 3)))
    assert df == pytest.approx(4 / 3 * (2.5 - 1))


def test_trimmed_mean__of_single_windows_is_tukeys_and_mclaughlins():
    values = np.random.default_rng(1).normal(size=20)
    estimate, error, df = trimmed_mean(values, 1)
    winsorised = stats.mstats.winsorize(values, limits=(0.2, 0.2))
    assert estimate == pytest.approx(stats.trim_mean(values, 0.2))
    assert error == pytest.approx(np.std(winsorised, ddof=1) * math.sqrt(20) / 12)
    assert df == 11


@pytest.mark.parametrize("df", [0.5, 5.0, 9.33, 20.0, 1e6])
@pytest.mark.parametrize("tail", [1e-9, 0.01, 0.2, 0.5])
def test_effect__has_the_tails_of_students_t(df, tail):
    effect = Effect(base=1, head=1, estimate=-0.3, error=0.2, df=df, windows=9)
    assert effect.bound(tail) == pytest.approx(stats.t.isf(tail, df) * 0.2, rel=1e-12, abs=1e-15)
    assert effect.p_value == pytest.approx(stats.t.sf(1.5, df), rel=1e-12)


def test_windows__that_are_empty_in_the_same_place_leave_as_many_batches_as_blocks():
    base, head = (s.pick((s.intended_s - START_S) % 5 < 1) for s in duet(duration_s=120.0))
    effect = measure_percentile(base, head, 0.5, phase(120.0))
    assert effect.windows == 120
    assert effect.df == 15  # 24 - 2 * 4 - 1, a window in each block


# Failures


def test_failures__none_on_either_side_is_no_change():
    change = change_of(compared(*duet()), "failures")
    assert (change.base, change.head, change.change, change.p_value) == (0, 0, 0, 0.5)
    assert change.low == -change.high < -1 / duet()[0].success.size
    assert change.outcome == "PASS"


def outage(samples: SideSamples, from_s: float) -> SideSamples:
    at_s = samples.intended_s - START_S
    return replace(samples, success=(at_s < from_s) | (at_s >= from_s + 5))


def test_failures__an_outage_of_both_sides_at_once_does_not_blur_it():
    base, head = duet()
    together = change_of(compared(outage(base, 20), outage(head, 20)), "failures")
    apart = change_of(compared(outage(base, 20), outage(head, 40)), "failures")
    assert together.head == pytest.approx(5 / 60, abs=0.01)
    assert together.high - together.low < 0.25 * (apart.high - apart.low)


def test_failures__none_against_many_fails_and_many_against_none_passes():
    base, head = duet()
    broken = fail_some(head, 0.05)
    change = change_of(compared(base, broken), "failures")
    assert change.outcome == "FAIL"
    assert change.change == pytest.approx(0.05, abs=0.015)
    assert change_of(compared(broken, base), "failures").outcome == "PASS"


def test_failures__a_single_one_is_no_change():
    base, head = duet()
    one = replace(head, success=np.arange(head.success.size) != 7)
    change = change_of(compared(base, one, tolerances={"failures": 0.0}), "failures")
    assert (change.outcome, change.is_real) == ("INCONCLUSIVE", False)


def test_failures__all_requests_failing_fails_and_says_that_percentiles_were_not_compared():
    base, head = duet()
    comparison = compared(base, replace(head, success=np.zeros_like(head.success)))
    assert change_of(comparison, "failures").change == 1
    assert missing_of(comparison, "p50").outcome == "INCONCLUSIVE"
    assert missing_of(comparison, "rate").head_samples == 0
    assert settle(comparison) == "FAIL"


def test_failures__do_not_count_in_percentiles():
    base, head = duet()
    failed = np.random.default_rng(1).random(head.success.size) < 0.3
    slow_failures = replace(head, success=~failed, latency_ms=np.where(failed, 30_000, head.latency_ms))
    assert change_of(compared(base, slow_failures), "p95").outcome == "PASS"


# Too few samples


def test_missing__a_percentile_without_enough_successes_is_named_not_dropped():
    base, head = duet(duration_s=20.0)
    comparison = compared(base, head, tolerances={"p50": 0.3, "p99": 0.2}, duration_s=20.0)
    missing = missing_of(comparison, "p99")
    assert (missing.lacking, missing.needed, missing.base_samples) == ("samples", 1000, base.success.size)
    assert missing.outcome == settle(comparison) == "INCONCLUSIVE"
    assert change_of(comparison, "p50").outcome == "PASS"


@pytest.mark.parametrize(("metric", "needed"), [("p50", 20), ("p90", 100), ("p95", 200), ("p99", 1000)])
def test_missing__exactly_the_successes_needed_are_enough_and_one_less_is_not(metric, needed):
    enough = even_load(5.0, per_second=needed, duration_s=60)
    enough = enough.pick(np.arange(enough.success.size) % 60 == 0)
    assert enough.success.size == needed
    tolerances = {metric: 0.1}
    assert len(compared(enough, enough, tolerances=tolerances, endpoints=()).changes) == 1
    short = enough.pick(np.arange(needed) > 0)
    assert (
        missing_of(compared(enough, short, tolerances=tolerances, endpoints=()), metric).lacking == "samples"
    )


def rare(samples: SideSamples, every: int) -> SideSamples:
    """Keeps few requests of the third endpoint."""
    return samples.pick((samples.endpoint != 2) | (np.arange(samples.success.size) % every == 0))


def test_missing__an_endpoint_too_rare_on_both_sides_does_not_keep_a_run_from_passing():
    base, head = (rare(s, 100) for s in duet())
    comparison = compared(base, head, tolerances=WIDE)
    assert missing_of(comparison, "p95", ENDPOINTS[2]).outcome == "PASS"
    assert settle(comparison) == "PASS"


def test_missing__waits_while_more_load_would_bring_enough():
    base, head = (rare(s, 4) for s in duet())
    comparison = compared(base, head, tolerances=WIDE, interim=FIRST)
    missing = missing_of(comparison, "p95", ENDPOINTS[2])
    assert missing.needed / 3 < min(missing.base_samples, missing.head_samples) < missing.needed
    assert settle(comparison) == "INCONCLUSIVE"
    assert settle(compared(base, head, tolerances=WIDE)) == "PASS"


def test_missing__one_side_without_an_endpoint_is_inconclusive():
    base, head = duet()
    comparison = compared(base, rare(head, 100), tolerances=WIDE)
    assert missing_of(comparison, "p95", ENDPOINTS[2]).outcome == "INCONCLUSIVE"
    assert settle(comparison) == "INCONCLUSIVE"


def test_missing__sides_that_were_never_called_at_the_same_time_are_not_compared():
    base, head = duet()
    early = base.pick(base.intended_s < START_S + 37)
    late = head.pick(head.intended_s >= START_S + 23)  # in common: 14 windows of the median, but 6 blocks
    missing = missing_of(compared(early, late), "p50")
    assert (missing.lacking, missing.outcome) == ("windows", "INCONCLUSIVE")
    later = head.pick(head.intended_s >= START_S + 5)
    assert change_of(compared(early, later), "p50")


# Odd samples


def test_constant_times__equal_sides_are_no_change_and_unequal_ones_are_real():
    same = compared(even_load(5.0), even_load(5.0), endpoints=("GET /",))
    assert {(c.change, c.p_value, c.outcome) for c in same.changes} == {(0, 0.5, "PASS")}
    slower = change_of(compared(even_load(5.0), even_load(6.0), endpoints=("GET /",)), "p50")
    assert slower.p_value < 1e-99
    assert slower.outcome == "FAIL"
    assert (slower.low, slower.high) == pytest.approx((0.2, 0.2))


def test_extreme_times__stay_finite_and_survive_json():
    comparison = compared(even_load(0.0), even_load(1e9), endpoints=("GET /",))
    assert msgspec.json.decode(msgspec.json.encode(comparison), type=Comparison) == comparison
    assert change_of(comparison, "p50").outcome == "FAIL"


def test_extreme_spread__leaves_no_bound_infinite():
    base = even_load(1.0, duration_s=20)
    second = np.arange(base.success.size) // 20
    head = replace(base, latency_ms=np.where(second // 2 % 2, 1e9, 1e-3))
    comparison = compared(base, head, duration_s=20.0, alpha=1e-9, endpoints=())
    assert all(np.isfinite([c.low, c.high, c.worst, c.mde]).all() for c in comparison.changes)
    assert change_of(comparison, "p50").high > 1e8


@pytest.mark.parametrize(
    ("every_s", "outcome"),
    # stalls reach 42 %, 29 %, 10 % of the windows; the last are 1 % of the requests, which moves no p95
    [(6, "FAIL"), (9, "INCONCLUSIVE"), (24, "INCONCLUSIVE"), (60, "PASS")],
)
def test_stalls__that_leave_most_seconds_alone_are_found_in_the_tail(every_s, outcome):
    base, head = duet(duration_s=120.0)

    def stall(at_s, latency_ms):
        into_s = at_s % every_s
        return np.where(into_s < 0.75, latency_ms + (0.75 - into_s) * 1000, latency_ms)

    comparison = compared(base, change_response(head, stall), duration_s=120.0)
    assert change_of(comparison, "p95").outcome == outcome
    assert change_of(comparison, "p50").outcome == "PASS"


@given(st.integers(0, 1000))
def test_pass__is_never_what_the_plain_percentile_shows_as_worse_than_the_tolerance(seed):
    draw = np.random.default_rng(seed)
    base, head = duet(seed)
    every_s, long_s = draw.uniform(5, 30), draw.uniform(0.1, 2)
    stalled = change_response(head, lambda at_s, ms: np.where(at_s % every_s < long_s, ms + 500, ms))
    change = change_of(compared(base, stalled), "p95")
    assert change.outcome != "PASS" or change.head <= change.base * (1 + change.tolerance)


# Family


def test_holm_levels__by_hand():
    p_values = [0.011, 0.02, 0.001, 0.3, 0.012]
    # sorted: 0.001 <= 0.05/5, 0.011 <= 0.05/4, 0.012 <= 0.05/3, 0.02 <= 0.05/2, 0.3 > 0.05/1
    even = [0.2] * 5
    assert holm_levels(p_values, even, 0.05) == pytest.approx([0.05 / 4, 0.05 / 2, 0.05 / 5, 0.05, 0.05 / 3])
    # sorted: 0.001 <= 0.02/5, 0.011 > 0.02/4, and the rest stay at that level
    assert holm_levels(p_values, even, 0.02) == pytest.approx([0.005, 0.005, 0.004, 0.005, 0.005])
    assert holm_levels([], [], 0.05) == []


def test_holm_levels__by_hand_with_weights():
    # by p / weight: 0.003 <= 0.05 * 0.3, 0.02 <= 0.05 * 0.6 / 0.7, 0.04 <= 0.05 * 0.1 / 0.1
    levels = holm_levels([0.04, 0.003, 0.02], [0.1, 0.3, 0.6], 0.05)
    assert levels == pytest.approx([0.05, 0.05 * 0.3, 0.05 * 0.6 / 0.7])
    # 0.02 > 0.02 * 0.6 / 0.7: the rest keep their shares of then
    levels = holm_levels([0.04, 0.003, 0.02], [0.1, 0.3, 0.6], 0.02)
    assert levels == pytest.approx([0.02 * 0.1 / 0.7, 0.02 * 0.3, 0.02 * 0.6 / 0.7])


def test_weights__all_requests_share_half_and_the_endpoints_the_other_half():
    assert weigh_endpoints(["all", "all", "GET /a", "GET /b"]) == [0.25] * 4
    assert weigh_endpoints(["all", *ENDPOINTS]) == [SHARE_OF_ALL, *[(1 - SHARE_OF_ALL) / 3] * 3]
    assert weigh_endpoints([]) == []
    levels = holm_levels([0.4, 0.4], weigh_endpoints(["GET /a", "GET /b"]), 0.01)
    assert levels == pytest.approx([0.005, 0.005])  # with nothing about all, nothing is lost


FAMILIES = st.lists(st.tuples(st.floats(0, 0.5), st.floats(0.01, 1)), min_size=1, max_size=30)


@given(FAMILIES, st.floats(0.001, 0.2))
def test_holm_levels__reject_what_adjusted_p_values_reject(family, alpha):
    p_values, weights = zip(*family, strict=True)
    adjusted, so_far, left = {}, 0.0, sum(weights)
    for index in sorted(range(len(family)), key=lambda i: p_values[i] / weights[i]):
        so_far = max(so_far, p_values[index] * left / weights[index])
        adjusted[index] = so_far
        left -= weights[index]
    levels = holm_levels(p_values, weights, alpha)
    for index, p_value in enumerate(p_values):
        if abs(adjusted[index] - alpha) > 1e-12:
            assert (p_value <= levels[index]) == (adjusted[index] <= alpha)


@pytest.mark.parametrize("slower", [1.0, 1.05, 1.1, 1.3])
def test_interval__excludes_zero_exactly_where_the_change_is_real(slower):
    changes = [c for seed in range(6) for c in compared(*duet(seed, slower=slower)).changes]
    assert [c.is_real for c in changes] == [not c.low <= 0 <= c.high for c in changes]
