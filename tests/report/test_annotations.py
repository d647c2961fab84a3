from __future__ import annotations

import re

import pytest
from hypothesis import given

from ci_gate.report.annotations import clean_log_line, render_annotations
from ci_gate.report.escape import MAX_NAME_LENGTH, MAX_TEXT_LENGTH, clean
from ci_gate.report.report import Report
from tests.report.examples import CHANGES, EXAMPLES, approval
from tests.report.test_escape import hostile_text
from tests.report.verdicts import change, duet, finding, limit, scenario, verdict

COMMAND = re.compile(r"::(?P<name>[a-z-]+)(?: (?P<properties>[^:\r\n]*))?::(?P<message>[^\r\n]*)\Z")


def decode(text, *, is_property):
    pairs = [("%3A", ":"), ("%2C", ",")] if is_property else []
    for code, character in [*pairs, ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")]:
        text = text.replace(code, character)
    return text


def parse(line):
    """What the runner reads from a line: properties, and the message."""
    match = COMMAND.match(line)
    assert match
    assert match["name"] == "error"
    pairs = [pair.partition("=") for pair in match["properties"].split(",")]
    properties = {name: decode(value, is_property=True) for name, _, value in pairs}
    return properties, decode(match["message"], is_property=False)


def test_breach__points_at_the_line_of_its_limit():
    broken = scenario(
        "checkout", "FAIL", limits=[limit(), limit("GET /a", "p95", 350.0, outcome="FAIL", line=7)]
    )
    (line,) = render_annotations(Report(verdict=verdict(broken, outcome="FAIL")))
    assert line == (
        "::error file=thresholds.yaml,line=7,title=checkout%3A limit broken"
        "::GET /a p95 was 350 ms, must be at most 300ms: 16.7 %25 above it"
    )


def test_default_limit__has_no_line_to_point_at():
    broken = scenario(limits=[limit(metric="failures", measured=0.5, text="1%", outcome="FAIL", line=None)])
    ((properties, message),) = map(parse, render_annotations(Report(verdict=verdict(broken))))
    assert properties == {"file": "thresholds.yaml", "title": "checkout: limit broken"}
    assert message == "all failures was 50 %, must be at most 1%: 50 times the limit"


def test_finding__says_what_fixes_it_but_a_note_is_no_error():
    found = scenario(findings=[finding(), finding(severity="info")])
    at_run = [finding("x", "invalid", "run", "interrupted"), finding(severity="info")]
    (first, second) = map(parse, render_annotations(Report(verdict=verdict(found, findings=at_run))))
    assert first == ({"title": "checkout: INVALID"}, "GET /a: a p99 takes 1,000. To fix it: run longer")
    assert second == ({"title": "INVALID"}, "run: interrupted. To fix it: run longer")


def test_broken_tolerance__is_an_error_of_the_file():
    worse = scenario("a", "FAIL", comparison=duet(change("GET /a"), change(outcome="PASS")))
    ((properties, message),) = map(parse, render_annotations(Report(verdict=verdict(worse))))
    assert properties == {"file": "thresholds.yaml", "title": "a: worse than base"}
    assert (
        message == "GET /a p95 went from 200 to 225 ms against base, +12 % (+8 to +16); the tolerance is 10 %"
    )


@pytest.mark.parametrize("is_given", [False, True])
def test_loosening__is_an_error_until_it_is_approved(is_given):
    report = Report(verdict=verdict(), changes=CHANGES, approval=approval(is_given=is_given))
    lines = render_annotations(report)
    assert len(lines) == (0 if is_given else 2)
    if lines:
        properties, message = parse(lines[0])
        assert properties["line"] == "76"
        assert message.startswith("burst-load all p50: 500ms in base, 20s here; approve it by the label")
        assert "1s in base, nothing here" in lines[1]
        assert "line" not in parse(lines[1])[0]


@pytest.mark.parametrize(("breaches", "shown"), [(9, 9), (10, 10), (11, 10), (500, 10)])
def test_more_than_ten__are_counted(breaches, shown):
    broken = scenario(limits=[limit(f"GET /{number}", outcome="FAIL") for number in range(breaches)])
    lines = render_annotations(Report(verdict=verdict(broken)))
    assert len(lines) == shown
    is_counted = f"{breaches - 9} more; the job summary has all of them" in lines[-1]
    assert is_counted is (breaches > 10)


@pytest.mark.parametrize("name", ["pass", "loosened-approved"])
def test_nothing_wrong__no_annotation(name):
    assert render_annotations(EXAMPLES[name]) == ()


@given(hostile_text, hostile_text)
def test_hostile_names__stay_in_one_command_and_read_as_they_are(name, message):
    broken = scenario(name, "FAIL", limits=[limit(name, outcome="FAIL")], findings=[finding(message=message)])
    for line in render_annotations(Report(verdict=verdict(broken))):
        properties, text = parse(line)
        assert set(properties) <= {"file", "line", "title"}
        assert properties["title"].startswith(clean(f"{name}:", MAX_NAME_LENGTH)[:100])
        assert len(text) <= MAX_TEXT_LENGTH


def test_percent__reads_as_it_is():
    name = "GET /100%0A::error::x %25"
    broken = scenario(name, "FAIL", limits=[limit(name, outcome="FAIL")])
    ((properties, message),) = map(parse, render_annotations(Report(verdict=verdict(broken))))
    assert properties["title"] == f"{name}: limit broken"
    assert message.startswith(f"{name} p95 was")


@given(hostile_text)
def test_log_line__is_no_command(text):
    line = clean_log_line(text)
    assert "\n" not in line
    assert "##[" not in line
    assert not line.lstrip().startswith("::")
