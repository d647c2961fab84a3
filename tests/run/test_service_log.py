"""A real service that fails, and one that breaks connections: the diagnosis quotes what is known of it."""

from __future__ import annotations

import pytest

from ci_gate.judge.verdict import decode_verdict
from tests.conftest import SERVICE

FAILING = """
import traceback

class NoPrice(Exception):
    pass

class Failing(site.Handler):
    def do_GET(self):
        if not self.path.startswith("/orders/"):
            return super().do_GET()
        try:
            raise NoPrice(f"order {self.path[8:]} has no price")
        except NoPrice:
            traceback.print_exc()
            self.reply(500, b"")

with site.Server"""
CODE = '''
from itertools import count
from locust import FastHttpUser, HttpUser, constant, task

class Buyer(FastHttpUser):
    wait_time = constant(0.05)
    numbers = count()

    @task
    def buy(self):
        self.client.get(f"/orders/{next(self.numbers)}", name="/orders")

class Kept(HttpUser):
    """Each second request is the last of its connection."""
    wait_time = constant(0.05)

    @task
    def visit(self):
        self.client.get("/ok")
        self.client.get("/close")

class Fresh(HttpUser):
    """No request follows another over one connection."""
    wait_time = constant(0.05)

    @task
    def visit(self):
        self.client.get("/close")
'''
THRESHOLDS = """
schema: 1
service:
  command: python service.py {port}
  ready: /
profiles:
  pull_request: {duration: 2s, warmup: 0s}
scenarios:
  failing: {locustfile: own.py, users: {Buyer: 4}, spawn_rate: 100, limits: {all: {p50: 1s}}}
  kept: {locustfile: own.py, users: {Kept: 4}, spawn_rate: 100, limits: {all: {p50: 1s}}}
  fresh: {locustfile: own.py, users: {Fresh: 4}, spawn_rate: 100, limits: {all: {p50: 1s}}}
"""


@pytest.mark.slow
def test_failing_services__are_diagnosed_by_log_and_connection(repository, call, tmp_path):
    service = SERVICE.replace("with site.Server", FAILING.lstrip("\n"))
    repository.write("service.py", service.replace("site.Handler) as", "Failing) as"))
    repository.write("own.py", CODE)
    repository.write("thresholds.yaml", THRESHOLDS)
    out = tmp_path / "out"
    _, table, progress = call("run", "--quiet", "--thresholds", repository.thresholds, "--out", out)
    verdict = decode_verdict((out / "verdict.json").read_bytes())
    causes = {each.name: each.diagnosis.causes[0] for each in verdict.scenarios}
    assert {cause.code for cause in causes.values()} == {"failing-replies"}, table + progress
    log = causes["failing"].numbers[1]
    assert log.startswith("service.log, ")
    assert log.endswith(" x: NoPrice: order * has no price")
    assert "closes connections that it had kept alive" in causes["kept"].title
    assert "broke within" in causes["kept"].numbers[1]
    assert "connections fail or time out" in causes["fresh"].title
    assert "RemoteDisconnected" in causes["fresh"].numbers[0]
