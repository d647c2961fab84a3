"""Every validity rule, proven both ways: evidence that breaks it, and evidence near it that does not."""

from __future__ import annotations

import time
from dataclasses import dataclass

import msgspec
import numpy as np
import pytest

from ci_gate.judge.feasibility import find_problems
from ci_gate.judge.summary import MOST_ENDPOINTS
from ci_gate.judge.validity import MOST_FINDINGS, RELAXABLE, RULES
from ci_gate.judge.verdict import judge_scenario
from ci_gate.samples import ENDED_BY_STATUS
from ci_gate.workload import Workload
from tests.judge.evidence_notation import HEALTHY, draw


@dataclass(frozen=True)
class Proof:
    """Lines on top of the healthy evidence, or whole evidence where they begin with a user class.

    ``says`` must stand in one of the messages of the finding.
    """

    code: str
    red: str
    says: str
    green: str


SHORT = "10 ShopUser\nsteady 20 s\nlimit all p50 1s\n"
MANY = "\n".join(f"1 GET /items/{number} 200 5ms" for number in range(21))
TWICE = "\n".join(f"2 GET /items/{number} 200 5ms" for number in range(200))

PROOFS = (
    Proof(
        "arrivals-unsent",
        f"{SHORT}arrivals 50/s\n999 GET /items 200 5ms\n1 (not sent) 0 90ms never",
        "1 of 1,000 arrivals found none of the 10 users free",
        f"{SHORT}arrivals 50/s\n1000 GET /items 200 5ms",
    ),
    Proof(
        "samples-disagree",  # names are cut to 500 characters, and these two are then the same
        f"Locust counted GET /{600 * 'x'} 8 0\n9 GET /{495 * 'x'} 200 5ms",
        "9 samples with 0 failures, but Locust counted 17 with 0",
        f"Locust counted GET /{600 * 'x'} 0 0\n9 GET /{495 * 'x'} 200 5ms",
    ),
    Proof("locust-ended-early", "no mark ended", "the last phase it reached was: stopping", ""),
    Proof(
        "phase-cut-short",
        "stopping at 18 s",
        "the steady phase lasted 18.0 s of the planned 20 s",
        "stopping at 19 s",
    ),
    Proof(
        "no-samples",
        f"{SHORT}500 GET /items 200 5ms ramp",
        "(500 before or after it)",
        f"{SHORT}1 GET /items 200 5ms",
    ),
    Proof("start-failed", "start failure ShopUser 3 KeyError('token')", "3 x ShopUser died in on_start", ""),
    Proof(
        "users-missing",
        "reading 5 s users ShopUser=9",
        "9 of 10 ShopUser at the lowest point",
        "reading 0 s users ShopUser=9",
    ),
    Proof("users-missing", "mark spawn_timeout", "not all 10 users ever ran", ""),
    Proof("users-missing", "mark no_users", "not all 10 users ever ran", ""),
    Proof("wrong-users", "reading 1-9 s users Other=1", "Other ran, which the scenario does not name", ""),
    Proof(
        "wrong-users",
        "5 Silent",
        "Silent made no request",
        "5 Silent\n9 GET /items 200 5ms by Silent",
    ),
    Proof("service-ended", "service ended at 5 s", "ended 14 s after the load began", ""),
    Proof("service-restarted", "service restarted at 5 s", "started again 1 x", ""),
    Proof(
        "clock-jumped", "wall clock +3 s at 25 s", "24 s after the start the wall clock jumped by +3.0 s", ""
    ),
    Proof("clock-jumped", "wall clock -0.6 s at 14 s", "by -0.6 s", "wall clock -0.4 s at 14 s"),
    Proof(
        "samples-disagree",
        "Locust counted GET /items 601 0",
        "600 samples with 0 failures, but Locust counted 601",
        "Locust counted GET /items 600 0",
    ),
    Proof("samples-disagree", "Locust counted GET /items 600 1", "with 1", "no totals"),
    Proof(
        "samples-disagree",
        f"Locust counted GET /{600 * 'x'} 8 0\n9 GET /{495 * 'x'} 200 5ms",
        "9 samples with 0 failures, but Locust counted 17 with 0",
        f"Locust counted GET /{600 * 'x'} 0 0\n9 GET /{495 * 'x'} 200 5ms",
    ),
    Proof("samples-disagree", "Locust counted GET /gone 5 0", "0 samples", "9 GET /items 0 30000ms never"),
    Proof(
        "unreported-replies",
        "9 POST /login 200 5ms unreported",
        "9 replies were taken with catch_response",
        "",
    ),
    Proof(
        "never-ended", "9 GET /items 0 30000ms never", "9 requests were still without a reply 30 s after", ""
    ),
    Proof("listener-errors", "listener errors 3", "raised 3 times", ""),
    Proof(
        "task-errors",
        "task error ShopUser 9 KeyError('id')",
        "9 x KeyError('id')",
        "task error ShopUser 8 KeyError('id')",
    ),
    Proof(
        "endpoint-explosion",
        f"{SHORT}{MANY}",
        "21 endpoints, 21 of them called once",
        f"{SHORT}{MANY.replace('1 GET', '2 GET')}",
    ),
    Proof("endpoint-explosion", f"{SHORT}{TWICE}\n2 GET /a 200 5ms", "201 endpoints", f"{SHORT}{TWICE}"),
    Proof("endpoint-never-called", "expect GET /cart", "never called", "expect GET /items"),
    Proof(
        "endpoint-never-called",
        "limit GET /cart p50 1s\n99 GET /cart 200 5ms ramp",
        "never called in the steady",
        "",
    ),
    Proof(
        "endpoint-never-succeeded",
        "9 GET /cart 500 5ms",
        "not one success in 9 requests (500 x 9)",
        "8 GET /cart 500 5ms\n1 GET /cart 200 5ms",
    ),
    Proof(
        "endpoint-never-succeeded",
        "9 GET /cart 404 5ms",
        "404 x 9",
        "9 GET /cart 404 5ms\naccept GET /cart 404",
    ),
    Proof(
        "only-accepted-errors",
        "9 GET /cart 404 5ms\naccept GET /cart 404",
        "all 9 successes are errors that accept lists (404)",
        "9 GET /cart 404 5ms\n1 GET /cart 200 5ms\naccept GET /cart 404",
    ),
    Proof(
        "too-few-samples",
        "limit GET /items p99 1s",
        "p99 takes 1,000 successes, there were 600",
        "400 GET /items 200 5ms\nlimit GET /items p99 1s",
    ),
    Proof(
        "too-few-samples",
        "9 GET /cart 500 5ms\nlimit GET /cart p50 1s",
        "p50 takes 20 successes, there were 0",
        "20 GET /cart 200 5ms\nlimit GET /cart p50 1s",
    ),
    Proof(
        "status-not-accepted",
        "1 GET /items 500 5ms",
        "status 500 x 1 of 601",
        "1 GET /items 404 5ms\naccept GET /items 404",
    ),
    Proof(
        "throttled",
        "1 GET /items 429 5ms",
        "1 of 601 requests were throttled (429)",
        "1 GET /items 429 5ms\naccept GET /items 429",
    ),
    Proof("throttled", "1 POST /login 429 5ms ramp", "POST /login", ""),
    Proof(
        "throttled",
        "2 GET /items 503 5ms retry-after",
        "2 of 602 requests were throttled (503)",
        "2 GET /items 503 5ms",
    ),
    Proof("throttled", "2 GET /items 403 5ms retry-after", "(403)", "2 GET /items 200 5ms retry-after"),
    Proof(
        "auth-failing", "7 GET /items 401 5ms", "7 of 607 requests were refused (401)", "6 GET /items 401 5ms"
    ),
    Proof(
        "auth-failing",
        "1 POST /login 403 5ms ramp",
        "1 of 1 requests were refused (403)",
        "1 POST /login 403 5ms ramp\naccept POST /login 403",
    ),
    Proof(
        "uniform-body",
        f"{SHORT}300 GET /a 200 5ms same-body\n300 GET /b 200 5ms same-body",
        "600 replies of 2 endpoints, and every one has the same body (100 bytes)",
        f"{SHORT}300 GET /a 200 5ms same-body\n299 GET /b 200 5ms same-body\n1 GET /b 200 5ms",
    ),
    Proof(
        "uniform-body",
        f"{SHORT}5 GET /a 404 5ms same-body\n5 GET /b 404 5ms same-body",
        "10 replies",
        f"{SHORT}300 GET /a 200 5ms same-body\n300 DELETE /a 204 5ms empty",
    ),
    Proof(
        "html-replies",
        "1 GET /items 200 5ms html",
        "1 of 601 replies are HTML, 1 of them successes",
        "1 GET /items 200 5ms",
    ),
    Proof(
        "html-replies",
        "7 GET /items 502 5ms html",
        "7 of 607 replies are HTML, 0 of them",
        "6 GET /items 502 5ms html",
    ),
    Proof(
        "html-replies",
        f"{SHORT}9 GET /a 200 5ms html\n9 GET /b 200 5ms",
        "9 of 9 replies are HTML",
        f"{SHORT}9 GET /a 200 5ms html\n9 GET /b 200 5ms html\n9 GET /api 200 5ms",
    ),
    Proof(
        "generator-busy",
        "reading 1-3 s cpu 95",
        "95 % at most; 90 % or more in 3 of 20 readings",
        "reading 1-2 s cpu 95",
    ),
    Proof(
        "generator-late",
        "reading 1-8 s lag 400",
        "late by 100 ms or more in 8 readings, 400 ms at most, 16%",
        "reading 1-7 s lag 400",
    ),
    Proof(
        "generator-late",
        "reading 1-20 s lag 160",
        "in 20 readings",
        f"{SHORT}900 GET /items 200 5ms\nreading 1-20 s lag 400",
    ),
    Proof("generator-late", "reading 22 s lag 4000", "4,000 ms at most", "reading 25 s lag 4000"),
    Proof(
        "host-busy",
        "reading 0-21 s host 97",
        "busy to 97 %; of one core, the service used 60 %",
        "reading 0-15 s host 99",
    ),
    Proof(
        "load-not-reached",
        f"{SHORT}offers 50/s\nleast ShopUser 50/s\n600 GET /items 200 50ms",
        "10 users with 50 ms a reply had time for 800 requests, and sent 600 (75%)",
        f"{SHORT}offers 50/s\nleast ShopUser 50/s\n620 GET /items 200 50ms",
    ),
    Proof(
        "load-impossible",
        "600 GET /items 200 5ms",
        "75.0 requests/s, where 10 users offer at most 50.0/s",
        "300 GET /items 200 5ms",
    ),
)


