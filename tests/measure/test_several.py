"""Several processes of Locust on one machine: what they send, and what becomes of one that is lost."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import psutil
import pytest

from ci_gate.evidence.processes import find_worker_folders
from ci_gate.evidence.readings import Mark
from ci_gate.evidence.recording import ShapePlan, read_recording
from ci_gate.evidence.sample_table import read_samples
from ci_gate.evidence.samples import ENDED_NEVER
from ci_gate.evidence.strict_json import read_lines
from ci_gate.judge.steady import classify
from ci_gate.judge.validity.findings import make_rule_input
from ci_gate.judge.validity.rules import RULES
from ci_gate.measure.in_locust.schedule import Schedule
from ci_gate.measure.load_run import Job, record, start_generator
from ci_gate.service.start import start_service
from ci_gate.thresholds import parse_thresholds
from tests.measure.conftest import make_plan
from tests.measure.test_shapes import SHAPES
from tests.schedules import assert_each_arrival_once
from tests.service.services import make_service

VISIT = """
import os, random
from locust import FastHttpUser, constant, events, task

class Visitor(FastHttpUser):
    wait_time = constant(0.05)

    @task
    def visit(self):
        self.client.get("/ok")
"""
LOCUSTFILE = f"""{VISIT}
    def on_start(self):
        self.number = random.random()
        self.client.get("/ok", name=f"start {{self.number}}")
"""
THRESHOLDS = parse_thresholds(
    """
schema: 1
service: {url: "http://127.0.0.1:1"}
profiles: {short: {duration: 3s}}
scenarios:
  scenario:
    locustfile: visit.py
    users: {Visitor: 8}
    spawn_rate: 100
    limits: {all: {failures: 1%}}
""",
    "thresholds.yaml",
)
LONG_S = 60.0
"""What ends early ends before that, however slow the machine is."""
PHASES = ["started", "spawned", "steady", "stopping", "ended"]


def find_codes(recording, plan):
    rule_input = make_rule_input(THRESHOLDS.scenarios[0], plan, classify(recording, ()))
    return {rule.code: message for rule in RULES for _, message in rule.find(rule_input)}


def row_counts(folder):
    folders = [folder, *(each for _, each in find_worker_folders(folder))]
    return [len(read_samples(each / "samples.bin")) for each in folders]


def test_closed__four_processes_share_the_users_and_every_request_is_recorded_once(run_locust, tmp_path):
    recording = run_locust(
        LOCUSTFILE, users={"Visitor": 8}, duration_s=3.0, processes=4, spawn_timeout_s=30.0
    )
    assert [mark.name for mark in recording.marks] == PHASES
    assert [worker.number for worker in recording.workers] == [1, 2, 3, 4]
    for worker in recording.workers:
        assert [mark.name for mark in worker.marks] == ["started", "steady", "stopping", "ended"]
        assert max(reading.ready for reading in worker.readings) == 2
    counts = row_counts(tmp_path / "head")
    assert counts[0] == 0
    assert min(counts[1:]) > 0
    assert sum(counts) == len(recording.samples) == sum(each.requests for each in recording.totals.heard)
    # Locust's own statistics, added up by its master, say the same.
    assert sum(each.requests for each in recording.totals.endpoints) == len(recording.samples)
    assert {"Visitor": 8} in [reading.users for reading in recording.readings]
    # Each process draws other numbers.
    starts = [text for text in recording.strings if text.startswith("GET start ")]
    assert len(set(starts)) == 8
    plan = make_plan("", {"Visitor": 8}, duration_s=3.0, processes=4)
    assert not {"worker-lost", "samples-disagree", "users-missing"} & find_codes(recording, plan).keys()


@pytest.mark.parametrize("processes", [1, 4])
def test_open__one_schedule_and_each_arrival_once(run_locust, processes):
    """Arrivals in the steady phase are as many as the schedule says, by however many processes."""
    changes = {"arrivals_per_s": 40.0, "ramp_s": 1.0, "duration_s": 3.0, "spawn_timeout_s": 30.0}
    recording = run_locust(VISIT, users={"Visitor": 8}, processes=processes, **changes)
    begin_s, end_s = recording.mark("steady").wall_s, recording.mark("stopping").wall_s
    intended_s = np.sort(recording.samples["intended_s"])
    assert_each_arrival_once(recording, Schedule(40.0, 1.0), 1e-4)
    within = int(((intended_s >= begin_s) & (intended_s < begin_s + 3.0)).sum())
    assert abs(within - 120) <= 1
    assert intended_s[-1] > end_s - 0.1
    assert (recording.samples["ending"] == ENDED_NEVER).mean() < 0.05


def test_shape__of_the_locustfile_decides_for_all_processes(run_locust):
    shape = ShapePlan(name="Stages", users=8, share=1.0, ends=True)
    recording = run_locust(SHAPES, users={}, shape=shape, duration_s=5.0, warmup_s=1.0, processes=2)
    assert [mark.name for mark in recording.marks] == ["started", "steady", "stopping", "ended"]
    assert recording.totals.shape_ended
    assert recording.totals.stopped is None
    assert {reading.target_users for reading in recording.readings} == {4, 8}
    running = [sum(reading.users.values()) for reading in recording.readings]
    assert {4, 8} <= set(running)


def test_locustfile_that_ends_the_test__ends_it_in_all_processes_and_is_named(run_locust):
    stopping = (
        LOCUSTFILE
        + """
    @task
    def enough(self):
        calls.append(1)
        if len(calls) > 50:
            self.environment.runner.quit()

