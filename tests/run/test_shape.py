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


@pytest.mark.parametrize("command", [("run", "--users", "5"), ("capacity", "visits")])
def test_a_shape_whose_users_are_not_known_is_not_scaled(spike, call, command):
    spike.edit(
        "visits.py",
        "for until, users in",
        "if self.runner.stats:\n            pass\n        for until, users in",
    )
    code, _, progress = call(*command, "--thresholds", spike.thresholds)
    assert code == 2
    assert "visits: how many users shape Spike asks for is not known before it runs" in progress


def test_run__each_class_of_a_shape_needs_a_user(spike, call):
    spike.edit("visits.py", "class Spike", "class Other(Visitor):\n    pass\n\nclass Spike")
    code, _, progress = call("run", "--thresholds", spike.thresholds, "--users", "1")
    assert code == 2
    assert "visits has 2 user classes: it needs as many users, not 1" in progress


def test_run__what_is_wrong_with_the_shape_is_said_before_it_is_scaled(spike, call):
    spike.edit("thresholds.yaml", "shape: Spike", "shape: Spikes")
    code, _, progress = call("run", "--thresholds", spike.thresholds, "--users", "5")
    assert code == 2
    assert "has no LoadTestShape 'Spikes' (allowed: Spike)" in progress


SHORT = "((1, 4), (6, 12), (9, 4))"


@pytest.fixture
def short_spike(spike):
    spike.edit("visits.py", "((12, 4), (24, 12), (38, 4))", SHORT)
    spike.edit("thresholds.yaml", "{duration: 2s, warmup: 2s}", "{duration: 2s, warmup: 0s}")
    return spike


@pytest.mark.parametrize(("users", "targets"), [(3, {1, 3}), (24, {8, 24})])
def test_run__users_scale_what_the_shape_asks_for(short_spike, call, tmp_path, users, targets):
    short_spike.edit("thresholds.yaml", "{p50: 500ms}", "{p50: 500ms, rate: 60/s}")
    out = tmp_path / "out"
    _, table, progress = call("run", "--thresholds", short_spike.thresholds, "--users", users, "--out", out)
    (judged,) = decode_verdict((out / "verdict.json").read_bytes()).scenarios
    assert judged.users == users, table + progress
    assert f"visits: Spike, up to {users} users" in progress
    lines = (out / "visits" / "head" / "readings.jsonl").read_text().splitlines()
    assert {json.loads(line)["target_users"] for line in lines} == targets
    (rate,) = (each for each in judged.limits if each.metric == "rate")
    assert rate.text == ("15/s" if users == 3 else "60/s")
    call("judge", out)
    assert decode_verdict((out / "verdict.json").read_bytes()).scenarios[0].users == users


def test_capacity__holds_the_users_of_a_shape_steady(short_spike, call, tmp_path):
    out = tmp_path / "out"
    arguments = ("--from", "2", "--to", "4", "--step-duration", "3s", "--out", out)
    code, _, progress = call("capacity", "visits", "--thresholds", short_spike.thresholds, *arguments)
    assert code in {0, 1, 3}, progress
    assert "visits: each step holds its users steady; the shape, up to 12 users, is not followed" in progress
    document = json.loads((out / "capacity.json").read_text())
    assert document["planned_load"] == 12
    assert [step["load"] for step in document["steps"]][:2] == [2, 4]
    assert not [code for step in document["steps"] for code in step["findings"] if "users" in code["code"]]
    before = (out / "capacity.json").read_bytes()
    call("judge", out)
    assert (out / "capacity.json").read_bytes() == before


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