def judge_lines(lines, rules=RULES):
    evidence = draw(lines)
    return judge_scenario(evidence.scenario, evidence.plan, evidence.recording, rules)


def find_findings(lines):
    return judge_lines(lines if lines.startswith("10 ") else f"{HEALTHY}\n{lines}").findings


@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: proof.code)
def test_rule__red_and_green(proof):
    messages = [
        f"{seen.subject} {seen.message}" for seen in find_findings(proof.red) if seen.code == proof.code
    ]
    assert any(proof.says in message for message in messages), messages
    assert proof.code not in {seen.code for seen in find_findings(proof.green)}


def test_relaxed_rule__is_a_note_that_gives_the_reason():
    relaxed = find_findings("9 GET /items 429 5ms\nrelax throttled the limiter is under test")
    found = next(finding for finding in relaxed if finding.code == "throttled")
    assert found.effect == "note"
    assert found.message.endswith("; relaxed in thresholds.yaml: the limiter is under test")
    assert (
        next(each for each in find_findings("9 GET /items 429 5ms") if each.code == "throttled").effect
        != "note"
    )


@pytest.mark.parametrize("code", [rule.code for rule in RULES if not rule.relaxable])
def test_relaxed_rule__is_what_it_was_where_it_must_hold(code):
    red = next(proof.red for proof in PROOFS if proof.code == code)
    red = f"{red if red.startswith('10 ') else HEALTHY + red}\n"
    assert judge_lines(f"{red}relax {code} no reason is good enough") == judge_lines(red)


