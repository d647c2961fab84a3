"""Every validity rule, proven both ways: evidence that breaks it, and evidence near it that does not."""

from __future__ import annotations

import re
import time

import msgspec
import numpy as np
import pytest

from ci_gate.evidence.samples import ENDED_BY_STATUS
from ci_gate.evidence.workload import Workload
from ci_gate.judge.steady import classify
from ci_gate.judge.summary import MAX_ENDPOINTS
from ci_gate.judge.validity.feasibility import find_problems
from ci_gate.judge.validity.rules import RELAXABLE, RULES
from ci_gate.judge.verdict import judge_scenario
from ci_gate.thresholds import LocustSettings
from tests.judge.evidence_notation import HEALTHY, draw
from tests.judge.judging import judge_lines
from tests.judge.proof import SHORT
from tests.judge.rule_proofs import PROOFS


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
    assert found.severity == "info"
    assert found.message.endswith("; relaxed in thresholds.yaml: the limiter is under test")
    assert (
        next(each for each in find_findings("9 GET /items 429 5ms") if each.code == "throttled").severity
        != "info"
    )


@pytest.mark.parametrize("code", [rule.code for rule in RULES if not rule.relaxable])
def test_relaxed_rule__is_what_it_was_where_it_must_hold(code):
    red = next(proof.red for proof in PROOFS if proof.code == code)
    red = f"{red if red.startswith('10 ') else HEALTHY + red}\n"
    assert judge_lines(f"{red}relax {code} no reason is good enough") == judge_lines(red)


def test_limit_that_could_not_be_judged__never_passes_whatever_is_relaxed():
    relaxed = "\n".join(f"relax {code} all of them" for code in RELAXABLE)
    for lines in ("9 GET /cart 500 5ms", "", "99 GET /cart 200 5ms ramp"):
        judged = judge_lines(f"{HEALTHY}\n{lines}\nlimit GET /cart p50 1s\nlimit all failures 50%\n{relaxed}")
        assert judged.outcome == "INVALID"
        assert any(finding.severity != "info" for finding in judged.findings)


def test_unknown_rule__is_a_problem_with_its_line():
    evidence = draw(
        f"{HEALTHY}\nrelax throtled a typing error\nrelax no-samples wishful thinking\nrelax throttled fine"
    )
    workload = Workload(locustfile="shop.py", classes=(), error="not under test")
    problems = find_problems(evidence.thresholds, {LocustSettings(locustfiles=("shop.py",)): workload})
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
    began = time.process_time()
    judged = judge_scenario(evidence.scenario, evidence.plan, classify(recording, evidence.scenario.accept))
    assert time.process_time() - began < 20
    (throttled,) = [finding for finding in judged.findings if finding.code == "throttled"]
    assert re.search(r"; likewise 48,999 more, such as GET /items/\d+, GET /items/\d+", throttled.message)
    assert "49,000 endpoints" in next(f for f in judged.findings if f.code == "endpoint-explosion").message
    assert len(judged.endpoints) == 1 + MAX_ENDPOINTS
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
    assert (outcome in {"INVALID", "FAIL"}) is (rule.severity != "info" or outcome == "FAIL")
