"""Whole runs of services that have one port, or a certificate of their own authority."""

from __future__ import annotations

import pytest

from ci_gate.judge.verdict import decode_verdict
from tests.conftest import SERVICE
from tests.repositories import commit_files, git
from tests.servers import free_port
from tests.service.conftest import app_image, engine
from tests.service.test_kinds_of_ready import make_certificates
from tests.service.test_needs import left_of

__all__ = ["app_image", "engine"]  # fixtures for these tests too

HTTP_USER = """
from locust import HttpUser, constant, task

class Visitor(HttpUser):
    wait_time = constant(0.05)

    @task
    def visit(self):
        self.client.get("/ok")
"""


def test_fixed_port__head_alone_and_the_note_says_why(repository, call, tmp_path):
    port = free_port()
    repository.write("service.py", SERVICE.replace("int(sys.argv[1])", str(port)))
    repository.edit("thresholds.yaml", "service.py {port}", f"service.py\n  port: {port}")
    repository.edit("thresholds.yaml", "    limits:", "    regression: {p50: 10%}\n    limits:")
    code, printed, _ = call("check", "--thresholds", repository.thresholds)
    assert (code, f"not compared with base: port {port} is all that" in printed) == (0, True)
    git(repository.folder, "init", "--quiet", "-b", "main")
    commit_files(repository.folder, {})
    _, table, progress = call(
        "run", "--thresholds", repository.thresholds, "--base", "HEAD", "--out", tmp_path / "out"
    )
    assert " head against " not in progress
    verdict = decode_verdict((tmp_path / "out" / "verdict.json").read_bytes())
    assert verdict.scenarios[0].endpoints[0].successes > 0, table + progress
    (note,) = verdict.findings
    assert (note.code, note.severity) == ("not-compared", "info")
    assert f"the service has port {port} alone, which base and head cannot both have" in note.message


@pytest.mark.parametrize("user", ["HttpUser", "FastHttpUser"])
def test_ca__locust_trusts_it_too(repository, call, tmp_path, user):
    make_certificates(repository.folder)
    tls = (
        "    import ssl\n    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n"
        "    context.load_cert_chain('server.pem', 'server.key')\n"
        "    server.socket = context.wrap_socket(server.socket, server_side=True)\n    server.serve_forever"
    )
    repository.write("service.py", SERVICE.replace("    server.serve_forever", tls))
    repository.write("visits.py", HTTP_USER.replace("HttpUser", user))
    repository.edit("thresholds.yaml", "  ready: /", "  ready: /\n  ca: ca.pem")
    _, table, progress = call("run", "--thresholds", repository.thresholds, "--out", tmp_path / "out")
    (scenario,) = decode_verdict((tmp_path / "out" / "verdict.json").read_bytes()).scenarios
    assert scenario.endpoints[0].successes == scenario.endpoints[0].requests > 0, table + progress


COMPOSE = """
version: "2.4"
services:
  db:
    image: {image}
    ports: ["8000"]
"""

ASKS_ITS_DATABASE = """
import os, socket
host, port = os.environ["DB_AT"].split(":")
socket.create_connection((host, int(port)), 5).close()
print("database at", os.environ["DB_AT"], flush=True)
"""


def test_needs__a_run_starts_them_for_each_side_and_leaves_nothing(
    repository, call, tmp_path, engine, app_image
):
    (repository.folder / "compose.yaml").write_text(COMPOSE.format(image=app_image()))
    repository.write("service.py", ASKS_ITS_DATABASE + SERVICE)
    repository.edit(
        "thresholds.yaml",
        "  ready: /",
        "  ready: /\n  needs: {compose: compose.yaml, services: [db], per_side: true}\n"
        '  env: {DB_AT: "${DB_HOST}:${DB_PORT}"}\n'
        "  before_start: sh -c 'test -n \"$DB_PORT_8000\"'",
    )
    repository.edit("thresholds.yaml", "    limits:", "    regression: {p50: 900%}\n    limits:")
    git(repository.folder, "init", "--quiet", "-b", "main")
    commit_files(repository.folder, {})
    out = tmp_path / "out"
    _, table, progress = call("run", "--thresholds", repository.thresholds, "--base", "HEAD", "--out", out)
    assert progress.count("starting db of compose.yaml") == 2, progress
    logs = {
        name: (out / "visits" / name / "service.log").read_text()
        for name in ("head", "duet-head", "duet-base")
    }
    assert logs["head"] == logs["duet-head"] != logs["duet-base"], table
    assert left_of(engine, out) == []
