"""Open workloads: the schedule, its exactness in a real Locust, and what a stall of the service shows."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_gate.evidence.samples import ENDED_NEVER, UNSENT
from ci_gate.judge.steady import classify
from ci_gate.judge.summary import summarise
from ci_gate.measure.in_locust.schedule import Schedule
from tests.conftest import SERVICE
from tests.servers import free_port

VISITOR = """
    from locust import FastHttpUser, between, task

    class Visitor(FastHttpUser):
        wait_time = between(5, 9)  # of its own accord it would hardly ever call

        @task
        def visit(self):
            self.client.get("/ok")
"""


@given(rate=st.floats(0.1, 10_000), ramp_s=st.floats(0, 100), number=st.integers(0, 100_000))
def test_schedule__is_the_inverse_of_the_arrivals_so_far(rate, ramp_s, number):
    start_s = Schedule(rate, ramp_s).start_of(number)
    if start_s < ramp_s:
        begun = rate * start_s**2 / (2 * ramp_s)
    else:
        begun = rate * ramp_s / 2 + rate * (start_s - ramp_s)
    assert begun == pytest.approx(number, abs=1e-6, rel=1e-9)
    assert Schedule(rate, ramp_s).start_of(number + 1) > start_s


@given(
    rate=st.floats(0.1, 10_000),
    ramp_s=st.floats(0, 100),
    processes=st.integers(1, 64),
    count=st.integers(1, 300),
)
def test_schedule__shared_among_processes_has_each_arrival_once(rate, ramp_s, processes, count):
    whole = Schedule(rate, ramp_s)
    parts = [whole.part_of(process, processes) for process in range(processes)]
    own = [part.start_of(number) for part in parts for number in range(-(-count // processes))]
    assert sorted(own)[:count] == [whole.start_of(number) for number in range(count)]


def test_arrivals__keep_their_rate_on_unmodified_users(run_locust):
    recording = run_locust(VISITOR, users={"Visitor": 20}, arrivals_per_s=100.0, duration_s=3.0)
    steady = classify(recording, ()).steady
    assert len(steady.samples) == pytest.approx(100 * steady.duration_s, abs=3)
    intended = np.sort(steady.samples["intended_s"])
    assert np.diff(intended) == pytest.approx(0.01, abs=1e-6)
    assert (steady.samples["start_s"] >= intended[0]).all()
    assert summarise(steady)[0].sent is not None


def test_arrivals__begin_with_the_phase_where_there_is_no_ramp(run_locust):
    recording = run_locust(VISITOR, users={"Visitor": 20}, arrivals_per_s=100.0, warmup_s=0.0)
    steady = classify(recording, ()).steady
    intended = np.sort(recording.samples["intended_s"])
    assert recording.mark("spawned").wall_s + 0.2 <= intended[0] <= steady.begin_s + 0.02
    assert np.diff(intended) == pytest.approx(0.01, abs=1e-6)  # at most 100/s: a floor may be 99/s
    # Those before the phase are as many as its mark came late on this machine.
    assert (intended < steady.begin_s).sum() == pytest.approx(100 * (steady.begin_s - intended[0]), abs=1)
    assert steady.end_s - intended[-1] <= 0.02


def test_arrivals__rise_over_the_ramp(run_locust):
    recording = run_locust(VISITOR, users={"Visitor": 20}, arrivals_per_s=100.0, ramp_s=2.0, duration_s=1.0)
    begin_s = recording.samples["intended_s"].min()
    begun = [(recording.samples["intended_s"] < begin_s + after_s).sum() for after_s in (1.0, 2.0)]
    assert begun == pytest.approx([25, 100], abs=2)


def test_arrivals__that_are_due_when_the_end_comes_late_begin_no_more(run_locust):
    """The machine, or a task, kept the event loop from its turn: what is due at the end is only unsent."""
    stalling = VISITOR.replace(
        "    class",
        """    import gevent, time
    from locust import events

    @events.test_start.add_listener
    def begin(environment, **_):
        gevent.spawn(stall)

    def stall():
        while True:
            gevent.sleep(0.02)
            until_s = time.monotonic() + 0.5
            while time.monotonic() < until_s:
                pass

    class""",
    )
    recording = run_locust(stalling, users={"Visitor": 100}, arrivals_per_s=100.0, duration_s=1.0)
    intended = np.sort(recording.samples["intended_s"])
    assert np.diff(intended) == pytest.approx(0.01, abs=1e-6)


def test_arrivals__without_a_free_user_are_failures(run_locust):
    recording = run_locust(
        VISITOR.replace("/ok", "/hang"),
        users={"Visitor": 2},
        arrivals_per_s=50.0,
        duration_s=1.0,
        drain_s=0.5,
    )
    steady = classify(recording, ()).steady
    unsent = steady.samples[steady.samples["endpoint"] == recording.strings.index(UNSENT)]
    assert len(steady.samples) == pytest.approx(50 * steady.duration_s, abs=1)
    # Two hang, unless they began before the phase, whose mark comes late on a busy machine.
    assert len(steady.samples) - 2 <= len(unsent) <= len(steady.samples)
    assert set(steady.samples["ending"]) == {ENDED_NEVER}
    assert summarise(steady)[0].successes == 0


def test_arrivals__whose_task_makes_no_request_are_failures(run_locust):
    idle = VISITOR.replace('self.client.get("/ok")', "pass")
    recording = run_locust(idle, users={"Visitor": 5}, arrivals_per_s=50.0, duration_s=1.0)
    steady = classify(recording, ()).steady
    assert len(steady.samples) == pytest.approx(50 * steady.duration_s, abs=1)
    assert summarise(steady)[0].successes == 0


ENDED_WHILE_IT_WAITS = """
import json
from types import SimpleNamespace
from locust.user.task import TaskSet
from ci_gate.measure.in_locust.arrivals import Arrivals
from ci_gate.measure.in_locust.schedule import Schedule

