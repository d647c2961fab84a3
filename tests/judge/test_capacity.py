"""From evidence of steps to what fits, where the knee is and what ran out first."""

from __future__ import annotations

import msgspec
import pytest

from ci_gate.errors import EvidenceError
from ci_gate.judge.capacity.knee import Knee
from ci_gate.judge.capacity.scalability import Scalability
from ci_gate.judge.capacity.verdict import CapacityVerdict, encode_capacity, is_capacity, judge_capacity
from tests.judge.capacity_steps import KNEE, draw_steps


def judge_steps_of(lines=KNEE, **changes):
    return judge_capacity(*draw_steps(lines, **changes))


def test_capacity__fits_up_to_the_first_load_that_broke_a_limit():
    verdict = judge_steps_of()
    assert [step.load for step in verdict.steps] == [10, 20, 40, 80, 160]
    assert verdict.step(verdict.fit.kept).load == 40
    assert verdict.step(verdict.fit.breached).load == 80
    assert verdict.ended.by == "knee"
    assert verdict.exit_code == 0


def test_capacity__finds_the_knee_and_the_law():
    verdict = judge_steps_of()
    assert isinstance(verdict.knee, Knee)
    assert verdict.knee.load.value == pytest.approx(39, rel=0.05)
    assert verdict.knee.ceiling_per_s.value == pytest.approx(77, rel=0.05)
    assert isinstance(verdict.scalability, Scalability)
    assert verdict.diagnosed == "step-004"  # the first beyond the knee
    assert verdict.diagnosis is not None


def test_capacity__the_same_evidence_gives_the_same_bytes_and_they_are_read_back():
    text = encode_capacity(judge_steps_of())
    assert encode_capacity(judge_steps_of()) == text
    assert encode_capacity(msgspec.json.decode(text, type=CapacityVerdict)) == text


def test_capacity__of_loads_that_all_keep_the_limits_is_at_least_the_largest():
    verdict = judge_steps_of({users: f"{40 * users} GET /items 200 5ms" for users in (5, 10, 20, 40)})
    assert verdict.step(verdict.fit.kept).load == 40
    assert verdict.fit.breached is None
    assert "still grew" in verdict.knee
    assert verdict.ended.by == "most"
    assert verdict.diagnosis is None


def test_capacity__a_generator_at_its_end_says_nothing_about_the_service():
    verdict = judge_steps_of({10: KNEE[10], 20: KNEE[20], 40: f"{KNEE[40]}\nreading 1-20 s cpu 99"})
    assert verdict.ended.by == "generator"
    assert verdict.step(verdict.fit.kept).load == 20
    assert verdict.fit.breached is None
    assert verdict.largest_measured.load == 20


def test_capacity__a_load_that_cannot_be_measured_ends_what_fits():
    verdict = judge_steps_of({10: KNEE[10], 20: f"{KNEE[20]}\nservice ended at 5 s"})
    assert verdict.ended.by == "invalid"
    assert verdict.step(verdict.fit.breached).load == 20


def test_capacity__too_few_samples_prove_nothing():
    lines = {10: "100 GET /items 200 5ms", 20: KNEE[20]}
    assert judge_steps_of(lines).steps[0].outcome == "INCONCLUSIVE"
    assert judge_steps_of({10: "100 GET /items 200 5ms"}).fit.kept is None


def test_capacity__a_load_measured_again_counts_as_measured_last():
    slow = "800 GET /items 200 300ms"
    assert judge_steps_of({10: KNEE[10], 20: slow}).fit.breached == "step-002"
    again = judge_steps_of({10: KNEE[10], 20: slow}, more=[(20, KNEE[20])])
    assert again.fit.breached is None
    assert again.step(again.fit.kept).load == 20


CUT_OFF = pytest.mark.parametrize(
    "change",
    [
        {"interrupted": True},
        {"ended_at": None},
        {"failures": {"shop": "the disk is full"}},
        {"failed": "no disk"},
    ],
)


@CUT_OFF
def test_capacity__a_step_that_was_cut_off_with_the_run_says_nothing_of_its_load(change):
    lines = {10: KNEE[10], 20: f"{KNEE[20]}\nno mark ended"}
    assert judge_steps_of(lines).fit.breached == "step-002"  # Locust crashed by itself
    verdict = judge_steps_of(lines, **change)
    assert [step.load for step in verdict.steps] == [10]
    assert verdict.fit.breached is None
    assert verdict.ended.by == "unfinished"


@CUT_OFF
def test_capacity__what_was_cut_off_is_no_answer(change):
    verdict = judge_steps_of({10: KNEE[10], 20: KNEE[20]}, **change)
    assert verdict.ended.by == "unfinished"
    assert verdict.exit_code == 3
    assert verdict.step(verdict.fit.kept).load == 20


def test_capacity__without_a_step_that_can_be_trusted_is_no_answer():
    verdict = judge_steps_of({10: f"{KNEE[10]}\nno mark ended"})
    assert verdict.exit_code == 3
    assert verdict.largest_measured is None


def test_capacity__a_step_that_was_planned_and_not_begun_is_left_out():
    thresholds, run, recordings = draw_steps(KNEE)
    del recordings["shop", "step-005"]
    assert len(judge_capacity(thresholds, run, recordings).steps) == 4


def test_capacity__of_an_open_workload_is_in_arrivals():
    more = "arrivals 10/s"
    verdict = judge_steps_of({10: f"{KNEE[10]}\narrivals 20/s"}, limits=f"limit all p95 200ms\n{more}")
    assert verdict.unit == "arrivals/s"
    assert verdict.planned_load == 10


def test_capacity__evidence_of_something_else_is_refused():
    thresholds, run, recordings = draw_steps(KNEE)
    assert is_capacity(run)
    other = msgspec.structs.replace(run, recordings=())
    assert not is_capacity(other)
    with pytest.raises(EvidenceError, match="no load steps"):
        judge_capacity(thresholds, other, recordings)
