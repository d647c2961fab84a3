"""Probes through the command line: what they leave, and what becomes of a run whose probes fail."""

from __future__ import annotations

import threading
import time

import pytest
import redis

from ci_gate.evidence.readings import ProbeReading
from ci_gate.evidence.strict_json import read_lines
from ci_gate.judge.verdict import decode_verdict
from tests.conftest import SITE
from tests.servers import running_redis

SERVICE_WITH_METRICS = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location("site_for_tests", {str(SITE)!r})
site = importlib.util.module_from_spec(spec)
spec.loader.exec_module(site)
served = [0]

class Handler(site.Handler):
    def do_GET(self):
        served[0] += 1
        if self.path == "/metrics":
            self.reply(200, b"# TYPE site_requests_total counter\\nsite_requests_total %d\\n" % served[0])
        else:
            super().do_GET()

with site.Server(("127.0.0.1", int(sys.argv[1])), Handler) as server:
    server.serve_forever(poll_interval=0.05)
"""
PROBES = """probes:
  postgres: "${DATABASE_URL:-}"
  redis: "${PROBED_REDIS}"
  metrics: {path: /metrics, requests: site_requests_total, workers: site_workers}
profiles:"""


@pytest.fixture
def probed(repository, monkeypatch):
    repository.write("service.py", SERVICE_WITH_METRICS)
    repository.edit("thresholds.yaml", "profiles:", PROBES)
    repository.edit("thresholds.yaml", "{duration: 2s", "{duration: 4s")
    monkeypatch.setenv("DATABASE_URL", "sqlite:///shop.sqlite3")
    return repository


def kill_in_steady_phase(url, out):
    marks = out / "visits" / "head" / "marks.jsonl"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not (marks.exists() and "steady" in marks.read_text()):
        time.sleep(0.05)
    with redis.Redis.from_url(url) as client:
        client.shutdown(nosave=True)


@pytest.mark.redis
def test_run__the_server_dies_and_the_run_goes_on(probed, call, tmp_path, monkeypatch):
    out = tmp_path / "out"
    with running_redis(tmp_path) as url:
        secret = url.replace("redis://", "redis://:tell-nobody@")
        with redis.Redis.from_url(url) as client:
            client.config_set("requirepass", "tell-nobody")
        monkeypatch.setenv("PROBED_REDIS", secret)
        thread = threading.Thread(target=kill_in_steady_phase, args=(secret, out))
        thread.start()
        code, table, progress = call("run", "--thresholds", probed.thresholds, "--out", out)
        thread.join()
    assert code == 0, table
    assert "probes.postgres is off: sqlite:// is none of postgres://, postgresql://" in progress
    readings = read_lines(out / "visits" / "head" / "probes.jsonl", ProbeReading)
    assert {reading.probe for reading in readings} == {"redis", "service"}
    service = [reading.values["requests"] for reading in readings if reading.probe == "service"]
    assert service == sorted(service)
    assert service[-1] > 100
    of_redis = [reading for reading in readings if reading.probe == "redis"]
    assert of_redis[0].values["commands"] > 0
    assert "refused" in of_redis[-1].error
    verdict = decode_verdict((out / "verdict.json").read_bytes())
    (finding,) = (each for each in verdict.scenarios[0].findings if each.code == "probe-failed")
    assert (finding.severity, finding.subject) == ("info", "probe redis")
    assert "refused" in finding.message
    log = (out / "visits" / "head" / "probes.log").read_text()
    assert "service: the page has no site_workers (workers) so far" in log
    for file in out.rglob("*"):
        assert not file.is_file() or b"tell-nobody" not in file.read_bytes(), file


def test_run__a_variable_that_is_not_set_is_a_problem_with_its_line(probed, call, tmp_path):
    code, _, said = call("run", "--quiet", "--thresholds", probed.thresholds, "--out", tmp_path / "out")
    assert code == 2
    line = probed.thresholds.read_text().splitlines().index("probes:") + 1
    assert (
        f"{probed.thresholds}:{line}:1: probes.redis: the environment variable PROBED_REDIS is not set"
        in said
    )


SERVICE_WITH_DATABASE = f"""
import importlib.util, os, sys, threading
import psycopg
spec = importlib.util.spec_from_file_location("site_for_tests", {str(SITE)!r})
site = importlib.util.module_from_spec(spec)
spec.loader.exec_module(site)
connection, lock = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True), threading.Lock()

class Handler(site.Handler):
    def do_GET(self):
        if self.path == "/ok":
            with lock:
                connection.execute("SELECT count(*) FROM generate_series(1, 200000)")
        super().do_GET()

with site.Server(("127.0.0.1", int(sys.argv[1])), Handler) as server:
    server.serve_forever(poll_interval=0.05)
"""


@pytest.mark.postgres
def test_run__cpu_of_counts_the_server_beside_the_service(
    repository, call, tmp_path, monkeypatch, postgres_url
):
    monkeypatch.setenv("DATABASE_URL", postgres_url)
    repository.write("service.py", SERVICE_WITH_DATABASE)
    repository.edit("thresholds.yaml", "  ready: /", '  ready: /\n  env: {DATABASE_URL: "${DATABASE_URL}"}')
    both = 'cpu_of: [service, postgres]\nprobes: {postgres: "${DATABASE_URL}"}\nprofiles:'
    repository.edit("thresholds.yaml", "profiles:", both)
    repository.edit("thresholds.yaml", "{duration: 2s", "{duration: 20s")
    repository.edit("thresholds.yaml", "    limits:\n", "    limits:\n      all: {cpu: 10s}\n")
    out = tmp_path / "out"
    code, table, progress = call("run", "--thresholds", repository.thresholds, "--out", out)
    assert code == 0, table + progress

    def figure():
        (scenario,) = decode_verdict((out / "verdict.json").read_bytes()).scenarios
        return next(limit.measured for limit in scenario.limits if limit.metric == "cpu")

    with_server_ms = figure()
    repository.edit("thresholds.yaml", "cpu_of: [service, postgres]\n", "")
    call("judge", out, "--thresholds", repository.thresholds)
    # A statement that counts to 200,000 takes milliseconds, an answer of the service far less.
    assert with_server_ms > 2 * figure() > 0
