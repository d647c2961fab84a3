"""Scenarios that are odd and yet have a verdict: their own clients, Locust's statistics, a slow queue."""

from __future__ import annotations

import pytest

from ci_gate.judge.verdict import decode_verdict
from tests.conftest import SERVICE

CODE = '''
import gevent
from locust import FastHttpUser, HttpUser, constant, events, task

class Sender(FastHttpUser):
    """Ordinary requests, beside a client of its own, which has a slip now and then."""
    wait_time = constant(0.1)
    sent = 0

    @task
    def send(self):
        self.client.get("/ok")
        Sender.sent += 1
        self.environment.events.request.fire(
            request_type="SMTP", name="mail", response_time=1.0, exception=None, context={},
            response_length=0.5 if Sender.sent == 5 else 1,
        )

class Careless(Sender):
    @task
    def measure(self):
        self.environment.events.request.fire(
            request_type="SMTP", name="receipt", response_time="soon", response_length=1,
            exception=None, context={},
        )

class Plain(FastHttpUser):
    wait_time = constant(0.1)

    @task
    def visit(self):
        self.client.get("/ok")

class Caller(HttpUser):
    """One of many who wait for one that serves them in turn."""
    wait_time = constant(0.1)

    @task
    def call(self):
        self.client.get("/in-turn", timeout=30)

@events.test_start.add_listener
def begin(environment, **_):
    if any(each.__name__ == "Plain" for each in environment.user_classes):
        gevent.spawn_later(1, environment.stats.reset_all)
'''
QUEUE = """
import threading
turn, turns = threading.Lock(), []

class Queue(site.Handler):
    def do_GET(self):
        if self.path != "/in-turn":
            return super().do_GET()
        with turn:  # 40 ms each at first: a round of 80 lasts longer than three seconds
            turns.append(None)
            time.sleep(0.04 if len(turns) <= 100 else 0.01)
        self.reply(200, b'{"turn": %d}' % len(turns))

with site.Server"""

THRESHOLDS = """
schema: 1
service:
  command: python service.py {port}
  ready: /
profiles:
  pull_request: {duration: 4s, warmup: 500ms}
scenarios:
  slip: {locustfile: own.py, users: {Sender: 4}, spawn_rate: 100, limits: {all: {p50: 1s}}}
  careless: {locustfile: own.py, users: {Careless: 4}, spawn_rate: 100, limits: {all: {failures: 90%}}}
  reset: {locustfile: own.py, users: {Plain: 4}, spawn_rate: 100, limits: {all: {p50: 1s}}}
  queue: {locustfile: own.py, users: {Caller: 80}, spawn_rate: 80, limits: {all: {p50: 200ms}}}
"""


@pytest.mark.slow
def test_odd_scenarios__each_has_its_own_verdict(repository, call, tmp_path):
    service = SERVICE.replace("with site.Server", QUEUE.lstrip("\n")).replace("site.Handler) as", "Queue) as")
    repository.write("service.py", service)
    repository.write("own.py", CODE)
    repository.write("thresholds.yaml", THRESHOLDS)
    out = tmp_path / "out"
    code, table, progress = call("run", "--quiet", "--thresholds", repository.thresholds, "--out", out)
    assert code == 1, table + progress
    verdict = decode_verdict((out / "verdict.json").read_bytes())
    found_in = {each.name: {found.code: found for found in each.findings} for each in verdict.scenarios}
    assert {each.name: each.outcome for each in verdict.scenarios} == {
        "slip": "PASS",
        "careless": "INVALID",
        "reset": "PASS",
        "queue": "FAIL",
    }, table + progress
    slip = found_in["slip"]["values-replaced"]
    assert (slip.subject, slip.message) == ("SMTP mail", "1 event brought response_length 0.5: taken as 0")
    careless = found_in["careless"]["unreadable-values"]
    assert careless.subject == "SMTP receipt"
    assert "response_time 'soon': taken as a failure" in careless.message
    assert "samples-disagree" not in found_in["reset"]
    assert "load-not-reached" not in found_in["queue"]
