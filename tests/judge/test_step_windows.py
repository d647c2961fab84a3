"""Windows of a step against a count request by request, and what is drawn from them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ci_gate.judge.capacity.step_windows import StepWindow, cut_windows, draw_means, draw_scatter, estimate
from ci_gate.judge.steady import classify
from tests.judge.recordings import BEGIN_S, DURATION_S, make_recording, make_rows


def cut(recording):
    return cut_windows(classify(recording, ()))


@given(times_ms=arrays.arrays(float, st.integers(1, 60), elements=st.floats(0, 30_000)))
def test_windows__count_what_ends_in_them_and_all_that_is_with_the_service(times_ms):
    rows = make_rows(2, times_ms, begin_s=BEGIN_S - 3)
    windows = cut(make_recording(rows))
    begins, ends = rows["start_s"], rows["start_s"] + rows["response_ms"] / 1000
    assert len(windows) == DURATION_S
    for number, window in enumerate(windows):
        low, high = BEGIN_S + number, BEGIN_S + number + 1
        inside = np.minimum(ends, high) - np.maximum(begins, low)
        assert window.in_flight == pytest.approx(inside[inside > 0].sum(), abs=1e-6)
    ended = int(((ends >= BEGIN_S) & (ends <= BEGIN_S + DURATION_S)).sum())
    assert sum(window.rate_per_s for window in windows) == pytest.approx(ended, abs=1)


def test_windows__littles_law():
    """100 requests a second of 50 ms each: 5 are with the service."""
    windows = cut(make_recording(make_rows(2, np.full(1000, 50.0))))
    assert [window.rate_per_s for window in windows[1:]] == pytest.approx([100.0] * 9, abs=1.01)
    assert [window.in_flight for window in windows[1:]] == pytest.approx([5.0] * 9, abs=0.1)


def test_windows__failures_are_with_the_service_and_no_throughput():
    windows = cut(make_recording(make_rows(2, np.full(1000, 50.0), status=500)))
    assert {window.rate_per_s for window in windows} == {0.0}
    assert windows[5].in_flight == pytest.approx(5.0, abs=0.1)


def test_windows__none_without_a_steady_phase():
    assert cut(make_recording(make_rows(2, [1.0]), marks=())) == ()


def test_draws__scatter_as_the_mean_of_independent_windows_does():
    generator = np.random.default_rng(1)
    rates = generator.normal(100, 10, 12)
    windows = [StepWindow(rate_per_s=float(rate), in_flight=1.0) for rate in rates]
    drawn, in_flight = draw_means([windows], generator)
    assert drawn.std() == pytest.approx(rates.std(ddof=1) / np.sqrt(12), rel=0.1)
    assert drawn.mean() == pytest.approx(rates.mean(), rel=0.01)
    assert (in_flight == 1.0).all()


def test_draws__have_no_zero_to_take_a_logarithm_of():
    windows = [StepWindow(rate_per_s=rate, in_flight=rate) for rate in (0.0, 0.0, 0.0, 4.0)]
    drawn, in_flight = draw_means([windows], np.random.default_rng(1))
    assert drawn.min() > 0
    assert in_flight.min() > 0


def test_scatter__is_what_windows_do_not_explain():
    generator = np.random.default_rng(1)
    residuals = np.array([0.1, -0.1, 0.1, -0.1, 0.1, -0.1])
    assert (draw_scatter(residuals, np.full(6, 0.02), 2, generator) == 0).all()
    drawn = draw_scatter(residuals, np.full(6, 0.005), 2, generator)
    excess = 0.06 / 4 - 0.005
    assert np.median(np.abs(drawn)) == pytest.approx(0.741 * np.sqrt(excess), rel=0.1)  # of Student's t, 4 df


def test_estimate__its_interval_holds_the_middle_and_the_value():
    drawn = np.arange(1001) / 10
    assert estimate(50.0, drawn).low == pytest.approx(2.5)
    assert estimate(50.0, drawn).high == pytest.approx(97.5)
    assert estimate(99.0, drawn).high == 99.0
