from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_gate.evidence.samples import (
    ENDED_BY_CHECK,
    ENDED_NEVER,
    ENDED_UNREPORTED,
    ENDED_WELL,
    ENDED_WITHOUT_REPLY,
    NOT_HTTP,
)
from ci_gate.judge.steady import classify
from ci_gate.judge.summary import MAX_ENDPOINTS, summarise
from ci_gate.thresholds import Accepted, Position
from tests.judge.recordings import BEGIN_S, DURATION_S, make_recording, make_rows

A, B = 2, 3  # ids of GET /a and POST /b
ACCEPT_404_ON_A = (Accepted(endpoint="GET /a", statuses=(404,), at=Position(line=1, column=1)),)


def summary_of(recording, accept=()):
    return {each.endpoint: each for each in summarise(classify(recording, accept).steady)}


def test_steady_phase__ramp_and_drain_do_not_count():
    times = [5.0] * 100
    before = make_rows(A, times, begin_s=BEGIN_S - DURATION_S)
    after = make_rows(A, times, begin_s=BEGIN_S + DURATION_S)
    steady = make_rows(A, times)
    assert summary_of(make_recording(before, steady, after))["all"].requests == 100


def test_steady_phase__requests_in_flight_at_the_end_count():
    last = make_rows(A, [60_000.0] * 5)
    assert summary_of(make_recording(last))["all"].p50_ms == 60_000


def test_steady_phase__never_begun():
    recording = make_recording(make_rows(A, [1.0]), marks=())
    steady = classify(recording, ()).steady
    assert (len(steady.samples), steady.duration_s) == (0, 0)
    assert summary_of(recording)["all"].rate_per_s == 0


@pytest.mark.parametrize(
    ("status", "ending", "success"),
    [
        (200, ENDED_WELL, True),
        (304, ENDED_WELL, True),
        (404, None, True),  # accepted on this endpoint
        (404, ENDED_WELL, True),
        (404, ENDED_BY_CHECK, False),  # accepted, but the scenario's own check failed
        (403, None, False),
        (403, ENDED_WELL, False),  # success() on a status that is not accepted does not help
        (200, ENDED_BY_CHECK, False),
        (0, ENDED_WITHOUT_REPLY, False),
        (0, ENDED_NEVER, False),
        (0, ENDED_WELL, False),
        (200, ENDED_UNREPORTED, False),
        (NOT_HTTP, ENDED_WELL, True),
        (NOT_HTTP, ENDED_BY_CHECK, False),
    ],
)
def test_success__by_status_ending_and_accept(status, ending, success):
    recording = make_recording(make_rows(A, [1.0], status=status, ending=ending))
    assert summary_of(recording, ACCEPT_404_ON_A)["GET /a"].successes == success


def test_success__accept_is_of_one_endpoint():
    recording = make_recording(make_rows(A, [1.0], status=404), make_rows(B, [1.0], status=404))
    summaries = summary_of(recording, ACCEPT_404_ON_A)
    assert (summaries["GET /a"].failures, summaries["POST /b"].failures) == (0, 1)


def test_latency__is_of_successes_only():
    recording = make_recording(make_rows(A, [100.0] * 10), make_rows(A, [1.0] * 90, status=500))
    total = summary_of(recording)["all"]
    assert total.p50_ms == 100
    assert total.failure_share == 0.9
    assert total.rate_per_s == 1.0
    assert total.statuses == {"200": 10, "500": 90}


def test_latency__from_the_intended_start_and_from_the_send():
    recording = make_recording(make_rows(A, [10.0] * 50, late_s=0.5))
    total = summary_of(recording)["all"]
    assert total.p50_ms == pytest.approx(510)
    assert total.sent.p50_ms == 10
    assert summary_of(make_recording(make_rows(A, [10.0] * 50)))["all"].sent is None


def test_summary__percentiles_equal_numpys_on_the_same_samples():
    times = np.random.default_rng(1).lognormal(3, 1, 5000)
    total = summary_of(make_recording(make_rows(A, times)))["all"]
    assert [total.p50_ms, total.p95_ms, total.p99_ms, total.max_ms] == np.percentile(
        times, [50, 95, 99, 100]
    ).tolist()


def test_summary__errors_most_frequent_first():
    strings = ("", "Visitor", "GET /a", "POST /b", "refused", "timed out")
    rows = [make_rows(A, [1.0] * 2, status=0, ending=ENDED_WITHOUT_REPLY, error=4)]
    rows += [make_rows(B, [1.0] * 3, status=0, ending=ENDED_WITHOUT_REPLY, error=5)]
    total = summary_of(make_recording(*rows, strings=strings))["all"]
    assert [(error.error, error.count) for error in total.errors] == [("timed out", 3), ("refused", 2)]
    assert total.statuses == {"no reply": 5}


def test_summary__errors_that_differ_by_ids_are_one():
    strings = ("", "Visitor", "GET /a", "POST /b", *(f"no user {number}" for number in range(9)))
    rows = [make_rows(A, [1.0], status=500, error=4 + number) for number in range(9)]
    total = summary_of(make_recording(*rows, strings=strings))["all"]
    assert [(error.error, error.count) for error in total.errors] == [("no user *", 9)]


def test_summary__named_endpoints_first_and_never_left_out():
    names = [f"GET /{number}" for number in range(MAX_ENDPOINTS + 9)]
    rows = [make_rows(2 + number, [1.0] * (2 if number else 1)) for number in range(len(names))]
    recording = make_recording(*rows, strings=("", "Visitor", *names))
    steady = classify(recording, ()).steady
    endpoints = [each.endpoint for each in summarise(steady, ("GET /0", "GET /never"))]
    assert endpoints[:2] == ["all", "GET /0"]
    assert len(endpoints) == 2 + MAX_ENDPOINTS


@given(
    st.lists(
        st.tuples(st.sampled_from([A, B]), st.floats(0, 1e5), st.sampled_from([200, 404, 500])), max_size=50
    )
)
def test_summary__endpoints_add_up_to_all(requests):
    recording = make_recording(
        *(make_rows(endpoint, [time], status=status) for endpoint, time, status in requests)
    )
    summaries = summary_of(recording, ACCEPT_404_ON_A)
    total = summaries.pop("all")
    assert total.requests == sum(each.requests for each in summaries.values()) == len(requests)
    assert total.successes == sum(each.successes for each in summaries.values())
    assert total.rate_per_s == pytest.approx(sum(each.rate_per_s for each in summaries.values()))
