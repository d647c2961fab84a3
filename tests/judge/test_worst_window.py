"""Limits on the worst window of the steady phase: what it shows, and what it takes."""

from __future__ import annotations

from fractions import Fraction

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_gate.judge.changes.rejudge import judge_under_base
from ci_gate.judge.changes.threshold_changes import compare_thresholds
from ci_gate.judge.outcomes import judge_result
from ci_gate.judge.steady import classify
from ci_gate.judge.validity.feasibility import find_problems, find_unprovable
from ci_gate.judge.verdict import judge as judge_run
from ci_gate.judge.worst_window import find_worst_window, plan_windows
from ci_gate.report.limits import describe_limit
from ci_gate.thresholds import ALL_ENDPOINTS, metric_of, parse_thresholds
from ci_gate.thresholds.metrics import worst_window
from ci_gate.thresholds.overrides import replace_users
from tests.judge.evidence_notation import draw
from tests.judge.evidence_values import make_run
from tests.judge.judging import judge_lines
from tests.judge.recordings import BEGIN_S, DURATION_S, make_recording, make_rows
from tests.judge.test_feasibility import read, workloads

# 40 s, in which 3 s are slow: a percent or two of all replies, but every reply of that time.
STALL = """
10 ShopUser
steady 40 s
1480 GET /items 200 5-50ms
120 GET /items 200 800-900ms within 20-23
"""


def judge(*limits, load=STALL):
    return judge_lines("\n".join([load, "limit all p50 100ms", *limits]))


def worst(bounds, over="10s"):
    return "\n".join(f"limit all worst {metric} {bound} over {over}" for metric, bound in bounds.items())


def results(verdict):
    return {
        limit.metric: (limit.outcome, limit.measured, limit.samples)
        for limit in verdict.limits
        if "worst" in limit.metric
    }


def test_worst__shows_what_the_whole_phase_hides():
    verdict = judge("limit all p90 100ms", worst({"p90": "500ms"}, "5s"))
    assert {limit.metric: limit.outcome for limit in verdict.limits}["p90"] == "PASS"
    assert verdict.outcome == "FAIL"
    (breach,) = verdict.breaches
    assert (breach.metric, breach.text) == ("worst p90 over 5s", "500ms")
    assert breach.measured > 800
    assert 18 <= breach.begins_s <= 20
    assert describe_limit(breach).startswith("was 8")
    assert " ms, from second 18 of the phase on, must be at most 500ms: " in describe_limit(breach)


def test_worst__passes_where_every_window_keeps_it():
    verdict = judge(worst({"p90": "1s", "failures": "1%", "rate": "20/s"}))
    assert verdict.outcome == "PASS"
    assert {metric: outcome for metric, (outcome, *_) in results(verdict).items()} == {
        "worst p90 over 10s": "PASS",
        "worst failures over 10s": "PASS",
        "worst rate over 10s": "PASS",
    }


def test_worst__of_failures_is_a_fraction_of_the_window():
    # 20 of 400 requests of one window, 1.25 % of all.
    load = STALL.replace("120 GET /items 200 800-900ms", "20 GET /items 500 5ms")
    kept = judge("limit all failures 2%", worst({"failures": "6%"}), load=load)
    assert kept.outcome == "PASS"
    broken = judge("limit all failures 2%", worst({"failures": "4%"}), load=load)
    assert broken.outcome == "FAIL"
    assert [breach.metric for breach in broken.breaches] == ["worst failures over 10s"]


def test_worst__a_window_with_too_few_samples_is_invalid_and_says_so():
    verdict = judge(worst({"p99.9": "1s"}))
    assert verdict.outcome == "INVALID"
    (finding,) = verdict.findings
    assert finding.code == "too-few-samples"
    assert finding.message == (
        "worst p99.9 over 10s takes 10,000 successes in each window, there were 370 in one of them"
    )


