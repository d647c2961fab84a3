"""What a job on a fresh runner has confirmed counts only for the start that it confirms."""

from __future__ import annotations

import msgspec
import pytest

from ci_gate.evidence.recording import CONFIRMED_LATER
from ci_gate.judge.code.difference import CodeChange
from ci_gate.judge.gate.confirmed import list_unconfirmed, take_confirmations
from ci_gate.judge.gate.merging import merge_verdicts
from ci_gate.judge.outcomes import outcome_of_scenario
from tests.report.verdicts import change, confirm, duet, limit, scenario, verdict

JOBS = {"plan": "success", "scenario": "failure", "reds": "success", "confirm": "success"}


def of(compared, name="a", **more):
    """The verdict of a job on one scenario with this comparison."""
    limits = more.pop("limits", (limit(),))
    outcome = outcome_of_scenario((), tuple(limits), compared)
    one = scenario(name, outcome, limits=limits, comparison=compared)
    return verdict(one, outcome=outcome, **more)


FAILED = duet(change(size=0.3), outcome="FAIL")
FIRST = of(confirm(FAILED, failure=CONFIRMED_LATER))
CONFIRMED = of(confirm(FAILED, ("all", "p95", 0.3, 0.28)))
UNCLEAR = of(
    confirm(duet(change(size=0.1, outcome="INCONCLUSIVE"), outcome="INCONCLUSIVE"), ("all", "p95", 0.3, -0.1))
)


def test_unconfirmed__is_what_fails_and_was_left_to_a_fresh_runner():
    green = of(duet(change(size=0.0, outcome="PASS")), "b")
    by_limits = of(None, "c", limits=(limit(outcome="FAIL"),))
    assert list_unconfirmed([FIRST, green, by_limits, of(FAILED, "d"), CONFIRMED]) == ("a",)


@pytest.mark.parametrize("both", [CONFIRMED, UNCLEAR])
def test_confirmation__that_fits_takes_the_place_of_the_first_start(both):
    assert take_confirmations([FIRST], [both]) == (both,)


def test_confirmation__that_says_which_code_it_is_fits():
    (scenario_of_both,) = CONFIRMED.scenarios
    scenario_of_both = msgspec.structs.replace(scenario_of_both, code=CodeChange(why_not="no stacks"))
    both = msgspec.structs.replace(CONFIRMED, scenarios=(scenario_of_both,))
    assert take_confirmations([FIRST], [both]) == (both,)


@pytest.mark.parametrize(
    ("came_back", "why"),
    [
        ([], "no second start came back"),
        ([msgspec.structs.replace(UNCLEAR, started_at="2026-11-23T14:00:00Z")], "another measurement"),
        ([msgspec.structs.replace(UNCLEAR, git={"head": "f" * 40})], "another measurement"),
        ([msgspec.structs.replace(UNCLEAR, thresholds_sha256="0" * 64)], "another measurement"),
        ([of(UNCLEAR.scenarios[0].comparison, limits=(limit(measured=9.0),))], "another measurement"),
        ([of(duet(change(size=0.0, outcome="PASS")))], "another measurement"),
        ([FIRST], "another measurement"),
        ([UNCLEAR, UNCLEAR], "another measurement"),
        ([of(UNCLEAR.scenarios[0].comparison, "b")], "no second start came back"),
    ],
)
def test_first_start__stands_where_none_fits_it(came_back, why):
    """A run that is started again finds what its earlier attempt has left."""
    (kept,) = take_confirmations([FIRST], came_back)
    assert (kept.outcome, kept.blocks) == ("FAIL", True)
    assert why in kept.scenarios[0].comparison.confirmation.failure


@pytest.mark.parametrize("first", [of(FAILED), CONFIRMED, of(None, limits=(limit(outcome="FAIL"),))])
def test_confirmation__that_nobody_asked_for_counts_for_nothing(first):
    assert take_confirmations([first], [UNCLEAR]) == (first,)


def merge(first, both, jobs=JOBS):
    return merge_verdicts(["a"], take_confirmations([first], both), jobs=jobs, replaced=[first])


def test_merged__job_of_a_start_that_was_not_confirmed_is_explained_by_it():
    merged = merge(FIRST, [UNCLEAR])
    assert (merged.outcome, merged.blocks, merged.findings) == ("INCONCLUSIVE", False, ())
    merged = merge(FIRST, [CONFIRMED], JOBS | {"confirm": "failure"})
    assert (merged.outcome, merged.findings) == ("FAIL", ())


@pytest.mark.parametrize("result", ["cancelled", "skipped", "failure"])
def test_merged__is_red_without_its_confirmation(result):
    merged = merge(FIRST, [], JOBS | {"confirm": result})
    assert (merged.outcome, merged.exit_code) == ("FAIL", 1)


def test_merged__green_run_needs_no_job_of_reds():
    green = of(duet(change(size=0.0, outcome="PASS")))
    jobs = {"plan": "success", "scenario": "success", "reds": "skipped", "confirm": "skipped"}
    assert merge(green, [], jobs).outcome == "PASS"
    assert merge(green, [], jobs | {"scenario": "skipped"}).outcome == "INVALID"
    assert merge(green, [], jobs | {"reds": "failure"}).outcome == "INVALID"
    assert merge(green, [], jobs | {"confirm": "cancelled"}).outcome == "INVALID"
