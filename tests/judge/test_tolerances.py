"""What comparisons of equal versions say: false alarms, and tolerances by which they pass."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_gate.judge.compare.worsening import judge_change
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.suggest.suggestion import Evidence, suggest
from ci_gate.judge.suggest.tolerances import list_scatter, support_scatter, support_tolerances
from ci_gate.report.suggestion import render_remarks, write_suggestion
from ci_gate.thresholds import parse_thresholds
from tests.judge.test_suggest import read
from tests.report.verdicts import change, duet

THRESHOLDS = read("all: {failures: 1%}\n    regression: {p95: 10%, rate: 5%}")
SCENARIO = THRESHOLDS.scenarios[0]


def equal(size, *, metric="p95", endpoint="all", worst=None, mde=0.03, **more):
    """A comparison of equal versions that measured this change."""
    sign = -1 if metric == "rate" else 1
    worst = size + sign * 0.02 if worst is None else worst
    return change(endpoint, metric, size, outcome="PASS", worst=worst, mde=mde, is_real=False, **more)


def test_scatter__has_the_exact_interval_of_the_false_alarms():
    duets = [duet(equal(0.01)), duet(equal(0.03)), duet(change(size=0.2))]
    (row,) = list_scatter(duets)
    assert (row.rounds, row.false_alarms) == (3, 1)
    assert (row.alarms_low, row.alarms_high) == pytest.approx((0.0084, 0.9057), abs=1e-4)
    assert row.deviation == pytest.approx(np.std([0.01, 0.03, 0.2], ddof=1))
    (row,) = list_scatter(duets[:1])
    assert (row.alarms_low, row.alarms_high, row.deviation) == (0.0, pytest.approx(0.975), None)


def test_tolerance__takes_five_rounds():
    (few,) = support_tolerances(SCENARIO, [duet(equal(0.01))] * 4)
    assert (few.rounds, few.tolerance) == (4, None)
    (enough,) = support_tolerances(SCENARIO, [duet(equal(0.01))] * 5)
    assert enough.tolerance == 0.04  # the change is within 3 %, which is what could be detected


def test_tolerance__is_wider_where_fresh_starts_scatter():
    (support,) = support_tolerances(
        SCENARIO, [duet(equal(size)) for size in (-0.08, -0.04, 0.0, 0.04, 0.08, 0.02)]
    )
    assert support.tolerance == 0.24
    assert (support.highest, support.median) == (0.08, pytest.approx(0.01))


def test_tolerance__of_a_rate_is_how_much_less():
    duets = [duet(equal(size, metric="rate")) for size in (-0.01, 0.0, 0.01, -0.01, 0.0)]
    (support,) = support_tolerances(SCENARIO, duets)
    assert (support.metric.name, support.tolerance, support.highest) == ("rate", 0.04, 0.01)


def test_tolerance__a_single_endpoint_that_looked_worse_counts():
    duets = [duet(equal(0.0), equal(0.3 * (number == 2), endpoint="GET /a")) for number in range(5)]
    (support,) = support_tolerances(SCENARIO, duets)
    assert support.tolerance == 0.31


@given(
    st.lists(
        st.tuples(st.floats(-0.3, 0.3), st.floats(0, 0.3), st.floats(0.001, 0.4), st.floats(0.7, 1.4)),
        min_size=5,
        max_size=9,
    ),
    st.booleans(),
)
def test_tolerance__each_comparison_would_have_passed_by_it(rows, real):
    changes = [equal(size, worst=size + above, mde=mde, head=200.0 * head) for size, above, mde, head in rows]
    (support,) = support_tolerances(SCENARIO, [duet(each) for each in changes])
    for each in changes:
        again = msgspec.structs.replace(each, tolerance=support.tolerance, is_real=real)
        assert judge_change(again) == Outcome.PASS


@pytest.mark.parametrize("replaces", [False, True])
def test_suggestion__replaces_a_tolerance_only_if_asked(replaces):
    duets = {"visits": tuple(duet(equal(0.01), equal(0.0, metric="rate", mde=0.08)) for _ in range(5))}
    found = suggest(THRESHOLDS, Evidence(runs={}, duets=duets, unusable=()), replaces=replaces)
    p95, rate = found.scenarios[0].tolerances
    assert (p95.ratio, p95.loosens) == ((0.04, False) if replaces else (None, False))
    assert (rate.ratio, rate.loosens) == ((None, False) if not replaces else (0.03, False))


SIZES = (-0.04, -0.02, 0.0, 0.02, 0.04)


def of_equal(factor=1.0, *more):
    return tuple(duet(equal(factor * size), *more) for size in SIZES)


def suggest_scatter(text="", *, replaces=True):
    """What five comparisons of equal versions suggest where the file begins with ``text``."""
    file = THRESHOLDS.text.replace("schema: 1\n", f"schema: 1\n{text}")
    thresholds = parse_thresholds(file, "thresholds.yaml")
    duets = {"visits": of_equal(1.0, equal(0.3, endpoint="GET /a"))}
    found = suggest(thresholds, Evidence(runs={}, duets=duets, unusable=()), replaces=replaces)
    return write_suggestion(thresholds, found), [*render_remarks(found)]


def test_scatter__of_starts_is_the_most_of_all_scenarios_rounded_up():
    """The standard deviation of these changes is 3.16 %."""
    found = support_scatter({"a": of_equal(), "b": of_equal(2.0), "c": of_equal(9.0)[:4]})
    assert [(each.metric.name, each.size, each.rounds) for each in found] == [("p95", 0.064, 5)]
    assert support_scatter({"a": of_equal()[:4]}) == ()
    assert support_scatter({"a": (duet(equal(0.01)),) * 5}) == ()
    tiny = (0.0, 0.0, 0.0, 0.0, 1e-6)
    assert support_scatter({"a": tuple(duet(equal(size)) for size in tiny)})[0].size == 0.001


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        ("", "written: scatter of p95 from what ci-gate's own measurements say to 3.2%"),
        ("compare: {max_duration: 40s}\n", "written: scatter of p95 from what"),
        ("compare: {scatter: {p95: 9%, p50: 2%}}\n", "lowered: scatter of p95 from 9.0% to 3.2%"),
        ("compare:\n  scatter:\n    p95: 1%  # mine\n", "raised: scatter of p95 from 1.0% to 3.2%"),
    ],
)
def test_suggestion__writes_what_starts_differ_by(text, remark):
    written, remarks = suggest_scatter(text)
    assert {metric.name: size for metric, size in written.compare.scatter} | {"p50": 0.02} == {
        "p95": 0.032,
        "p50": 0.02,
    }
    assert "measured in 5 comparisons of equal versions" in written.text
    assert any(line.startswith(remark) for line in remarks)
    again, _ = suggest_scatter(text, replaces=False)
    assert again.compare.scatter == parse_thresholds(again.text, "thresholds.yaml").compare.scatter
    assert "3.2%" not in again.text


def test_suggestion__says_nothing_of_starts_where_none_confirms():
    written, remarks = suggest_scatter("compare: {confirm: false}\n")
    assert written.compare.scatter == ()
    assert not any("scatter" in line for line in remarks)