def test_unproven_limit__never_passes_whatever_is_relaxed():
    relaxed = "\n".join(f"relax {code} all of them" for code in RELAXABLE)
    for lines in ("9 GET /cart 500 5ms", "", "99 GET /cart 200 5ms ramp"):
        judged = judge_lines(f"{HEALTHY}\n{lines}\nlimit GET /cart p50 1s\nlimit all failures 50%\n{relaxed}")
        assert judged.outcome == "INVALID"
        assert any(finding.effect != "note" for finding in judged.findings)


def test_unknown_rule__is_a_problem_with_its_line():
    evidence = draw(
        f"{HEALTHY}\nrelax throtled a typing error\nrelax no-samples wishful thinking\nrelax throttled fine"
    )
    workload = Workload(locustfile="shop.py", classes=(), error="not under test")
    problems = find_problems(evidence.thresholds, {"shop.py": workload})
    unknown = [problem for problem in problems if "relaxed" in problem.message]
    assert [problem.message for problem in unknown] == [
        "no rule 'throtled' can be relaxed",
        "no rule 'no-samples' can be relaxed",
    ]
    for problem in unknown:
        line = evidence.thresholds.text.splitlines()[problem.line - 1]
        assert problem.message.split("'")[1] in line
        assert "throttled" in problem.allowed


