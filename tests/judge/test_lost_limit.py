"""When a limit is lost: proven, and never guessed."""

from __future__ import annotations

import pytest

from ci_gate.judge.validity.lost_limit import find_lost_limit
from tests.judge.evidence_notation import draw
from tests.judge.judging import judge_lines
from tests.judge.proof import SHORT

FAILING = f"{SHORT}600 GET /items 503 5ms\noffers 30/s\n"


def find(lines):
    evidence = draw(lines)
    return find_lost_limit(evidence.scenario, evidence.plan, evidence.classified)


def test_lost_limit__makes_a_fail_of_a_load_that_was_ended_for_it():
    judged = judge_lines(f"{FAILING}stopping at 12 s")
    assert judged.outcome == "FAIL"
    assert [finding.code for finding in judged.findings if finding.severity != "info"] == [
        "endpoint-never-succeeded",
        "load-ended-early",
        "too-few-samples",
    ]


def test_lost_limit__that_other_thresholds_do_not_lose_leaves_a_phase_that_is_too_short():
    judged = judge_lines(f"{FAILING}stopping at 12 s\nlimit all failures 100%")
    assert judged.outcome == "INVALID"
    assert "phase-cut-short" in {finding.code for finding in judged.findings}


def test_lost_limit__says_when_the_last_success_was():
    lost = find(f"{SHORT}1 GET /items 200 5ms\n900 GET /items 503 5ms\noffers 30/s")
    assert lost.no_success_s == pytest.approx(10, abs=0.1)  # the one is in the middle of the phase
    assert (lost.failures, lost.requests) == (900, 901)


@pytest.mark.parametrize(
    "lines",
    [
        "600 GET /items 503 5ms ramp",  # before the phase, which warms the service up
        "600 GET /items 200 15000ms\noffers 30/s",  # long replies are no failures
        "9 GET /items 503 5ms\noffers 1/s",  # too few to judge a limit by
        "600 GET /items 503 5ms\naccept GET /items 503\noffers 30/s",  # right here
        "600 GET /items 503 5ms\nlimit all failures 100%\noffers 30/s",  # allowed
        "600 GET /items 503 5ms\nstopping at 12 s\noffers 9000/s",  # few beside what can still come
        "600 GET /items 503 5ms\nstopping at 12 s",  # and where that is not known, it may be much
        "600 GET /items 503 5ms\nstopping at 12 s\narrivals 9000/s",
    ],
)
def test_lost_limit__none_is_lost(lines):
    assert find(f"{SHORT}{lines}") is None


def test_lost_limit__is_known_at_last_where_the_offered_load_is_not():
    assert find(f"{SHORT}600 GET /items 503 5ms")  # nothing is to come but the replies in flight
