"""`ci-gate check --run`: a newcomer's first command, with a real service and a real Locust."""

from __future__ import annotations

import re

import pytest

TWO_TASKS = """
from locust import FastHttpUser, TaskSet, constant, task

class Visitor(FastHttpUser):
    wait_time = constant(0.2)

    def on_start(self):
        self.client.post("/login")

    @task
    class Shop(TaskSet):
        @task
        def buy(self):
            self.client.get("/ok")
            self.client.get("/size/9", name="/size/[count]")

        @task
        def look(self):
            self.client.get("/status/404", name="/gone")
"""


def test_check_run__prints_what_was_seen_and_warns_of_names(repository, call, tmp_path):
    repository.write("visits.py", TWO_TASKS)
    repository.edit("thresholds.yaml", "GET /ok:", "all: {p99: 900ms}\n      GET /size/{count}:")
    repository.edit("thresholds.yaml", "  ready: /", "  ready: /\n  before_each: rm -f nothing")
    code, printed, progress = call("check", "--run", "--thresholds", repository.thresholds)
    assert code == 0, progress
    assert re.search(r"POST /login +3 +200 x 3", printed)
    assert re.search(r"GET /size/\[count\] +\d+ +200 x \d+", printed)
    assert re.search(r"GET /gone +\d+ +404 x \d+", printed)
    assert re.search(r"Visitor.buy: ran \d+ times, 2 requests each", printed)
    assert re.search(r"Visitor.look: ran \d+ times, 1 request each", printed)
    assert re.search(r"Visitor: waits 0.2 s on average; 5 users: at most \d", printed)
    warning = "GET /size/{count} was not called; called instead: GET /size/[count], "
    assert f"warning: {warning}" in printed
    too_short = (
        r"too short, by what was seen: visits: all p99 takes 1,000 successes, profile pull_request brings"
    )
    assert re.search(too_short + r" at most \d+; a duration of \d+s would do", printed)
    assert "profile long" not in printed  # 60 s of 25 tasks a second, one request each at least
    assert not (tmp_path / "ci-gate-out").exists()

    _, table, progress = call("run", "--thresholds", repository.thresholds, "--out", tmp_path / "out")
    assert f"visits: before the load {warning}" in progress
    assert "never called in the steady phase; called instead: GET /size/[count], " in table


def test_check_run__a_service_that_only_fails_shows_nothing(repository, call):
    repository.edit("visits.py", 'get("/ok")', 'get("/status/500", name="/ok")')
    code, printed, _ = call("check", "--run", "--thresholds", repository.thresholds)
    assert code == 3
    assert "failed: GET /ok: " in printed
    assert "nothing succeeded: a run of it would be INVALID" in printed


def test_check_run__a_service_that_does_not_start_shows_its_log(repository, call):
    repository.write("service.py", "print('no database here')\nraise SystemExit(3)\n")
    code, _, errors = call("check", "--run", "--thresholds", repository.thresholds)
    assert code == 4
    assert "the service ended before it was ready: exit status 3" in errors
    assert "no database here" in errors


@pytest.mark.parametrize("name", ["GET /size/{count}", "GET /size/[count]"])
def test_run__where_nothing_resets_the_service_the_begin_of_the_load_warns_of_names(
    repository, call, tmp_path, name
):
    repository.write("visits.py", TWO_TASKS)
    repository.edit("thresholds.yaml", "GET /ok:", f"{name}:")
    repository.edit("thresholds.yaml", "{duration: 2s, warmup: 0s}", "{duration: 7s, warmup: 0s}")
    _, _, progress = call("run", "--thresholds", repository.thresholds, "--out", tmp_path / "out")
    warning = f"in the first 5 s of load {name} was not called; called instead: GET /size/[count], "
    assert (warning in progress) == (name != "GET /size/[count]")
    assert "in the first 5 s" not in progress.replace(warning, "")
