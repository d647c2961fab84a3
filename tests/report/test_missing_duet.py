"""A comparison that never was says why, and is not shown as one that stayed unclear."""

from __future__ import annotations

import pytest

from ci_gate.errors import ServiceError
from ci_gate.judge.compare.duet import without_duet
from ci_gate.report.explain import explain_missing
from ci_gate.report.headline import summarise_in_a_sentence
from ci_gate.report.report import Report
from ci_gate.thresholds import parse_thresholds
from tests.judge.test_verdict import TEXT
from tests.report.outputs import render_verdict
from tests.report.verdicts import change, duet, not_compared, scenario, verdict

SETTINGS = parse_thresholds(TEXT, "thresholds.yaml").compare
FAILED = ServiceError("the service ended before it was ready: exit status 1", "relation orders is missing")
NO_BASE = without_duet(SETTINGS, f"base did not start: {FAILED}")
INCONCLUSIVE = verdict(scenario("shop", "INCONCLUSIVE", comparison=NO_BASE), outcome="INCONCLUSIVE")


@pytest.mark.parametrize("output", ["terminal", "comment", "page"])
def test_base_that_did_not_start__is_shown_with_the_end_of_its_log(output):
    text = render_verdict(INCONCLUSIVE)[output]
    assert "base did not start" in text
    assert "service.log ends: relation orders is missing" in text
    assert "budget" not in text
    assert "0 analyses" not in text
    assert "INVALID" not in text


def test_base_that_did_not_start__is_the_headline_and_a_reason_that_is_not_folded():
    headline = "INCONCLUSIVE: shop had no comparison with base (base did not start)"
    assert summarise_in_a_sentence(Report(verdict=INCONCLUSIVE)) == headline
    outputs = render_verdict(INCONCLUSIVE)
    assert "relation orders is missing" in outputs["comment"].partition("<details>")[0]
    assert "INCONCLUSIVE: shop had no comparison with base (base did not start)" in outputs["terminal"]


def test_comparison_that_could_not_tell__still_says_so():
    unclear = duet(change(outcome="INCONCLUSIVE"), outcome="INCONCLUSIVE")
    one = verdict(scenario("shop", "INCONCLUSIVE", comparison=unclear), outcome="INCONCLUSIVE")
    assert "may be worse than base: this run could not tell" in render_verdict(one)["terminal"]
    both = verdict(one.scenarios[0], INCONCLUSIVE.scenarios[0], outcome="INCONCLUSIVE")
    assert "may be worse than base: this run could not tell" in render_verdict(both)["terminal"]


def test_not_compared__hundreds_are_a_few_lines():
    many = [not_compared(f"GET /{number}") for number in range(300)]
    lines = list(explain_missing(duet(not_compared=many)))
    assert len(lines) == 4
    assert lines[-1].plain == "297 more were not compared for the same reason"
    assert len(list(explain_missing(duet(not_compared=many[:6])))) == 6
