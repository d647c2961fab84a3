"""Load shapes of a locustfile: foreseen by a clock of their own, and put on in a real Locust."""

from __future__ import annotations

import os

import pytest

from ci_gate.evidence.recording import ShapePlan
from ci_gate.measure.locustfile.workloads import describe_workloads
from ci_gate.thresholds import LocustSettings

HEAD = """
import time
from locust import FastHttpUser, LoadTestShape, constant, task

class Visitor(FastHttpUser):
    wait_time = constant(0.05)
    weight = 3

    @task
    def visit(self):
        self.client.get("/ok")

class Other(Visitor):
    weight = 1
"""

SHAPES = f"""{HEAD}
class Stages(LoadTestShape):
    def tick(self):
        run_time = self.get_run_time()
        return (4, 100) if run_time < 3 else (8, 100) if run_time < 6 else None

class ByWallClock(LoadTestShape):
    def tick(self):
        self.begin = getattr(self, "begin", None) or time.time()
        return (5, 1) if time.time() - self.begin < 7200 else None

class WaitsForUsers(LoadTestShape):
    steps = [10, 30]

    def tick(self):
        if self.get_current_user_count() == self.steps[0]:
            self.steps = self.steps[1:]
        return (self.steps[0], 5) if self.steps else None

class Endless(LoadTestShape):
    def tick(self):
        return (7, 1)

class OfTheRun(LoadTestShape):
    def tick(self):
        return (1, 1) if self.runner.stats.total.num_requests < 9 else None

class Wrong(LoadTestShape):
    def tick(self):
        return (-1, 1)

class ByClass(LoadTestShape):
    def tick(self):
        run_time = self.get_run_time()
        return (4, 100, [Other]) if run_time < 4 else None
"""


def foresee(folder, shape):
    (folder / "shapes.py").write_text(SHAPES)
    settings = LocustSettings(locustfiles=("shapes.py",), shape=shape)
    workload = describe_workloads([settings], folder, dict(os.environ))[settings]
    assert workload.error is None
    return workload


@pytest.mark.parametrize(
    ("shape", "users", "lasts_s", "error"),
    [
        ("Stages", 8, 6.0, ""),
        ("ByWallClock", 5, 7200.0, ""),
        ("WaitsForUsers", 30, 6.0, ""),
        ("Endless", 7, None, ""),
        ("OfTheRun", 0, None, "tick raised AttributeError"),
        ("Wrong", 0, None, "tick returned (-1, 1)"),
        ("ByClass", 4, 4.0, ""),
    ],
)
def test_shape__is_foreseen_without_waiting(tmp_path, shape, users, lasts_s, error):
    foreseen = foresee(tmp_path, shape).shape
    assert (foreseen.users, foreseen.lasts_s) == (users, lasts_s)
    assert foreseen.error.startswith(error)
    assert bool(foreseen.error) is bool(error)


def test_shape__is_not_unused_where_a_scenario_asks_for_it(tmp_path):
    workload = foresee(tmp_path, "Stages")
    assert workload.unused == ()
    assert "Endless" in workload.shapes


def shaped(run_locust, name, *, share=1.0, ends=True, duration_s=5.0, warmup_s=1.0):
    plan = ShapePlan(name=name, users=8, share=share, ends=ends)
    return run_locust(SHAPES, users={}, shape=plan, duration_s=duration_s, warmup_s=warmup_s)


def targets(recording):
    return [reading.target_users for reading in recording.readings]


def test_shape__decides_how_many_users_run_and_when(run_locust):
    recording = shaped(run_locust, "Stages")
    assert [mark.name for mark in recording.marks] == ["started", "steady", "stopping", "ended"]
    steady_s = recording.mark("stopping").monotonic_s - recording.mark("steady").monotonic_s
    assert 4.5 < steady_s < 8
    assert recording.totals.shape_ended
    assert recording.totals.stopped is None
    running = [sum(reading.users.values()) for reading in recording.readings]
    assert set(targets(recording)) == {4, 8}
    assert {4, 8} <= set(running)
    # Classes by their weights, as Locust has it.
    full = next(reading.users for reading in recording.readings if sum(reading.users.values()) == 8)
    assert full == {"Visitor": 6, "Other": 2}


def test_shape__a_part_of_its_users_is_put_on(run_locust):
    recording = shaped(run_locust, "Stages", share=0.5)
    assert set(targets(recording)) == {2, 4}
    assert max(sum(reading.users.values()) for reading in recording.readings) == 4


def test_shape__that_waits_for_its_users_gets_on_with_a_part_of_them(run_locust):
    recording = shaped(run_locust, "WaitsForUsers", share=0.5, duration_s=9.0)
    assert recording.totals.shape_ended
    assert set(targets(recording)) == {5, 15}


def test_shape__without_an_end_is_ended_by_the_plan(run_locust):
    recording = shaped(run_locust, "Endless", ends=False, duration_s=2.0)
    assert not recording.totals.shape_ended
    assert recording.totals.stopped is None
    steady_s = recording.mark("stopping").monotonic_s - recording.mark("steady").monotonic_s
    assert 1.9 < steady_s < 4


def test_shape__says_which_classes_run(run_locust):
    recording = shaped(run_locust, "ByClass", duration_s=3.0)
    ran = {name for reading in recording.readings for name, count in reading.users.items() if count}
    assert ran == {"Other"}
