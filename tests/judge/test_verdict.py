from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_gate.errors import EvidenceError
from ci_gate.judge.verdict import MAX_VERDICT_BYTES, decode_verdict, encode_verdict, judge
from ci_gate.thresholds import parse_thresholds
from tests.judge.evidence_values import make_run
from tests.judge.recordings import make_recording, make_rows

A = 2
TEXT = """
schema: 1
service: {command: "serve {port}"}
profiles:
  quick: {duration: 10s}
scenarios:
  first:
    locustfile: first.py
    users: {Visitor: 5}
    spawn_rate: 1
    limits:
      GET /a: {p50: 100ms}
  second:
    locustfile: second.py
    users: {Visitor: 5}
    spawn_rate: 1
    limits:
      GET /a: {p50: 100ms}
"""
GOOD = make_recording(make_rows(A, [50.0] * 100))
SLOW = make_recording(make_rows(A, [150.0] * 100))
FEW = make_recording(make_rows(A, [50.0] * 10))
FAILING = make_recording(make_rows(A, [50.0] * 100), make_rows(A, [1.0] * 100, status=500))
NEVER_GOOD = make_recording(make_rows(A, [1.0] * 100, status=500))
CUT_OFF = make_recording(make_rows(A, [150.0] * 100), marks=GOOD.marks[:-1])


def judge_two(first, second=GOOD, text=TEXT, **changes):
    thresholds = parse_thresholds(text, "thresholds.yaml")
    recordings = {(name, "head"): each for name, each in (("first", first), ("second", second)) if each}
    run = make_run(parse_thresholds(TEXT, "thresholds.yaml"), **changes)
    return judge(thresholds, run, recordings)


@pytest.mark.parametrize(
    ("recording", "outcome", "exit_code"),
    [
        (GOOD, "PASS", 0),
        (SLOW, "FAIL", 1),
        (FAILING, "FAIL", 1),
        (NEVER_GOOD, "FAIL", 1),  # that all fail is proven, though no latency is
        (FEW, "INVALID", 3),
        (CUT_OFF, "INVALID", 3),  # a breach in a measurement that cannot be trusted is no breach
        (None, "INVALID", 3),
    ],
)
def test_verdict__of_one_scenario(recording, outcome, exit_code):
    verdict = judge_two(recording)
    assert verdict.scenarios[0].outcome == outcome
    assert (verdict.outcome, verdict.exit_code) == (outcome, exit_code)
    assert verdict.scenarios[1].outcome == "PASS"


def test_verdict__a_proven_breach_outranks_a_run_that_proves_nothing():
    assert judge_two(FEW, SLOW).outcome == "FAIL"


def test_verdict__default_failure_limit_holds_where_none_is_given():
    (default,) = [limit for limit in judge_two(FAILING).scenarios[0].limits if limit.line is None]
    assert (default.endpoint, default.metric, default.outcome) == ("all", "failures", "FAIL")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"interrupted": True}, "run-not-finished"),
        ({"ended_at": None}, "run-not-finished"),
        ({"failed": "no space left on device"}, "run-failed"),
    ],
)
def test_verdict__an_unfinished_run_is_invalid(changes, code):
    verdict = judge_two(GOOD, **changes)
    assert verdict.outcome == "INVALID"
    message_of = {finding.code: finding.message for finding in verdict.findings}
    assert set(message_of) & {"run-not-finished", "run-failed"} == {code}
    assert changes.get("failed") or "failed" not in message_of[code]
    assert (changes.get("failed") or "the run") in message_of[code]


def test_verdict__a_scenario_that_could_not_be_measured_is_invalid():
    verdict = judge_two(GOOD, failures={"first": "the service did not start"})
    assert verdict.scenarios[0].outcome == "INVALID"
    assert verdict.scenarios[0].findings[0].code == "not-measured"


@pytest.mark.parametrize(
    ("old", "new"),
    [("Visitor: 5", "Visitor: 6"), ("first.py", "other.py"), ("spawn_rate: 1", "spawn_rate: 2")],
)
def test_verdict__evidence_of_another_load_is_invalid(old, new):
    verdict = judge_two(GOOD, text=TEXT.replace(old, new, 1))
    assert verdict.outcome == "INVALID"
    assert [finding.code for finding in verdict.findings] == ["other-load"]


def test_verdict__a_scenario_that_was_not_run_is_noted():
    run = make_run(parse_thresholds(TEXT, "t"))
    verdict = judge_two(GOOD, recordings=run.recordings[:1])
    assert verdict.outcome == "PASS"
    assert [finding.message for finding in verdict.findings] == ["not run: second"]


@pytest.mark.parametrize(
    ("recording", "codes"),
    [(GOOD, []), (SLOW, ["unknown"]), (FAILING, ["failing-replies"]), (None, ["not-started"])],
)
def test_verdict__holds_the_diagnosis_of_each_scenario(recording, codes):
    first, second = judge_two(recording).scenarios
    assert [cause.code for cause in first.diagnosis.causes] == codes
    assert second.diagnosis.causes == ()


def test_verdict__judging_is_a_function():
    assert judge_two(FAILING) == judge_two(FAILING)


@pytest.mark.parametrize("recording", [GOOD, SLOW, FAILING, None])
def test_verdict__json_round_trips(recording):
    verdict = judge_two(recording)
    assert decode_verdict(encode_verdict(verdict)) == verdict


def test_verdict__json_is_strict():
    verdict = msgspec.json.decode(encode_verdict(judge_two(GOOD)))
    for change in ({"more": 1}, {"outcome": "MAYBE"}, {"blocks": "no"}, {"schema": 1}, {"scenarios": None}):
        with pytest.raises(EvidenceError):
            decode_verdict(msgspec.json.encode({**verdict, **change}))
    for key in verdict:
        with pytest.raises(EvidenceError):
            decode_verdict(
                msgspec.json.encode({name: value for name, value in verdict.items() if name != key})
            )
    with pytest.raises(EvidenceError, match="larger than"):
        decode_verdict(b" " * (MAX_VERDICT_BYTES + 1))


@given(st.binary(max_size=200))
def test_verdict__hostile_bytes_are_evidence_errors(text):
    with pytest.raises(EvidenceError):
        decode_verdict(text)
