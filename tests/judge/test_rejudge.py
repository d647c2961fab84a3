from __future__ import annotations

import json

import pytest

from ci_gate.judge.changes.rejudge import judge_under_base
from ci_gate.thresholds import parse_thresholds
from tests.report.verdicts import change, duet, endpoint, finding, limit, scenario, verdict


def base(regression=None, **limits):
    """Base's thresholds with these limits, by scenario, and these tolerances in each."""
    rest = {"regression": regression} if regression else {}
    scenarios = {
        name: {"locustfile": "a.py", "users": {"A": 1}, "spawn_rate": 1, "limits": bounds} | rest
        for name, bounds in limits.items()
    }
    document = {"schema": 1, "service": {"url": "http://s"}, "profiles": {"q": {"duration": "1s"}}}
    return parse_thresholds(json.dumps(document | {"scenarios": scenarios}), "t.yaml")


def outcomes(run, thresholds):
    return [(row.scenario, row.base, row.head) for row in judge_under_base(run, thresholds)]


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"all": {"p95": "213ms"}}, "PASS"),
        ({"all": {"p95": "212ms"}}, "FAIL"),
        ({"all": {"p50": "42ms", "p99": "391ms"}}, "PASS"),
        ({"all": {"p50": "41ms"}}, "FAIL"),
        ({"all": {"rate": "60/s"}}, "PASS"),
        ({"all": {"rate": "61/s"}}, "FAIL"),
        ({"all": {"successes": "100%"}}, "PASS"),
        ({"all": {"p90": "1h"}}, "INVALID"),
        ({"GET /gone": {"p50": "1h"}}, "INVALID"),
        ({"GET /gone": {"p50": "1h"}, "all": {"p50": "1ms"}}, "FAIL"),
    ],
)
def test_scenario__is_judged_by_bases_limits_on_the_figures_of_the_run(bounds, expected):
    run = verdict(scenario("checkout", "PASS", endpoints=[endpoint()]))
    assert outcomes(run, base(checkout=bounds)) == [("checkout", expected, "PASS")]


def test_breach__is_named_with_what_was_measured():
    run = verdict(scenario("checkout", endpoints=[endpoint(failures=72)]))
    (row,) = judge_under_base(run, base(checkout={"all": {"p50": "1s", "p90": "1s"}}))
    ((breach,), unknown) = row.breaches, row.unknown
    assert (breach.metric, breach.measured, breach.bound) == ("failures", 0.02, 0.01)
    assert unknown == ("all p90",)


def test_figure_of_a_limit__comes_before_that_of_the_endpoint():
    run = verdict(scenario("checkout", limits=[limit(metric="p90", measured=10.0, samples=3600)]))
    assert outcomes(run, base(checkout={"all": {"p90": "11ms"}})) == [("checkout", "PASS", "PASS")]
    assert outcomes(run, base(checkout={"all": {"p90": "9ms"}})) == [("checkout", "FAIL", "PASS")]


@pytest.mark.parametrize(("successes", "expected"), [(999, "INVALID"), (1000, "PASS")])
def test_too_few_samples__prove_nothing(successes, expected):
    run = verdict(scenario("checkout", endpoints=[endpoint(requests=successes)], limits=[]))
    assert outcomes(run, base(checkout={"all": {"p99": "1s"}})) == [("checkout", expected, "PASS")]


@pytest.mark.parametrize("bounds", [{"failures": "1%"}, {"successes": "99%"}, {"rate": "0.01/s"}])
@pytest.mark.parametrize(("requests", "expected"), [(9, "INVALID"), (10, "PASS")])
def test_limit_that_is_no_percentile__takes_as_many_requests_as_heads_judge_does(bounds, requests, expected):
    run = verdict(scenario("checkout", endpoints=[endpoint(requests=requests)], limits=[]))
    assert outcomes(run, base(checkout={"all": bounds})) == [("checkout", expected, "PASS")]


@pytest.mark.parametrize(
    ("text", "failures", "requests"),
    [("1%", 10, 1000), ("5%", 10, 200), ("0.1%", 1, 1000), ("14.3%", 143, 1000)],
)
def test_share__that_equals_its_bound_keeps_it(text, failures, requests):
    """From the row of the endpoint, and from a limit of the run."""
    for more, expected in ((0, "PASS"), (1, "FAIL")):
        row = endpoint(requests=requests, failures=failures + more)
        seen = limit(metric="failures", measured=row.failure_share, text="99%", samples=requests)
        for limits in ([], [seen]):
            run = verdict(scenario("checkout", endpoints=[row], limits=limits))
            thresholds = base(checkout={"all": {"failures": text}})
            assert outcomes(run, thresholds) == [("checkout", expected, "PASS")]


@pytest.mark.parametrize(("severity", "expected"), [("invalid", "INVALID"), ("info", "PASS")])
def test_invalid_run__is_invalid_under_any_thresholds(severity, expected):
    run = verdict(scenario("checkout", findings=[finding(severity=severity)]))
    assert outcomes(run, base(checkout={"all": {"p50": "1s"}})) == [("checkout", expected, "PASS")]


def test_scenario_on_one_side_only__has_no_outcome_on_the_other():
    run = verdict(scenario("new"))
    assert outcomes(run, base(old={"all": {"p50": "1s"}})) == [
        ("new", None, "PASS"),
        ("old", "INVALID", None),
    ]


def test_scenario_without_evidence__is_invalid():
    run = verdict(scenario("checkout", "INVALID", endpoints=[], limits=[]))
    assert outcomes(run, base(checkout={"all": {"p50": "1s"}})) == [("checkout", "INVALID", "INVALID")]


@pytest.mark.parametrize(
    ("tolerances", "seen", "expected"),
    [
        ({"p95": "10%"}, change(size=0.12), "FAIL"),
        ({"p95": "10%"}, change(size=-0.5), "PASS"),
        ({"p95": "10%"}, change(size=0.12, is_real=False), "PASS"),
        ({"p95": "15%"}, change(size=0.12), "PASS"),
        ({"p50": "10%"}, change(size=0.12), "PASS"),
        ({"p95": "10%"}, change(size=1.1 - 1), "PASS"),
        (None, change(size=0.12), "PASS"),
        ({"rate": "10%"}, change(metric="rate", size=-0.12), "FAIL"),
        ({"rate": "10%"}, change(metric="rate", size=0.12), "PASS"),
    ],
)
def test_change__is_judged_by_bases_tolerance(tolerances, seen, expected):
    run = verdict(scenario("checkout", comparison=duet(seen)))
    thresholds = base(tolerances, checkout={"all": {"p50": "1s"}})
    assert outcomes(run, thresholds) == [("checkout", expected, "PASS")]
    (row,) = judge_under_base(run, thresholds)
    assert row.worse == ((seen,) if expected == "FAIL" else ())
