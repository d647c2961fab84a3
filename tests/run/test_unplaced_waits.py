"""Real services without any probe: one that stands still, idle or busy, one slow endpoint, and all slow."""

from __future__ import annotations

import pytest

from ci_gate.judge.verdict import decode_verdict
from tests.conftest import SERVICE

GATE = """
import threading
gate = threading.Lock()

def stand_still(mode):
    while True:
        time.sleep(2.5)
        with gate:
            end_s = time.monotonic() + 2.5
            while time.monotonic() < end_s:
                if mode == "idle":
                    time.sleep(0.05)

class Gated(site.Handler):
    def do_GET(self):
        with gate:
            pass
        if self.path.startswith("/alike"):
            time.sleep(0.4)
        super().do_GET()

if sys.argv[2] != "never":
    threading.Thread(target=stand_still, args=(sys.argv[2],), daemon=True).start()

with site.Server"""
CODE = """
from locust import FastHttpUser, constant, task

class Quick(FastHttpUser):
    wait_time = constant(0.05)

    @task
    def visit(self):
        self.client.get("/ok")
        self.client.get("/other")

class Report(FastHttpUser):
    wait_time = constant(0.05)

    @task
    def visit(self):
        for _ in range(4):
            self.client.get("/ok")
        self.client.get("/sleep/0.4", name="/report")

class Alike(FastHttpUser):
    wait_time = constant(0.05)

    @task
    def visit(self):
        self.client.get("/alike/a")
        self.client.get("/alike/b")
"""
THRESHOLDS = """
schema: 1
service:
  command: python service.py {port} MODE
  ready: /
profiles:
  pull_request: {duration: 8s, warmup: 0s}
scenarios:
  quick: {locustfile: own.py, users: {Quick: 20}, spawn_rate: 100, limits: {all: {p99: 200ms}}}
"""
SLOW = """
  report: {locustfile: own.py, users: {Report: 10}, spawn_rate: 100, limits: {GET /report: {p50: 100ms}}}
  alike: {locustfile: own.py, users: {Alike: 10}, spawn_rate: 100, limits: {all: {p50: 100ms}}}
"""


@pytest.fixture
def diagnose(repository, call, tmp_path):
    """The causes of each scenario, of a real run."""

    def run(mode, more=""):
        service = SERVICE.replace("with site.Server", GATE.lstrip("\n"))
        repository.write("service.py", service.replace("site.Handler) as", "Gated) as"))
        repository.write("own.py", CODE)
        repository.write("thresholds.yaml", THRESHOLDS.rstrip().replace("MODE", mode) + more)
        out = tmp_path / "out"
        _, table, progress = call("run", "--quiet", "--thresholds", repository.thresholds, "--out", out)
        verdict = decode_verdict((out / "verdict.json").read_bytes())
        causes = {each.name: each.diagnosis.causes for each in verdict.scenarios}
        print(table, progress, causes)
        return causes

    return run


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "says"), [("idle", "what every request waits for"), ("busy", "profile it")])
def test_service_that_stands_still__is_a_stall(diagnose, mode, says, monkeypatch):
    """Tests run beside it: that it waits for a core may be all that is said. That is not asked here."""
    monkeypatch.setattr("ci_gate.judge.diagnosis.saturation.is_one_thread_busy", lambda _usage: False)
    first, *_ = diagnose(mode)["quick"]
    assert first.code == "stall"
    assert first.numbers[0].startswith("no reply for 2.")
    assert says in first.next_step


@pytest.mark.slow
def test_slow_endpoint__is_named_and_where_all_are_slow_that_is_said(diagnose):
    causes = diagnose("never", SLOW)
    assert [each.code for each in causes["report"]] == ["slow-endpoint", "unknown"]
    assert causes["report"][0].title.endswith(": GET /report")
    assert "each takes about as long" in causes["report"][0].numbers[1]
    assert [each.code for each in causes["alike"]] == ["unknown"]
    assert causes["alike"][0].numbers[1].startswith("all endpoints are alike: ")
    assert not {"stall", "slow-endpoint"} & {each.code for each in causes["quick"]}
