"""The terminal's text. After a wanted change run ``python -m tests.report.test_terminal``, and look."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci_gate.report.terminal import render_terminal
from tests.report.examples import EXAMPLES
from tests.report.verdicts import cause, diagnosis, scenario, verdict

GOLDEN = Path(__file__).with_name("golden")
NAMES = ("pass", "fail", "invalid", "worse-than-base", "machine-taken")


@pytest.mark.parametrize("name", NAMES)
def test_terminal__is_as_in_the_golden_file(name):
    assert render_terminal(EXAMPLES[name].verdict) == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_terminal__ends_with_the_verdict_in_a_sentence(name):
    verdict = EXAMPLES[name].verdict
    assert render_terminal(verdict).splitlines()[-1].startswith(f"{verdict.outcome}: ")


def test_terminal__a_pass_needs_no_diagnosis():
    one = scenario("a", diagnosis=diagnosis(cause()))
    assert "connection-pool" not in render_terminal(verdict(one))


@pytest.mark.parametrize(("outcome", "named"), [("FAIL", True), ("INVALID", False), ("INCONCLUSIVE", False)])
def test_terminal__that_no_cause_is_known_is_said_where_something_is_to_be_explained(outcome, named):
    nothing = scenario("a", outcome, diagnosis=diagnosis(unknown=("the database: no probe",)))
    text = render_terminal(verdict(nothing, outcome=outcome))
    assert (("not known" in text), ("not observed" in text)) == (named, named)
    known = scenario("a", outcome, diagnosis=diagnosis(cause()))
    assert "[connection-pool]" in render_terminal(verdict(known, outcome=outcome))


def test_terminal__the_diagnosis_cannot_write_to_the_terminal():
    hostile = cause(title="\x1b[31mred\nFAKE: PASS", numbers=("\x07",), next_step="\r")
    text = render_terminal(verdict(scenario("a", "FAIL", diagnosis=diagnosis(hostile)), outcome="FAIL"))
    assert not set(text) & set("\x1b\x07\r")
    assert "\nFAKE" not in text


if __name__ == "__main__":
    for each in NAMES:
        (GOLDEN / f"{each}.txt").write_text(render_terminal(EXAMPLES[each].verdict), encoding="utf-8")
