from __future__ import annotations

import pytest

from ci_gate.judge.gate.lacking import demand_all, list_measured
from ci_gate.thresholds import parse_thresholds
from tests.report.verdicts import duet, finding, limit, scenario, verdict

ONE = """\
schema: 1
service: {url: 'http://shop'}
profiles: {quick: {duration: 60s}}
scenarios:
  checkout:
    locustfile: load/checkout.py
    users: {Buyer: 100}
    spawn_rate: 10
    limits: {all: {p95: 300ms}, GET /a: {p50: 100ms}}
"""
TWO = ONE + ONE[ONE.index("  checkout:") :].replace("checkout:", "search:")
COMPARED = ONE + "    regression: {p95: 20%}\n"
LIMITS = (limit(), limit("GET /a", "p50", 42.0, "100ms"), limit(metric="failures", measured=0.0, text="1%"))


def demand(text, *names, limits=LIMITS, outcome="PASS", git=None, **more):
    one = scenario("checkout", outcome, limits=limits, **more)
    made = verdict(one, outcome=outcome, git=git or {})
    return demand_all(made, parse_thresholds(text, "thresholds.yaml"), names)


def test_nothing_lacking__is_left_alone():
    judged = demand(ONE)
    assert (judged.outcome, judged.findings) == ("PASS", ())


@pytest.mark.parametrize("number", range(3))
def test_limit__that_the_file_names_is_demanded(number):
    judged = demand(ONE, limits=[each for each in LIMITS if each != LIMITS[number]])
    assert (judged.outcome, judged.exit_code) == ("INVALID", 3)
    lacked = f"{LIMITS[number].endpoint} {LIMITS[number].metric}"
    assert f"lacks what thresholds.yaml names: checkout: {lacked}" in judged.findings[0].message


def test_scenario__that_the_file_names_is_demanded():
    judged = demand(TWO)
    assert judged.outcome == "INVALID"
    assert "scenario search" in judged.findings[0].message


def test_scenario__that_nobody_planned_is_noted():
    judged = demand(TWO, "checkout")
    assert judged.outcome == "PASS"
    assert [(each.severity, each.message) for each in judged.findings] == [("info", "not run: search")]
    assert list_measured(judged) == ("checkout",)
    assert list_measured(demand(ONE)) == ()


def test_what_blocks_already__lacks_nothing_more():
    assert demand(ONE, outcome="INVALID", limits=(), findings=[finding()]).findings == ()


@pytest.mark.parametrize(
    ("git", "comparison", "outcome"),
    [({"base": "b"}, None, "INVALID"), ({}, None, "PASS"), ({"base": "b"}, duet(), "PASS")],
)
def test_comparison__is_demanded_where_there_was_a_base(git, comparison, outcome):
    assert demand(COMPARED, git=git, comparison=comparison).outcome == outcome


@pytest.mark.parametrize(("says", "blocks"), [("block", True), ("warn", False)])
def test_inconclusive__blocks_by_the_file_and_not_by_the_verdict(says, blocks):
    assert demand(f"{ONE}on_inconclusive: {says}\n", outcome="INCONCLUSIVE").blocks is blocks
