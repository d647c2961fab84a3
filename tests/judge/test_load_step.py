"""One step: which limits and rules count, and what makes its numbers worthless."""

from __future__ import annotations

import pytest

from ci_gate.judge.capacity.load_step import judge_step, load_of
from tests.judge.evidence_notation import draw

HEALTHY = "10 ShopUser\n600 GET /items 200 20ms\nlimit all p95 200ms"


def judge_text(text):
    evidence = draw(text)
    return judge_step(evidence.scenario, evidence.plan, evidence.classified)


def test_step__says_what_was_seen():
    step = judge_text(HEALTHY)
    assert step.outcome == "PASS"
    assert (step.load, step.users, step.requests) == (10, 10, 600)
    assert step.rate_per_s == pytest.approx(30, rel=0.02)
    assert step.in_flight == pytest.approx(30 * 0.020, rel=0.02)
    assert (step.mean_ms, step.p50_ms, step.p95_ms, step.p99_ms) == pytest.approx((20, 20, 20, 20))
    assert step.failure_share == 0
    assert len(step.windows) == 20
    assert step.is_measured


@pytest.mark.parametrize(
    ("more", "outcome"),
    [
        ("limit GET /items p50 10ms", "FAIL"),
        ("limit GET /items p99 500ms", "INCONCLUSIVE"),  # takes 1,000 successes
        ("30 GET /items 500 2ms", "FAIL"),  # 1 % of failures is the limit without a word
        ("start failure ShopUser 1 Error()", "INVALID"),
        ("reading 1-20 s cpu 99", "INVALID"),
        ("reading 1-20 s host 100", "PASS"),  # a note
        ("limit all rate 1000/s", "PASS"),  # a floor under the rate is of another load
    ],
)
def test_step__outcome(more, outcome):
    assert judge_text(f"{HEALTHY}\n{more}").outcome == outcome


def test_step__a_floor_under_the_rate_is_not_judged():
    step = judge_text(f"{HEALTHY}\nlimit all rate 1000/s")
    assert [limit.metric for limit in step.limits] == ["p95", "failures"]


def test_step__users_are_those_of_its_plan():
    evidence = draw(HEALTHY)
    asked = draw(HEALTHY.replace("10 ShopUser", "99 ShopUser")).scenario
    assert judge_step(asked, evidence.plan, evidence.classified).outcome == "PASS"


def test_step__without_a_steady_phase_is_not_measured():
    step = judge_text("10 ShopUser\n600 GET /items 200 20ms\nno mark steady")
    assert step.outcome == "INVALID"
    assert not step.is_measured
    assert (step.rate_per_s, step.mean_ms, step.windows) == (0, None, ())


def test_step__where_everything_fails_has_no_throughput():
    step = judge_text("10 ShopUser\n600 GET /items 500 20ms\nlimit all failures 1%")
    assert step.outcome == "FAIL"
    assert step.in_flight == pytest.approx(0.6, rel=0.02)
    assert not step.is_measured


def test_load__of_an_open_workload_is_its_arrivals():
    assert load_of(draw(HEALTHY).plan) == 10
    assert load_of(draw(f"{HEALTHY}\narrivals 50/s").plan) == 50
