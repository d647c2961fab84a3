"""Numbers of the report made again: a real service, a real locustfile with the mistake, a real run."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ci_gate.judge.validity.rules import RULES

NUMBERS = (5, 6, 10, 12, 13, 23, 24, 25, 26, 27)

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Mistake:
    """A scenario that makes it, the rules that alone keep it from passing, and what one of them says."""

    scenario: str
    codes: frozenset[str]
    says: str


def mistake(scenario: str, codes: str, says: str) -> Mistake:
    return Mistake(scenario=scenario, codes=frozenset(codes.split()), says=says)


MISTAKES = (
    mistake("claim-05", "wrong-users", "SilentUser made no request in the steady phase"),
    mistake(
        "claim-06", "start-failed users-missing", "1 x DyingUser died in on_start: 1 x ConnectionError('login"
    ),
    mistake("claim-10", "throttled", "requests were throttled (429)"),
    mistake(
        "claim-23",
        "unreported-replies auth-failing",
        "4 replies were taken with catch_response and never reported (401 x 4); no exc",
    ),
    mistake("claim-24", "listener-errors", ", in print_failures"),
    mistake("claim-25", "endpoint-explosion", "endpoints, "),
    mistake("claim-26-again", "throttled", "1 of 1 request was throttled (429)"),
    mistake("claim-27", "nothing-reported", "nothing was reported to Locust"),
)


def blocking(judged):
    return {finding.code for finding in judged.findings if finding.severity != "info"}


@pytest.mark.parametrize("case", MISTAKES, ids=lambda case: case.scenario)
def test_mistake__is_found_and_only_by_its_rules(run, case):
    judged = run.verdict(case.scenario)
    assert (judged.outcome, judged.breaches) == ("INVALID", ())
    assert blocking(judged) == case.codes
    assert any(case.says in finding.message for finding in judged.findings)
    without = tuple(rule for rule in RULES if rule.code not in case.codes)
    again = run.judge_again(case.scenario, without)
    # A limit of which nothing is known blocks by itself.
    is_invalid = any(limit.outcome == "INVALID" for limit in again.limits)
    assert (again.outcome, blocking(again)) == ("INVALID" if is_invalid else "PASS", set())
    assert run.judge_again(case.scenario, RULES).outcome == "INVALID"


def test_mended__passes_without_a_finding(run):
    judged = run.verdict("fixed")
    assert judged.outcome == "PASS", judged
    assert blocking(judged) == set()
    assert {summary.endpoint for summary in judged.endpoints} == {
        "all",
        "GET /items",
        "GET /items/{id}",
        "GET /limited",
    }
    assert judged.endpoints[0].failures == 0


def test_claim_07__only_the_users_that_are_named_run(run):
    _, recording = run.evidence("fixed")
    assert {name for reading in recording.readings for name in reading.users} == {"FixedUser"}


def test_claim_12__a_404_is_no_success_whatever_the_script_says(run):
    judged = run.verdict("claim-12")
    assert judged.outcome == "FAIL"
    assert [breach.metric for breach in judged.breaches] == ["failures"]
    assert judged.endpoints[0].successes == 0
    assert "endpoint-never-succeeded" in blocking(judged)


def test_claim_12__nor_where_thresholds_accept_it(run):
    accept = {"POST /approvals/1/approve": [404]}
    judged = run.judge_again("claim-12", RULES, accept=accept)
    assert (judged.outcome, judged.breaches, blocking(judged)) == ("INVALID", (), {"only-accepted-errors"})
    without = tuple(rule for rule in RULES if rule.code != "only-accepted-errors")
    assert run.judge_again("claim-12", without, accept=accept).outcome == "PASS"


def test_claim_12__seventeen_pending_fail_the_scenario_s_own_check(run):
    judged = run.verdict("claim-12-pending")
    assert judged.outcome == "FAIL"
    assert "too few pending" in judged.endpoints[0].errors[0].error
    assert judged.endpoints[0].successes == 0


def test_claim_13__endpoints_that_exist_nowhere(run):
    judged = run.verdict("claim-13")
    assert judged.outcome == "INVALID"
    assert {"endpoint-never-succeeded", "uniform-body", "html-replies"} <= blocking(judged)
    planes = ("intune", "jamf", "sccm")
    accept = {f"POST /connectors/{plane}/publish": [404] for plane in planes}
    accepted = run.judge_again("claim-13", RULES, accept=accept)
    assert (accepted.outcome, accepted.breaches) == ("INVALID", ())
    assert blocking(accepted) == {"uniform-body", "only-accepted-errors"}
    assert any(
        "replies of 3 endpoints, and every one has the same body" in x.message for x in accepted.findings
    )
    without = tuple(rule for rule in RULES if rule.code not in blocking(accepted))
    assert run.judge_again("claim-13", without, accept=accept).outcome == "PASS"


def test_claim_26__the_first_run_is_good_and_a_reset_makes_the_second_so(run, run_with_reset):
    assert run.verdict("claim-26").outcome == "PASS"
    assert [run_with_reset.verdict(name).outcome for name in ("first", "second")] == ["PASS", "PASS"]
    assert run_with_reset.exit_code == 0


def test_generator__that_measures_its_own_delay_is_found(run):
    judged = run.verdict("blocking")
    assert judged.outcome == "INVALID"
    found = next(finding for finding in judged.findings if finding.code == "generator-late")
    assert "Locust's event loop was late by 500 ms or more" in found.message


def test_command__ends_with_the_exit_status_of_a_failure(run):
    assert run.exit_code == 1
