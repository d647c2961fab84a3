"""A password in the service's URL goes to the service, and stands in nothing that is written or printed."""

from __future__ import annotations

import base64
import contextlib
import threading

import pytest

from tests import site

PASSWORD = "s3cret@Pass word/1"
QUOTED = "s3cret%40Pass%20word%2F1"
PAIR = base64.b64encode(f"Probe:{PASSWORD}".encode()).decode()
FORMS = [form.encode() for form in (PASSWORD, QUOTED, PAIR, "Probe:", "s3cret")]

LOCUSTFILE = """
import sys
from locust import FastHttpUser, HttpUser, constant, events, task

@events.test_start.add_listener
def show(environment, **_):
    print("loading", environment.host)
    print(environment.host, file=sys.stderr)

class Fast(FastHttpUser):
    wait_time = constant(0.05)

    @task
    def visit(self):
        self.client.get("/ok")
        self.client.get(self.host + "/ok")
        with self.client.get("/ok", name="/failed", catch_response=True) as reply:
            reply.failure("no luck at " + self.host)

class Slow(HttpUser):
    wait_time = constant(0.05)

    @task
    def visit(self):
        self.client.get("/ok", name="/slow")
        self.client.get("/to//ok", name="/redirected")
        if id(self) % 3 == 0:
            raise ValueError(self.host)
"""

THRESHOLDS = """
schema: 1
service:
  url: ${SERVICE_URL}
  before_each: test -n "{url}"
profiles:
  pull_request: {duration: 3s, warmup: 0s}
compare: {max_duration: 30s}
probes:
  metrics: {path: /metrics, pool_in_use: no_such_metric}
scenarios:
  visits:
    locustfile: visits.py
    users: {Fast: 2, Slow: 2}
    spawn_rate: 100
    limits:
      all: {failures: 60%}
    regression: {p50: 900%}
    relax: {generator-late: the machine has other tests to run}
"""


class Locked(site.Handler):
    def do_GET(self):  # noqa: N802 - the name is the base class's
        if self.headers.get("Authorization") == f"Basic {PAIR}":
            super().do_GET()
        else:
            self.reply(401, b"{}", {"WWW-Authenticate": "Basic"})

    do_POST = do_GET  # noqa: N815 - the name is the base class's


@contextlib.contextmanager
def locked_site():
    with site.Server(("127.0.0.1", 0), Locked) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield f"http://Probe:{QUOTED}@LOCALHOST:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def assert_kept_secret(folder, *texts):
    found = [
        (path, form)
        for path in folder.rglob("*")
        if path.is_file()
        for form in FORMS
        if form in path.read_bytes()
    ]
    assert not found
    assert not [form for text in texts for form in FORMS if form.decode() in text]


def test_password__of_the_environment_is_in_no_file_and_no_output(repository, call, monkeypatch, tmp_path):
    repository.write("visits.py", LOCUSTFILE)
    repository.write("thresholds.yaml", THRESHOLDS)
    out = tmp_path / "out"
    with locked_site() as url:
        monkeypatch.setenv("SERVICE_URL", url)
        code, printed, progress = call(
            "run", "--thresholds", repository.thresholds, "--out", out, "--base", url
        )
    assert_kept_secret(out, printed, progress)
    assert "waiting for http://***@LOCALHOST:" in progress
    assert "loading http://***@LOCALHOST:" in (out / "visits" / "head" / "locust.log").read_text()
    assert "other-host" not in printed
    assert "auth-failing" not in printed
    assert "GET /slow" in (out / "verdict.json").read_text()
    assert code in {0, 3}
    assert_kept_secret(out, *call("export", out)[1:])


@pytest.mark.parametrize("listens", [True, False])
def test_password__of_the_file_is_in_no_message(repository, call, tmp_path, listens):
    out = tmp_path / "out"
    repository.write("visits.py", LOCUSTFILE)
    with locked_site() as locked:
        url = locked if listens else locked.rpartition(":")[0] + ":9"
        default = f"${{NOT_SET:-{url}}}\n  ready: /status/500\n  ready_timeout: 1s"
        repository.write("thresholds.yaml", THRESHOLDS.replace("${SERVICE_URL}", default))
        code, printed, progress = call("run", "--thresholds", repository.thresholds, "--out", out)
    assert code == 3, progress
    assert_kept_secret(out, printed, progress)
    assert "***@" in progress
    assert call("judge", out)[0] == 3  # what run.json keeps of the file can be read again


def test_password__of_a_url_that_is_none_is_in_no_problem(repository, call, monkeypatch, tmp_path):
    repository.write("visits.py", LOCUSTFILE)
    repository.write("thresholds.yaml", THRESHOLDS)
    for url in ("http://Probe:s3cret@h:99999", "Probe:s3cret@h", "ftp://Probe:s3cret@h"):
        monkeypatch.setenv("SERVICE_URL", url)
        code, printed, progress = call(
            "run", "--thresholds", repository.thresholds, "--out", tmp_path / f"out{len(url)}"
        )
        assert code == 2
        assert "service.url: what it stands for holds no valid scheme, host and port" in progress
        assert_kept_secret(tmp_path, printed, progress)


def test_password__in_the_file_itself_is_refused_and_not_shown(repository, call):
    repository.write("thresholds.yaml", THRESHOLDS.replace("${SERVICE_URL}", "http://Probe:s3cret@h"))
    code, printed, progress = call("check", "--thresholds", repository.thresholds)
    assert code == 2
    assert "'url' cannot be 'http://***@h'" in progress
    assert "s3cret" not in printed + progress