def test_worst__a_window_that_breaks_it_fails_whatever_others_lack():
    slow = "600 GET /items 200 600-900ms within 0-20"
    load = f"10 ShopUser\nsteady 40 s\n{slow}\n10 GET /items 200 5ms within 20-40"
    verdict = judge_lines(f"{load}\nlimit all p50 1s\n{worst({'p95': '500ms'})}")
    assert verdict.outcome == "FAIL"
    (breach,) = verdict.breaches
    assert breach.samples < breach.needed


def test_worst__rate_is_that_of_a_window_in_which_the_service_stood_still():
    load = "10 ShopUser\nsteady 40 s\n800 GET /items 200 5ms within 0-15\n700 GET /items 200 5ms within 27-40"
    verdict = judge(worst({"rate": "20/s"}), load=load)
    assert verdict.outcome == "FAIL"
    (breach,) = verdict.breaches
    assert (breach.metric, breach.measured, breach.samples) == ("worst rate over 10s", 0, 0)
    assert 15 <= breach.begins_s <= 17


def test_worst__rate_that_is_kept_by_too_few_requests_shows_nothing():
    load = f"{STALL}\n20 GET /rare 200 5ms"
    verdict = judge("limit GET /rare worst rate 0.1/s over 10s", load=load)
    assert verdict.outcome == "INVALID"
    assert [finding.code for finding in verdict.findings] == ["too-few-samples"]


def test_worst__of_a_phase_that_is_shorter_than_a_window_is_not_measured():
    verdict = judge(worst({"p50": "1s"}, "60s"))
    assert verdict.outcome == "INVALID"
    assert results(verdict) == {"worst p50 over 60s": ("INVALID", None, 0)}


def test_worst__of_an_endpoint_counts_its_own_requests():
    load = f"{STALL}\n400 GET /other 200 5ms"
    verdict = judge("limit GET /other worst p50 10ms over 10s", load=load)
    assert verdict.outcome == "PASS"


def test_windows__cover_the_phase_and_the_last_ends_with_it():
    assert plan_windows(12.0, 10.0).tolist() == [0.0, 1.0, 2.0]
    assert plan_windows(10.0, 10.0).tolist() == [0.0]
    assert plan_windows(10.5, 10.0).tolist() == [0.0, 0.5]
    assert plan_windows(9.0, 10.0).size == 0
    assert plan_windows(86_400.0, 1.0).size <= 5_002


@given(
    times_ms=st.lists(st.floats(1, 1000), min_size=30, max_size=200),
    over=st.sampled_from(["2s", "2.5s", "10s"]),
    name=st.sampled_from(["p50", "p90", "failures", "rate", "successes"]),
    failing=st.integers(0, 5),
)
def test_worst_window__is_that_of_every_window_by_itself(times_ms, over, name, failing):
    rows = make_rows(2, times_ms)
    rows["status"][:failing] = 500
    steady = classify(make_recording(rows), ()).steady
    metric = worst_window(metric_of(name), float(over[:-1]))
    found = find_worst_window(metric, steady, steady.rows_of(ALL_ENDPOINTS), 3)
    figures, sizes = [], []
    for begin_s in plan_windows(DURATION_S, metric.over_s):
        inside = (rows["intended_s"] - BEGIN_S >= begin_s) & (
            rows["intended_s"] - BEGIN_S < begin_s + metric.over_s
        )
        good = rows["status"] < 400
        n = int((inside & good).sum()) if metric.is_percentile else int(inside.sum())
        sizes.append(n)
        if n < 3 and name != "rate":
            continue
        if metric.is_percentile:
            figures.append(float(np.quantile(rows["response_ms"][inside & good], metric.quantile)))
        elif name == "rate":
            figures.append(int((inside & good).sum()) / metric.over_s)
        else:
            hits = inside & (good if name == "successes" else ~good)
            figures.append(Fraction(int(hits.sum()), n))
    assert found.fewest == min(sizes)
    expected = max(figures, key=lambda figure: metric.worse * figure) if figures else None
    assert found.measured == (None if expected is None else pytest.approx(float(expected)))


