from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_gate.judge.limits import judge_limit
from ci_gate.judge.steady import classify
from ci_gate.judge.summary import summarise
from ci_gate.report.limits import describe_limit
from ci_gate.thresholds import Limit, Position, metric_of
from ci_gate.thresholds.quantities import parse_share
from tests.judge.recordings import make_recording, make_rows

A = 2


def judge(metric, bound, *rows, endpoint="all"):
    at = Position(line=7, column=1)
    limit = Limit(endpoint=endpoint, metric=metric_of(metric), bound=bound, text="", at=at)
    steady = classify(make_recording(*rows), ()).steady
    return judge_limit(limit, steady, summarise(steady))


@pytest.mark.parametrize(
    ("metric", "kept", "breached"),
    [
        ("p50", 50.5, 50.4),
        ("p90", 100, 90),
        ("failures", 0.2, 0.19),
        ("successes", 0.8, 0.81),
        ("rate", 80, 80.1),
    ],
)
def test_limit__both_ways(metric, kept, breached):
    rows = [make_rows(A, [*range(1, 101)] * 8), make_rows(A, [1.0] * 200, status=500)]
    assert judge(metric, kept, *rows).outcome == "PASS"
    assert judge(metric, breached, *rows).outcome == "FAIL"


@pytest.mark.parametrize(("metric", "needed"), [("p50", 20), ("p95", 200), ("p99", 1000)])
def test_limit__a_percentile_takes_enough_successes(metric, needed):
    assert judge(metric, 1000, make_rows(A, [1.0] * needed)).outcome == "PASS"
    too_few = judge(metric, 1000, make_rows(A, [1.0] * (needed - 1)), make_rows(A, [1.0] * 50, status=500))
    assert (too_few.outcome, too_few.samples, too_few.needed) == ("INVALID", needed - 1, needed)
    assert judge(metric, 0.5, make_rows(A, [1.0] * (needed - 1))).outcome == "INVALID"


def test_limit__nothing_measured_proves_nothing():
    for metric in ("p50", "failures", "successes", "rate"):
        result = judge(metric, 0, endpoint="GET /never")
        assert (result.outcome, result.measured) == ("INVALID", None)


def test_limit__is_of_its_endpoint():
    rows = [make_rows(A, [10.0] * 30), make_rows(3, [1000.0] * 30)]
    assert judge("p50", 20, *rows, endpoint="GET /a").outcome == "PASS"
    assert judge("p50", 20, *rows, endpoint="POST /b").outcome == "FAIL"


def judge_share(metric, text, counted, requests):
    """``counted`` of ``requests`` fail, or succeed, as ``metric`` says."""
    failed = counted if metric == "failures" else requests - counted
    rows = [make_rows(A, [1.0] * (requests - failed)), make_rows(A, [1.0] * failed, status=500)]
    return judge(metric, parse_share(text), *rows)


@pytest.mark.parametrize(
    ("text", "counted", "requests"),
    [("1%", 10, 1000), ("1%", 1, 100), ("5%", 10, 200), ("0.1%", 1, 1000), ("14.3%", 143, 1000)],
)
def test_share__that_equals_its_bound_keeps_it(text, counted, requests):
    assert judge_share("failures", text, counted, requests).outcome == "PASS"
    assert judge_share("failures", text, counted + 1, requests).outcome == "FAIL"
    floor = f"{100 - Decimal(text[:-1])}%"
    assert judge_share("successes", floor, requests - counted, requests).outcome == "PASS"
    assert judge_share("successes", floor, requests - counted - 1, requests).outcome == "FAIL"


@given(data=st.data(), requests=st.integers(10, 3000), metric=st.sampled_from(["failures", "successes"]))
def test_share__is_compared_as_the_counts_say(data, requests, metric):
    """Also right at the bound, where there is a count that equals it, and one beside it."""
    percent = Decimal(data.draw(st.integers(0, 100_000_000))) / 1_000_000
    if data.draw(st.booleans()):
        percent = (Decimal(data.draw(st.integers(0, requests))) * 100 / requests).quantize(
            Decimal("0.000001")
        )
    nearest = int(percent * requests / 100)
    counted = min(max(nearest + data.draw(st.integers(-1, 1)), 0), requests)
    share, bound = Decimal(counted) * 100, percent * requests
    is_kept = share <= bound if metric == "failures" else share >= bound
    result = judge_share(metric, f"{percent.normalize():f}%", counted, requests)
    assert result.outcome == ("PASS" if is_kept else "FAIL")


@pytest.mark.parametrize("metric", ["failures", "successes", "rate"])
def test_limit__that_is_no_percentile_takes_ten_requests(metric):
    for requests, outcome in ((9, "INVALID"), (10, "PASS")):
        result = judge(metric, 1.0 if metric == "failures" else 0.01, make_rows(A, [1.0] * requests))
        assert (result.outcome, result.needed) == (outcome, 10)


@pytest.mark.parametrize(("requests", "lacking"), [(9, "samples"), (200, "readings")])
def test_limit__what_was_not_read_of_enough_requests_lacks_readings_and_not_samples(requests, lacking):
    result = judge("cpu", 5.0, make_rows(A, [1.0] * requests))
    assert (result.outcome, result.lacks_readings) == ("INVALID", lacking == "readings")
    assert describe_limit(result).startswith(f"was not measured (too few {lacking}), must be at most")