def test_nameless_requests__are_judged_in_bounded_time_and_words():
    evidence = draw(f"{HEALTHY}\nno totals")
    samples = np.tile(evidence.recording.samples, 60)
    samples["endpoint"] = len(evidence.recording.strings) + np.arange(len(samples)) % 49_000
    samples["status"], samples["ending"] = 429, ENDED_BY_STATUS
    strings = (*evidence.recording.strings, *(f"GET /items/{number}" for number in range(49_000)))
    recording = msgspec.structs.replace(evidence.recording, samples=samples, strings=strings)
    began = time.monotonic()
    judged = judge_scenario(evidence.scenario, evidence.plan, recording)
    assert time.monotonic() - began < 20
    throttled = [finding for finding in judged.findings if finding.code == "throttled"]
    assert len(throttled) == MOST_FINDINGS + 1
    assert throttled[-1].message == "20 are shown, and there are more of the kind"
    assert "49,000 endpoints" in next(f for f in judged.findings if f.code == "endpoint-explosion").message
    assert len(judged.endpoints) == 1 + MOST_ENDPOINTS
    assert len(msgspec.json.encode(judged)) < 1_000_000


def test_open_workload__what_was_not_sent_is_no_endpoint_and_no_missing_load():
    lines = f"{SHORT}least ShopUser 50/s\n500 GET /items 200 50ms"
    judged = judge_lines(f"{lines}\narrivals 50/s\n9 (not sent) 0 90ms never")
    assert [finding.code for finding in judged.findings] == ["arrivals-unsent"]
    assert judged.outcome == "FAIL"  # by the failures
    assert [finding.code for finding in judge_lines(lines).findings] == ["load-not-reached"]


def test_rules__each_has_a_proof():
    assert {proof.code for proof in PROOFS} == {rule.code for rule in RULES}
    assert len({rule.code for rule in RULES}) == len(RULES)


def test_healthy_evidence__no_finding_and_pass():
    judged = judge_lines(HEALTHY)
    assert (judged.outcome, judged.findings) == ("PASS", ())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_red_evidence__does_not_pass_by_the_rule_alone_unless_it_is_a_note(rule):
    proof = next(proof for proof in PROOFS if proof.code == rule.code)
    red = proof.red if proof.red.startswith("10 ") else f"{HEALTHY}\n{proof.red}"
    outcome = judge_lines(red, rules=(rule,)).outcome
    assert (outcome in {"INVALID", "FAIL"}) is (rule.effect != "note" or outcome == "FAIL")
