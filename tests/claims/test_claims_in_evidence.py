"""Numbers of the report that are evidence as it was: the counts are those of its own result files."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import pytest

from ci_gate.judge.changes.threshold_changes import compare_thresholds
from ci_gate.judge.validity.rules import RULES
from ci_gate.judge.verdict import judge
from tests.judge.evidence_notation import draw
from tests.judge.evidence_values import make_run
from tests.judge.judging import judge_lines

NUMBERS = (1, 2, 3, 4, 8, 9, 14, 15, 16, 17, 22)

SCENARIO_1 = """
100 DeploymentUser
steady 300 s
limit all p50 200ms
offers 80/s
"""
SCENARIO_3 = "200 ConnectorUser\nsteady 60 s\nlimit all p99 200ms\n"


@dataclass(frozen=True)
class Claim:
    """Evidence that must not pass, the rules that alone keep it from passing, and the fixed evidence."""

    number: int
    lines: str
    codes: frozenset[str]
    says: str
    fixed: str


def claim(number: int, lines: str, codes: str, says: str, fixed: str) -> Claim:
    return Claim(number=number, lines=lines, codes=frozenset(codes.split()), says=says, fixed=fixed)


CLAIMS = (
    claim(
        1,
        f"{SCENARIO_1}68902 GET /deployments 200 2-20ms",
        "load-impossible",
        "229.7 requests/s, where 100 users offer at most 80.0/s",
        f"{SCENARIO_1}23700 GET /deployments 200 2-20ms",
    ),
    claim(
        4,
        f"{SCENARIO_1}9582 GET /deployments 200 2ms\n23585 GET /deployments 403 2ms\n"
        "1284 GET /deployments 429 2ms\nlimit all failures 100%\naccept GET /deployments 404",
        "throttled auth-failing load-impossible",
        "23,585 of 34,451 requests were refused (403)",
        f"{SCENARIO_1}9582 GET /deployments 200 2ms\n100 GET /deployments 404 2ms\n"
        "accept GET /deployments 404",
    ),
    claim(
        8,
        f"{SCENARIO_1}34800 GET /deployments 200 2-20ms",
        "load-impossible",
        "116.0 requests/s, where 100 users offer at most 80.0/s",
        f"{SCENARIO_1}23900 GET /deployments 200 2-20ms",
    ),
    claim(
        9,
        "50 CabUser\nsteady 300 s\nlimit all failures 100%\n"
        "6485 POST /approve 200 5-13ms\n876 POST /approve 429 2ms",
        "throttled",
        "876 of 7,361 requests were throttled (429)",
        "50 CabUser\nsteady 300 s\nlimit all failures 1%\n6485 POST /approve 200 5-13ms",
    ),
    claim(
        14,
        f"{SCENARIO_3}1000 POST /intune 201 9ms\n1000 POST /jamf 201 9ms\n1000 POST /sccm 201 9ms\n"
        "expect POST /landscape\nexpect POST /ansible",
        "endpoint-never-called",
        "never called in the steady phase",
        f"{SCENARIO_3}1000 POST /jamf 201 9ms\n500 POST /landscape 201 9ms\n500 POST /ansible 201 9ms\n"
        "expect POST /landscape\nexpect POST /ansible",
    ),
    claim(
        16,
        "1000 BurstUser\nsteady 240 s\nlimit all failures 100%\n"
        "10468 POST /deployments 500 19000-27000ms html\n"
        "1834 POST /deployments 403 9ms html\n243 POST /deployments 0 27000ms unreachable",
        "endpoint-never-succeeded html-replies auth-failing",
        "not one success in 12,545 requests (500 x 10,468, 403 x 1,834, no reply x 243: an error)",
        "1000 BurstUser\nsteady 240 s\n12545 POST /deployments 201 19-270ms",
    ),
    claim(
        17,
        "1000 BurstUser\nsteady 240 s\n12545 POST /deployments 201 19-270ms\n"
        "Locust counted POST /deployments 12579 0",
        "samples-disagree",
        "12,545 samples with 0 failures, but Locust counted 12,579 with 0",
        "1000 BurstUser\nsteady 240 s\n12545 POST /deployments 201 19-270ms\n"
        "Locust counted POST /deployments 12545 0",
    ),
)


@pytest.mark.parametrize("case", CLAIMS, ids=lambda case: f"{case.number:02}")
def test_claim__is_found_and_only_by_its_rules(case):
    judged = judge_lines(case.lines)
    assert (judged.outcome, judged.breaches) == ("INVALID", ())
    assert {finding.code for finding in judged.findings if finding.severity != "info"} == case.codes
    assert any(case.says in finding.message for finding in judged.findings)
    assert (
        judge_lines(case.lines, tuple(rule for rule in RULES if rule.code not in case.codes)).outcome
        == "PASS"
    )
    assert judge_lines(case.fixed).outcome == "PASS"


FAILURES_OF_SCENARIO_1 = f"{SCENARIO_1.replace('offers 80/s', '')}9582 GET /a 200 2ms\n24869 GET /a 500 2ms\n"


def test_claim_02__failures_are_counted_and_limited_without_being_asked():
    judged = judge_lines(FAILURES_OF_SCENARIO_1)
    (breach,) = judged.breaches
    assert (judged.outcome, breach.metric, breach.text) == ("FAIL", "failures", "1%")
    assert judged.endpoints[0].failures == 24_869
    assert round(judged.endpoints[0].failure_share, 3) == 0.722
    assert judge_lines(f"{FAILURES_OF_SCENARIO_1}limit all failures 100%").outcome == "PASS"


def test_claim_03__the_share_of_successes_is_the_other_one():
    judged = judge_lines(f"{FAILURES_OF_SCENARIO_1}limit all successes 72%")
    (breach,) = judged.breaches
    assert (judged.outcome, breach.metric, round(breach.measured, 3)) == ("FAIL", "successes", 0.278)
    assert judge_lines(f"{FAILURES_OF_SCENARIO_1}limit all successes 27%").outcome == "PASS"


def test_claim_09__the_real_share_of_successes():
    row = judge_lines(CLAIMS[3].lines).endpoints[0]
    assert (row.requests, row.statuses) == (7361, {"200": 6485, "429": 876})
    assert round(1 - row.failure_share, 3) == 0.881


def test_claim_15__a_limit_is_kept_or_broken_and_its_change_is_shown():
    lines = "200 ConnectorUser\nsteady 60 s\n2000 GET /a 200 250ms\nlimit all p99 {}\n"
    strict, loose = lines.format("200ms"), lines.format("500ms")
    judged = judge_lines(strict)
    (breach,) = judged.breaches
    assert (judged.outcome, breach.metric, breach.measured) == ("FAIL", "p99", 250.0)
    assert judge_lines(loose).outcome == "PASS"
    (change,) = compare_thresholds(draw(strict).thresholds, draw(loose).thresholds)
    assert (change.direction, change.setting, change.old, change.new) == ("loosened", "p99", "200ms", "500ms")


def test_claim_16__what_failed_and_how():
    row = judge_lines(CLAIMS[5].lines).endpoints[0]
    assert row.requests == 12_545
    assert row.statuses == {"no reply": 243, "403": 1834, "500": 10_468}


def test_claim_22__no_verdict_on_what_was_not_measured_and_one_failure_is_enough():
    good = draw("100 User\nsteady 20 s\n900 GET /a 200 5ms\nlimit all p50 200ms")
    slow = draw("100 User\nsteady 20 s\n900 GET /a 200 500ms\nlimit all p50 200ms")
    info = make_run(good.thresholds, recordings=(good.plan,))
    outcomes = {
        name: judge(good.thresholds, info, recordings).outcome
        for name, recordings in {
            "measured": {("shop", "head"): good.recording},
            "failing": {("shop", "head"): slow.recording},
            "untested": {},
        }.items()
    }
    assert outcomes == {"measured": "PASS", "failing": "FAIL", "untested": "INVALID"}
    more_users = msgspec.structs.replace(good.plan, users={"User": 200})
    other = judge(
        good.thresholds,
        make_run(good.thresholds, recordings=(more_users,)),
        {("shop", "head"): good.recording},
    )
    assert other.outcome == "INVALID"
    assert "other-load" in {finding.code for finding in other.findings}
