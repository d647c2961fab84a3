"""A scenario with a load shape: what check says of it, its verdict, and a comparison under it."""

from __future__ import annotations

import json

import pytest

from ci_gate.judge.verdict import decode_verdict
from tests.site import running_site

SHAPED = """
from locust import FastHttpUser, LoadTestShape, constant, task

class Visitor(FastHttpUser):
    wait_time = constant(0.05)

    @task
    def visit(self):
        self.client.get("/sleep/0.005", name="/ok")

class Spike(LoadTestShape):
    def tick(self):
        for until, users in ((12, 4), (24, 12), (38, 4)):
            if self.get_run_time() < until:
                return users, 100
        return None
"""


@pytest.fixture
def spike(repository):
    repository.write("visits.py", SHAPED)
    repository.edit("thresholds.yaml", "    users: {Visitor: 5}\n    spawn_rate: 100\n", "    shape: Spike\n")
    repository.edit("thresholds.yaml", "{duration: 2s, warmup: 0s}", "{duration: 2s, warmup: 2s}")
    return repository


def check(repository, call, *, expect):
    code, printed, progress = call("check", "--thresholds", repository.thresholds)
    assert code == expect, progress
    return printed + progress


def test_check__says_how_long_the_shape_lasts(spike, call):
    assert "visits: shape Spike lasts 38 s, up to 12 users; 2 limits" in check(spike, call, expect=0)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "thresholds.yaml",
            "shape: Spike",
            "shape: Spikes",
            "has no LoadTestShape 'Spikes' (allowed: Spike)",
        ),
        ("thresholds.yaml", "warmup: 2s", "warmup: 38s", "Spike lasts 38 s, and the warm-up of profile"),
        ("thresholds.yaml", "    shape: Spike\n", "", "key 'users' is missing in 'visits'"),
    ],
)
def test_check__refuses_a_shape_that_cannot_be(spike, call, file, old, new, message):
    spike.edit(file, old, new)
    assert message in check(spike, call, expect=2)


def test_run__takes_no_other_number_of_users(spike, call):
    code, _, progress = call("run", "--thresholds", spike.thresholds, "--users", "5")
    assert code == 2
    assert "visits has a shape, which says how many users run" in progress
    code, _, progress = call("capacity", "visits", "--thresholds", spike.thresholds)
    assert code == 2
    assert "visits has a shape" in progress


@pytest.mark.slow
def test_run__all_of_the_shape_is_judged_and_both_sides_get_it(spike, call, tmp_path):
    spike.edit("thresholds.yaml", "    limits:", "    regression: {p50: 60%}\n    limits:")
    out = tmp_path / "out"
    with running_site() as base:
        code, table, progress = call("run", "--thresholds", spike.thresholds, "--out", out, "--base", base)
    assert code == 0, table + progress
    (judged,) = decode_verdict((out / "verdict.json").read_bytes()).scenarios
    assert judged.users == 12
    assert 34 <= judged.duration_s <= 46  # the whole shape but its warm-up
    assert [stage.users for stage in judged.stages] == [4, 12, 4]
    low, high, _ = judged.stages
    assert high.rate_per_s > 2 * low.rate_per_s
    assert "  stage   " in table
    assert "Stages of the shape" in (out / "report.html").read_text()
    assert judged.comparison.analyses == 1
    assert judged.comparison.duration_s >= 30
    for side in ("duet-base", "duet-head"):
        lines = (out / "visits" / side / "readings.jsonl").read_text().splitlines()
        assert {json.loads(line)["target_users"] for line in lines} == {2, 6}
