from __future__ import annotations

import pytest

from ci_gate.judge.limits import judge_limit
from ci_gate.judge.summary import select_steady_phase
from ci_gate.thresholds import Limit, Position
from tests.judge.recordings import make_recording, make_rows

A = 2


def judge(metric, bound, *rows, endpoint="all"):
    limit = Limit(endpoint=endpoint, metric=metric, bound=bound, text="", at=Position(line=7, column=1))
    return judge_limit(limit, select_steady_phase(make_recording(*rows), ()))


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
    assert judge(metric, kept, *rows).outcome == "kept"
    assert judge(metric, breached, *rows).outcome == "breached"


@pytest.mark.parametrize(("metric", "needed"), [("p50", 20), ("p95", 200), ("p99", 1000)])
def test_limit__a_percentile_takes_enough_successes(metric, needed):
    assert judge(metric, 1000, make_rows(A, [1.0] * needed)).outcome == "kept"
    too_few = judge(metric, 1000, make_rows(A, [1.0] * (needed - 1)), make_rows(A, [1.0] * 50, status=500))
    assert (too_few.outcome, too_few.samples, too_few.needed) == ("unproven", needed - 1, needed)
    assert judge(metric, 0.5, make_rows(A, [1.0] * (needed - 1))).outcome == "unproven"


def test_limit__nothing_measured_proves_nothing():
    for metric in ("p50", "failures", "successes", "rate"):
        result = judge(metric, 0, endpoint="GET /never")
        assert (result.outcome, result.measured) == ("unproven", None)


def test_limit__is_of_its_endpoint():
    rows = [make_rows(A, [10.0] * 30), make_rows(3, [1000.0] * 30)]
    assert judge("p50", 20, *rows, endpoint="GET /a").outcome == "kept"
    assert judge("p50", 20, *rows, endpoint="POST /b").outcome == "breached"
