"""The stages of a shape: where the number of users is steady, each with its own figures."""

from __future__ import annotations

import pytest

from ci_gate.judge.stages import find_stages
from tests.judge.evidence_notation import draw
from tests.judge.judging import judge_lines

SPIKE = """
10 ShopUser
shape Spike
shape ended it
steady 30 s
3000 GET /items 200 5-50ms
reading 0-9 s target=10
reading 10-12 s target=40 users ShopUser=25
reading 13-19 s target=40 users ShopUser=40
reading 20-29 s target=10
"""


def test_stages__begin_when_all_users_are_there():
    stages = find_stages(draw(SPIKE).recording.readings)
    assert [(stage[0].target_users, len(stage)) for stage in stages] == [(10, 10), (40, 7), (10, 10)]


def test_stages__have_figures_of_their_own():
    judged = judge_lines(SPIKE)
    assert judged.outcome == "PASS", judged.findings
    assert [stage.users for stage in judged.stages] == [10, 40, 10]
    assert judged.users == 40
    for stage, duration_s in zip(judged.stages, (8, 6, 9), strict=True):
        assert stage.duration_s == pytest.approx(duration_s)
        assert stage.requests == stage.successes == pytest.approx(100 * duration_s, abs=2)
        assert stage.rate_per_s == pytest.approx(100, abs=1)
        assert 5 <= stage.p50_ms <= stage.p95_ms <= stage.p99_ms <= 50


def test_stages__short_ones_have_none_and_a_fixed_number_neither():
    assert (
        judge_lines(SPIKE.replace("13-19", "17-19").replace("10-12", "10-16")).stages
        == judge_lines(
            SPIKE.replace(
                "reading 13-19 s target=40 users ShopUser=40", "reading 13-19 s target=40 users ShopUser=25"
            )
        ).stages
    )
    assert judge_lines("10 ShopUser\nsteady 20 s\n600 GET /items 200 5ms").stages == ()


def test_shape__may_be_shorter_than_was_foreseen_if_it_ended_itself():
    lines = f"{SPIKE}stopping at 20 s"
    assert "phase-cut-short" not in {finding.code for finding in judge_lines(lines).findings}
    cut = judge_lines(lines.replace("shape ended it\n", ""))
    assert "phase-cut-short" in {finding.code for finding in cut.findings}
