"""What is read of a verdict is never better than its parts."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_gate.errors import EvidenceError
from ci_gate.judge.outcomes import outcome_of_scenario
from ci_gate.judge.verdict import decode_verdict, encode_verdict
from tests.report.verdicts import change, duet, endpoint, finding, limit, not_compared, scenario, verdict

DISTRUST = finding("auth-failing", "invalid")
UNPROVEN = finding()
BROKEN = limit(measured=350.0, outcome="FAIL")


def read(*scenarios, **more):
    made = verdict(*scenarios, **more)
    return decode_verdict(encode_verdict(made))


@pytest.mark.parametrize(
    ("claimed", "outcome"),
    [
        (scenario(limits=[BROKEN]), "FAIL"),
        (scenario(limits=[limit(measured=350.0)]), "INVALID"),
        (scenario(limits=[limit(measured=200.0)], endpoints=[endpoint(p95=350.0)]), "INVALID"),
        (scenario(limits=[limit(metric="rate", measured=10.0, text="50/s")]), "INVALID"),
        (scenario(limits=[limit(measured=None)]), "INVALID"),
        (scenario(limits=[limit(samples=199)]), "INVALID"),
        (scenario(endpoints=[endpoint(requests=199)]), "INVALID"),
        (scenario(limits=[limit(outcome="INVALID")]), "INVALID"),
        (scenario(limits=[]), "INVALID"),
        (scenario(findings=[DISTRUST]), "INVALID"),
        (scenario(findings=[UNPROVEN]), "INVALID"),
        (scenario(comparison=duet(change(), outcome="FAIL")), "FAIL"),
        (scenario(comparison=duet(change(), outcome="PASS")), "INVALID"),
        (scenario(comparison=duet(change(outcome="PASS", is_real=True), outcome="PASS")), "INVALID"),
        (scenario(comparison=duet(outcome="PASS")), "INVALID"),
        (scenario(comparison=duet(outcome="INCONCLUSIVE")), "INCONCLUSIVE"),
        (scenario(comparison=duet(outcome="INVALID")), "INVALID"),
    ],
)
def test_pass__beside_parts_that_say_otherwise_is_theirs(claimed, outcome):
    verdict = read(claimed)
    assert verdict.scenarios[0].outcome == outcome
    assert (verdict.outcome, verdict.blocks) == ("FAIL" if outcome == "FAIL" else "INVALID", True)
    assert [each.code for each in verdict.findings] == ["contradiction"]


@pytest.mark.parametrize(
    "honest",
    [
        scenario(),
        scenario("checkout", "FAIL", limits=[BROKEN]),
        scenario("checkout", "INVALID", findings=[UNPROVEN]),
        scenario(findings=[finding(severity="info")]),
        scenario(comparison=duet(change(size=0.01, outcome="PASS"))),
        scenario(comparison=duet(change(size=0.01, outcome="PASS"), not_compared=[not_compared()])),
        scenario("checkout", "FAIL", comparison=duet(change(), outcome="FAIL")),
        scenario("checkout", "INCONCLUSIVE", comparison=duet(outcome="INCONCLUSIVE")),
        scenario(limits=[limit(metric="failures", measured=1 - 990 / 1000, text="1%", samples=1000)]),
    ],
)
def test_honest_verdict__is_read_as_it_is(honest):
    made = verdict(honest, outcome=honest.outcome)
    assert decode_verdict(encode_verdict(made)) == made


def test_worse_than_its_parts__stays_so():
    assert read(scenario("checkout", "INVALID"), outcome="INVALID").outcome == "INVALID"
    assert read(outcome="FAIL").outcome == "FAIL"


def test_no_scenario__proves_nothing():
    forged = json.loads(encode_verdict(verdict())) | {"scenarios": []}
    read_back = decode_verdict(json.dumps(forged).encode())
    assert (read_back.outcome, read_back.exit_code) == ("INVALID", 3)


@pytest.mark.parametrize("blocks", [True, False])
def test_run__beside_a_failed_scenario_is_no_pass(blocks):
    read_back = read(scenario("checkout", "FAIL", limits=[BROKEN]), outcome="PASS", blocks=blocks)
    assert (read_back.outcome, read_back.exit_code) == ("FAIL", 1)


def test_failed_run__blocks_whatever_it_says():
    assert read(scenario("checkout", "FAIL", limits=[BROKEN]), outcome="FAIL", blocks=False).exit_code == 1


def test_scenario__that_stands_twice_is_invalid():
    assert read(scenario(), scenario()).outcome == "INVALID"


def _numbers(value, path=()):
    """Every number of a JSON document by its path."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield path
    for key, inner in pairs:
        yield from _numbers(inner, (*path, key))


FULL = json.loads(
    encode_verdict(
        verdict(
            scenario(comparison=duet(change(size=0.01, outcome="PASS"), not_compared=[not_compared()])),
        )
    )
)
SIGNED = {"change", "low", "high", "worst"}


@pytest.mark.parametrize("path", list(_numbers(FULL)), ids=lambda path: ".".join(map(str, path)))
@pytest.mark.parametrize("text", ["-1e17", "1e17", "1e308", "1e400", "NaN", "Infinity", "1" + "0" * 400])
def test_number__that_nobody_measured_is_refused(path, text):
    document = json.loads(json.dumps(FULL))
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = "HERE"
    with pytest.raises(EvidenceError):
        decode_verdict(json.dumps(document).replace('"HERE"', text).encode())
    if path[-1] not in SIGNED:
        with pytest.raises(EvidenceError):
            decode_verdict(json.dumps(document).replace('"HERE"', "-3").encode())


def test_more_successes_than_requests__are_refused():
    text = encode_verdict(verdict()).replace(b'"successes": 3600', b'"successes": 3601')
    with pytest.raises(EvidenceError, match="3601 successes of 3600 requests"):
        decode_verdict(text)


@settings(deadline=None, max_examples=50)
@given(
    st.sampled_from(["PASS", "FAIL", "INVALID", "INCONCLUSIVE"]),
    st.sampled_from(["PASS", "FAIL", "INVALID", "INCONCLUSIVE"]),
    st.booleans(),
    st.floats(0, 1e6),
    st.sampled_from(["PASS", "FAIL", "INVALID"]),
    st.lists(st.sampled_from([DISTRUST, UNPROVEN, finding(severity="info")]), max_size=2),
)
def test_reading__again_changes_nothing_more(outcome, of_scenario, blocks, measured, result, findings):
    one = scenario("a", of_scenario, limits=[limit(measured=measured, outcome=result)], findings=findings)
    once = read(one, outcome=outcome, blocks=blocks)
    assert decode_verdict(encode_verdict(once)) == once
    if once.exit_code == 0 and once.outcome == "PASS":
        assert measured <= 300
        assert not {each.severity for each in findings} & {"invalid", "insufficient"}
        assert msgspec.structs.replace(once, findings=()).scenarios[0].outcome == "PASS"


TAKEN = finding("machine-taken", "invalid")
WORSE = duet(change(outcome="FAIL", is_real=True), outcome="FAIL")


@pytest.mark.parametrize(
    ("findings", "comparison", "outcome"),
    [
        ((TAKEN,), WORSE, "FAIL"),
        ((TAKEN,), duet(outcome="PASS"), "INVALID"),
        ((TAKEN,), None, "INVALID"),
        ((TAKEN, DISTRUST), WORSE, "INVALID"),
        ((DISTRUST,), WORSE, "INVALID"),
    ],
)
def test_taken_machine__leaves_the_comparison_which_shares_it(findings, comparison, outcome):
    assert outcome_of_scenario(findings, (BROKEN,), comparison) == outcome