calls = []
"""
    )
    plan = {"duration_s": LONG_S, "processes": 2, "spawn_timeout_s": 30.0}
    began = time.monotonic()
    recording = run_locust(stopping, users={"Visitor": 4}, **plan)
    assert time.monotonic() - began < LONG_S
    assert "in enough" in recording.totals.stopped.where
    codes = find_codes(recording, make_plan("", {"Visitor": 4}, **plan))
    assert "worker-lost" not in codes
    assert "locustfile-stopped" in codes


@pytest.fixture
def run_with_fault(site, placement, watchdog, tmp_path):
    """Runs two processes, does something to them half a second into a phase; what is left of it."""

    def run(fault, locustfile=LOCUSTFILE, phase="steady", **changes):
        scenario = tmp_path / "visit.py"
        scenario.write_text(locustfile)
        changes = {"duration_s": LONG_S, "processes": 2, "spawn_timeout_s": 30.0} | changes
        plan = make_plan(str(scenario), {"Visitor": 8}, **changes)
        folder = tmp_path / "head"
        known: list[psutil.Process] = []
        done: list[float] = []

        def on_poll():
            marks = {mark.name: mark for mark in read_lines(folder / "marks.jsonl", Mark)}
            if not done and phase in marks and time.time() > marks[phase].wall_s + 0.5:
                master = psutil.Process(generator.process.pid)
                known.extend((master, *master.children()))
                done.append(time.monotonic())
            if done:
                fault(known, time.monotonic() - done[0])
            return False

        with (
            start_service(make_service("url", site), placement, watchdog=watchdog) as running,
            start_generator(
                plan, folder, repository=tmp_path, environ=os.environ, watchdog=watchdog
            ) as generator,
        ):
            record(((Job(plan=plan, folder=folder, service=running), generator),), on_poll=on_poll)
            took_s = time.monotonic() - done[0]
        assert [each for each in known if each.is_running()] == []
        recording = read_recording(folder)
        assert len(recording.samples) == sum(row_counts(folder)) > 0
        return took_s, recording, find_codes(recording, plan)

    return run


def once(number, which):
    """A fault that sends the signal to the process of that index, 0 the master, and only once."""
    sent = []

    def fault(processes, _since_s):
        if not sent:
            sent.append(processes[which].send_signal(number))

    return fault


def test_fault__a_worker_is_killed(run_with_fault):
    took_s, recording, codes = run_with_fault(once(signal.SIGKILL, 1))
    assert took_s < LONG_S / 2
    assert "was killed before it wrote its totals" in codes["worker-lost"]
    assert recording.mark("worker_lost")
    assert recording.mark("ended")
    assert sum(worker.totals is None for worker in recording.workers) == 1
    assert "samples-disagree" not in codes


def test_fault__a_worker_is_killed_in_the_warm_up(run_with_fault):
    took_s, recording, codes = run_with_fault(once(signal.SIGKILL, 2), phase="spawned", warmup_s=LONG_S)
    assert took_s < LONG_S / 2
    assert "was killed before it wrote its totals" in codes["worker-lost"]
    assert not recording.mark("steady")
    assert recording.mark("ended")


def test_fault__a_worker_is_killed_while_replies_are_awaited(run_with_fault):
    """Its load was whole, but what it still waited for is not known."""
    hanging = VISIT.replace('get("/ok")', 'get("/hang")')
    took_s, recording, codes = run_with_fault(
        once(signal.SIGKILL, 1), hanging, phase="stopping", duration_s=2.0, drain_s=4.0
    )
    assert took_s < LONG_S / 2
    assert "was killed before it wrote its totals" in codes["worker-lost"]
    assert recording.mark("ended")
    assert not recording.mark("worker_lost")


def test_fault__a_worker_is_stopped_for_good(run_with_fault):
    took_s, recording, codes = run_with_fault(once(signal.SIGSTOP, 1))
    assert took_s < LONG_S / 2
    assert "worker-lost" in codes
    assert recording.mark("ended")


def test_fault__a_worker_is_stopped_for_five_seconds(run_with_fault):
    stop = once(signal.SIGSTOP, 1)
    go_on = once(signal.SIGCONT, 1)

    def fault(processes, since_s):
        stop(processes, since_s)
        if since_s > 5 and processes[1].is_running():
            go_on(processes, since_s)

    took_s, recording, codes = run_with_fault(fault)
    assert took_s < LONG_S / 2
    assert "worker-lost" in codes
    assert recording.mark("ended")


def test_fault__the_master_is_killed(run_with_fault):
    took_s, recording, codes = run_with_fault(once(signal.SIGKILL, 0))
    assert took_s < LONG_S / 2
    assert "locust-ended-early" in codes
    assert not recording.mark("ended")


@pytest.mark.parametrize("after_s", [0, 2])
def test_fault__a_worker_never_begins(after_s, run_locust, tmp_path):
    """Before or after it has connected; what it raises is in the log, and nobody waits for it."""
    broken = (
        LOCUSTFILE
        + """
from locust.runners import WorkerRunner

@events.init.add_listener
def on_init(environment, **_):
    if isinstance(environment.runner, WorkerRunner):
        time.sleep(AFTER_S)
        os._exit(3)
""".replace("AFTER_S", str(after_s)).replace("import os", "import os, time")
    )
    began = time.monotonic()
    plan = {"processes": 2, "spawn_timeout_s": 50.0}
    try:
        what = find_codes(
            run_locust(broken, users={"Visitor": 4}, **plan), make_plan("", {"Visitor": 4}, **plan)
        )
    except AssertionError as error:  # Locust ended itself: one of them had not connected yet
        what = str(error)
    assert "worker-lost" in what or "A worker process of Locust ended before the load began" in what
    assert time.monotonic() - began < 30