def test_metric__of_a_window_is_read_back_by_its_name():
    metric = worst_window(metric_of("p99.9"), 1.5)
    assert metric_of("worst p99.9 over 1.5s") == metric
    assert (metric.whole, metric.over_s, metric.quantile) == (metric_of("p99.9"), 1.5, 0.999)
    assert metric_of("p50").whole == metric_of("p50")
    for name in (
        "worst p50 over 0s",
        "worst p50 over 10",
        "worst worst p50 over 1s",
        "worst cpu over 1s",
        "worst  over 1s",
    ):
        with pytest.raises(ValueError, match="is no metric"):
            metric_of(name)


def test_check__says_what_window_the_users_can_fill():
    thresholds = read({"worst": {"p95": "1s", "failures": "5%", "over": "6s"}})  # 25/s offered: 150
    (line,) = map(str, find_unprovable(thresholds, workloads())[:1])
    assert line == (
        "s: all worst p95 over 6s takes 200 successes in each window, the users bring at most 150; "
        "over: 8s would do"
    )
    assert find_unprovable(read({"worst": {"p95": "1s", "over": "8s"}}), workloads()) == ()
    (long,) = find_unprovable(read({"worst": {"p50": "1s", "over": "61s"}}), workloads(wait_s=1e9))
    assert str(long) == "s: all worst p50 over 61s: profile q has no window of 61 s"


def test_check__refuses_a_floor_that_the_users_cannot_offer():
    (problem,) = find_problems(read({"worst": {"rate": "80/s", "over": "10s"}}), workloads())
    assert "a rate of 80/s is beyond what the users can offer" in problem.message


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        ({"p95": "1s", "over": "10s"}, []),
        ({"p95": "2s", "over": "10s"}, [("worst p95", "loosened")]),
        ({"p95": "1s", "over": "20s"}, [("worst over", "loosened")]),
        ({"p95": "1s", "over": "5s"}, [("worst over", "tightened")]),
        ({"rate": "1/s", "over": "10s"}, [("worst p95", "loosened"), ("worst rate", "tightened")]),
    ],
)
def test_review__counts_what_loosens(new, expected):
    old = read({"p50": "1s", "worst": {"p95": "1s", "over": "10s"}})
    changes = compare_thresholds(old, read({"p50": "1s", "worst": new}))
    assert [(each.setting, each.direction) for each in changes] == expected
    without = compare_thresholds(old, read({"p50": "1s"}))
    assert ("worst p95", "loosened") in [(each.setting, each.direction) for each in without]


def test_users__fewer_lower_the_floor_of_the_worst_window():
    thresholds = read({"worst": {"rate": "20/s", "over": "10s"}})
    changed = replace_users(thresholds, 25)
    (floor,) = (limit for limit in changed.scenarios[0].limits if limit.metric.over_s)
    assert (floor.text, floor.metric.name) == ("10/s", "worst rate over 10s")


def test_verdict__that_was_read_back_cannot_say_better():
    verdict = judge(worst({"p90": "500ms"}, "5s"))
    (breach,) = verdict.breaches
    assert judge_result(msgspec.structs.replace(breach, outcome="PASS"), verdict.endpoints).outcome == "FAIL"


def test_under_base__its_worst_window_is_judged_by_the_same_figure_or_not_at_all():
    evidence = draw("\n".join([STALL, "limit all p50 1s", worst({"p90": "1s", "failures": "1%"}, "5s")]))
    run = make_run(evidence.thresholds, recordings=(evidence.plan,))
    verdict = judge_run(evidence.thresholds, run, {("shop", "head"): evidence.recording})
    (same,) = judge_under_base(verdict, evidence.thresholds)
    assert (same.base, same.unknown) == ("PASS", ())
    stricter = parse_thresholds(evidence.thresholds.text.replace("p90: 1s", "p90: 500ms"), "t.yaml")
    (broken,) = judge_under_base(verdict, stricter)
    assert [breach.metric for breach in broken.breaches] == ["worst p90 over 5s"]
    longer = parse_thresholds(evidence.thresholds.text.replace("over: 5s", "over: 20s"), "t.yaml")
    (unknown,) = judge_under_base(verdict, longer)
    assert unknown.base == "INVALID"
    assert set(unknown.unknown) == {"all worst p90 over 20s", "all worst failures over 20s"}