now_s = 100.0

def be_ended(tasks):
    global now_s
    now_s += 0.5
    raise KeyboardInterrupt

TaskSet.wait = be_ended
arrivals = Arrivals(Schedule(10.0, 0.0), clock=lambda: now_s)
arrivals.begin()
arrivals.pace()
try:
    TaskSet.wait(SimpleNamespace(user=SimpleNamespace()))
except KeyboardInterrupt:
    print(json.dumps([arrivals.take_unused(), arrivals.take_unused()]))
"""


def test_arrival__that_is_due_when_its_user_is_ended_is_unsent():
    """A machine that keeps the event loop from its turn lets users wait for longer than until their start."""
    script = [sys.executable, "-c", ENDED_WHILE_IT_WAITS]
    done = subprocess.run(script, capture_output=True, text=True, check=True, timeout=60)
    first, second = json.loads(done.stdout)
    assert (sorted(first), second) == (pytest.approx([100.2, 100.3, 100.4, 100.5]), [])


STALL_AFTER_S, STALL_S, DURATION_S, RATE = 5.0, 1.0, 20.0, 100.0


@pytest.mark.slow
def test_arrivals__a_stall_shows_as_the_schedule_implies(tmp_path, run_locust, monkeypatch):
    """SIGSTOP for one second in a run of 20 s: the tail from the intended start is that of the schedule."""
    (tmp_path / "service.py").write_text(SERVICE)
    port = free_port()
    service = subprocess.Popen([sys.executable, str(tmp_path / "service.py"), str(port)])
    stopped: list[float] = []

    def stall():
        marks = tmp_path / "head" / "marks.jsonl"
        while not marks.exists() or "steady" not in marks.read_text():
            time.sleep(0.05)
        time.sleep(STALL_AFTER_S)
        os.kill(service.pid, signal.SIGSTOP)
        stopped.append(time.time())  # from here on, and to the next: it may have been for longer
        time.sleep(STALL_S)
        stopped.append(time.time())
        os.kill(service.pid, signal.SIGCONT)

    stalling = threading.Thread(target=stall)
    try:
        stalling.start()
        locustfile = VISITOR.replace("wait_time", f'host = "http://127.0.0.1:{port}"\n        wait_time')
        recording = run_locust(
            locustfile,
            host=f"http://127.0.0.1:{port}",
            users={"Visitor": 2},  # a stall is then two slow replies to those who only time replies
            arrivals_per_s=RATE,
            duration_s=DURATION_S,
        )
    finally:
        service.send_signal(signal.SIGCONT)
        service.kill()
        service.wait()
        stalling.join()

    steady = classify(recording, ()).steady
    intended = steady.samples["intended_s"]
    implied_ms = np.where(
        (intended >= stopped[0]) & (intended < stopped[1]), (stopped[1] - intended) * 1000, 0
    )
    for quantile in (0.99, 0.999):
        implied, seen = np.quantile(implied_ms, quantile), np.quantile(steady.latency_ms, quantile)
        plain = np.quantile(steady.samples["response_ms"], quantile)
        print(f"p{quantile:%}: implied {implied:.0f} ms, measured {seen:.0f} ms, plain {plain:.0f} ms")
        # The stall is not omitted, nor what the replies that came after it took.
        assert seen >= 0.95 * implied
        # A busy machine is behind its schedule at the end, too: what was never sent kept no user.
        sent = steady.samples["ending"] != ENDED_NEVER
        queued = np.quantile(queue(steady.samples[sent], users=2), quantile)
        assert np.quantile(steady.latency_ms[sent], quantile) >= 0.95 * queued
        assert plain != pytest.approx(implied, rel=0.05)
    # And nothing is added to a reply but what its task began late.
    began_late_ms = (steady.samples["start_s"] - intended) * 1000
    assert steady.latency_ms == pytest.approx(began_late_ms + steady.samples["response_ms"], abs=0.01)
    assert began_late_ms.min() > -1


def queue(samples, *, users):
    """Latencies in ms of requests that begin when they are due and one of the users is free."""
    free_s, latencies_ms = [0.0] * users, []
    for sample in np.sort(samples, order="intended_s"):
        user = min(range(users), key=free_s.__getitem__)
        free_s[user] = max(sample["intended_s"], free_s[user]) + sample["response_ms"] / 1000
        latencies_ms.append((free_s[user] - sample["intended_s"]) * 1000)
    return latencies_ms
