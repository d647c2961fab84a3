"""JUnit XML: it keeps to the schema, no name breaks it, and only what was shown to be good is green.

junit-10.xsd is the schema of the Jenkins xUnit plugin, as the source distribution of pytest 9.0.2 carries it
(testing/example_scripts/junit-10.xsd, MIT; its notice is in the file).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from ci_gate.report.junit import render_junit
from tests.report.examples import EXAMPLES
from tests.report.test_escape import hostile_text
from tests.report.verdicts import change, duet, endpoint, finding, limit, not_compared, scenario, verdict

SCHEMA = etree.XMLSchema(etree.parse(Path(__file__).with_name("junit-10.xsd")))
GOLDEN = Path(__file__).with_name("golden")
GOLDEN_NAMES = ("fail", "worse-than-base")


def parse(text):
    """The root, with the schema kept and the counts right."""
    root = etree.fromstring(text.encode())
    SCHEMA.assertValid(root)
    totals = Counter()
    for suite in root:
        states = Counter(states_of(suite).values())
        counts = {name: int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")}
        assert counts == {
            "tests": len(suite.findall("testcase")),
            "failures": states["failure"],
            "errors": states["error"],
            "skipped": states["skipped"],
        }
        totals.update(counts)
    assert [int(root.get(name)) for name in ("tests", "failures", "errors")] == [
        totals[name] for name in ("tests", "failures", "errors")
    ]
    keys = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(set(keys)) == len(keys)
    return root


def states_of(element):
    """Case name -> passed, skipped, failure or error."""
    found = {}
    for case in element.iter("testcase"):
        (child,) = case
        found[case.get("name")] = "passed" if child.tag == "system-out" else child.tag
    return found


def states(*scenarios, outcome="PASS", **more):
    return states_of(parse(render_junit(verdict(*scenarios, outcome=outcome, **more))))


@pytest.mark.parametrize("name", EXAMPLES)
def test_junit__keeps_to_the_schema(name):
    parse(render_junit(EXAMPLES[name].verdict))


@pytest.mark.parametrize("name", GOLDEN_NAMES)
def test_junit__is_as_in_the_golden_file(name):
    assert render_junit(EXAMPLES[name].verdict) == (GOLDEN / f"{name}.xml").read_text(encoding="utf-8")


def test_schema__refuses_what_it_does_not_know():
    with pytest.raises(etree.DocumentInvalid):
        parse(render_junit(verdict()).replace("<testcase", "<case").replace("</testcase", "</case"))


def test_limit__kept_passes_broken_fails_and_unmeasured_is_an_error():
    limits = [
        limit("GET /a"),
        limit("GET /b", outcome="FAIL", measured=512.6),
        limit("GET /c", outcome="INVALID", measured=None, samples=3),
    ]
    text = render_junit(verdict(scenario("a", "FAIL", limits=limits), outcome="FAIL"))
    assert states_of(parse(text)) == {"GET /a p95": "passed", "GET /b p95": "failure", "GET /c p95": "error"}
    (broken,) = parse(text).iter("failure")
    assert broken.get("message") == "was 513 ms, must be at most 300ms: 70.9 % above it"
    assert broken.text.splitlines() == [
        broken.get("message"),
        "3,600 samples, needed 200",
        "thresholds.yaml:12",
    ]
    (unmeasured,) = parse(text).iter("error")
    assert unmeasured.get("message") == "was not measured (too few samples), must be at most 300ms"


def test_finding__that_blocks_is_an_error_and_a_note_is_no_case():
    found = [finding(), finding("slow-start", "info")]
    assert states(scenario("a", "INVALID", findings=found), outcome="INVALID") == {
        "all p95": "passed",
        "too-few: GET /a": "error",
    }


def test_untrusted_measurement__has_neither_kept_nor_broken_limits():
    limits = [limit("GET /a"), limit("GET /b", outcome="FAIL")]
    found = [finding("throttled", "invalid", "GET /a", "148 replies were 429")]
    one = scenario("a", "INVALID", limits=limits, findings=found, comparison=duet(change(outcome="PASS")))
    text = render_junit(verdict(one, outcome="INVALID"))
    assert set(states_of(parse(text)).values()) == {"error"}
    assert "not judged: the measurement cannot be trusted: was 212 ms" in text


@pytest.mark.parametrize(("blocks", "state"), [(False, "skipped"), (True, "failure")])
def test_inconclusive__is_skipped_or_a_failure_where_it_blocks(blocks, state):
    unclear = duet(
        change("all", outcome="INCONCLUSIVE"),
        change("GET /rare", outcome="INCONCLUSIVE", size=0.01),  # within its tolerance: decides nothing
        change("GET /good", outcome="PASS"),
        not_compared=[not_compared("GET /b", outcome="INCONCLUSIVE"), not_compared("GET /c")],
        outcome="INCONCLUSIVE",
    )
    one = scenario("a", "INCONCLUSIVE", comparison=unclear)
    assert states(one, outcome="INCONCLUSIVE", blocks=blocks) == {
        "all p95": "passed",
        "all p95 against base": state,
        "GET /rare p95 against base": "skipped",
        "GET /good p95 against base": "passed",
        "GET /b p99 against base": state,
        "GET /c p99 against base": "skipped",
    }


def test_tolerance__broken_is_a_failure():
    one = scenario("a", "FAIL", comparison=duet(change("GET /a"), outcome="FAIL"))
    assert states(one, outcome="FAIL")["GET /a p95 against base"] == "failure"


@pytest.mark.parametrize(("outcome", "state"), [("INCONCLUSIVE", "skipped"), ("INVALID", "error")])
def test_comparison__with_a_side_in_doubt_is_not_green(outcome, state):
    broken = finding("throttled", "invalid", "GET /a", side="base")
    compared = duet(change(outcome="PASS"), outcome=outcome, findings=[broken])
    one = scenario("a", "INVALID" if outcome == "INVALID" else "INCONCLUSIVE", comparison=compared)
    found = states(one, outcome=one.outcome)
    assert found == {"all p95": "passed", "all p95 against base": state, "throttled: base: GET /a": state}


@pytest.mark.parametrize(
    ("outcome", "blocks", "state"),
    [
        ("FAIL", True, "failure"),
        ("INVALID", True, "error"),
        ("INCONCLUSIVE", False, "skipped"),
        ("INCONCLUSIVE", True, "failure"),
    ],
)
def test_outcome__that_no_other_case_has_is_a_case(outcome, blocks, state):
    assert states(scenario("a", outcome), outcome=outcome, blocks=blocks)["verdict"] == state
    root = parse(render_junit(verdict(scenario("a"), outcome=outcome, blocks=blocks)))
    assert [suite.get("name") for suite in root] == ["a", "(run)"]
    assert states_of(root[1]) == {"verdict": state}


def test_run__has_a_suite_of_its_own_findings():
    found = [finding("run-not-finished", "invalid", "run"), finding("left-out", "info", "run")]
    root = parse(render_junit(verdict(scenario("a"), outcome="INVALID", findings=found)))
    assert states_of(root[1]) == {"run-not-finished: run": "error"}


def test_suite__says_what_was_measured_where():
    suite = parse(render_junit(verdict(scenario("checkout", users=1000))))[0]
    properties = {each.get("name"): each.get("value") for each in suite.iter("property")}
    assert properties["users"] == "1000"
    assert properties["rate_per_s"] == "60"
    assert properties["profile"] == "pull_request"
    assert properties["commit"].startswith("0123456789")
    assert properties["thresholds_sha256"] == "f" * 64
    assert suite.get("time") == "60.000"


def test_names__that_are_alike_or_cut_alike_stay_apart():
    names = ["GET /a", "GET /a", "GET /a", "GET /" + "x" * 300, "GET /" + "x" * 301]
    found = states(scenario("a", limits=[limit(name) for name in names]))
    assert {"GET /a p95", "GET /a p95 (2)", "GET /a p95 (3)"} < set(found)
    assert len(found) == len(names)


def test_control_characters__are_replaced_where_xml_has_no_way_to_write_them():
    hostile = limit("GET /\x00\x0b\x1b\ud800\ufffe\u202e")
    (name,) = states_of(parse(render_junit(verdict(scenario(limits=[hostile])))))
    assert name == "GET /\ufffd \ufffd\ufffd\ufffd\ufffd p95"


@settings(max_examples=60, deadline=None)
@given(
    name=st.one_of(hostile_text, st.text(st.characters())),
    text=st.one_of(hostile_text, st.text(st.characters())),
    outcome=st.sampled_from(["FAIL", "INVALID", "INCONCLUSIVE"]),
    severity=st.sampled_from(["invalid", "insufficient", "info"]),
)
def test_hostile_verdict__is_always_valid_and_never_all_green(name, text, outcome, severity):
    compared = duet(change(name, outcome="PASS"), not_compared=[not_compared(name)], findings=[finding(name)])
    one = scenario(
        name,
        outcome,
        endpoints=[endpoint(name)],
        limits=[limit(name, text=text), limit(name)],
        findings=[finding(text, severity, name, text, name)],
        comparison=compared,
    )
    hostile = verdict(one, outcome=outcome, head=name, profile=text, started_at=name)
    root = parse(render_junit(hostile))
    assert set(states_of(root).values()) - {"passed"}
    if outcome != "INCONCLUSIVE":
        assert set(states_of(root).values()) & {"failure", "error"}


if __name__ == "__main__":
    for each in GOLDEN_NAMES:
        (GOLDEN / f"{each}.xml").write_text(render_junit(EXAMPLES[each].verdict), encoding="utf-8")
