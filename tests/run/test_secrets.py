"""A value of the environment that `env` hands to the service stands in nothing that is written or printed."""

from __future__ import annotations

import base64
import os
import signal
import urllib.parse

import pytest

from ci_gate.addresses import forget_secrets, hide_credentials, keep_secret
from ci_gate.report.files import FORMATS
from ci_gate.service.environment import find_secret_values
from tests.cli.test_cli import start_long_run
from tests.conftest import SERVICE
from tests.service.services import await_true

SECRET = "pl4nted s3cret/+value"
PASSWORD = "dat4base-passw0rd"
FORMS = [
    form.encode()
    for form in (
        *(SECRET, PASSWORD, urllib.parse.quote(SECRET, safe=""), urllib.parse.quote_plus(SECRET)),
        base64.b64encode(SECRET.encode()).decode(),
    )
]

SAYS_IT = """
import os, sys
print("starting with", os.environ["API_KEY"], os.environ["DATABASE_URL"], flush=True)
"""

LOCUSTFILE = """
import base64, os, sys
from locust import FastHttpUser, HttpUser, constant, events, task

KEY = os.environ["API_KEY"]

@events.test_start.add_listener
def show(environment, **_):
    print("x" * 290 + KEY)
    print("loading with", KEY, file=sys.stderr)
    os.write(1, f"past Python: {KEY}\\n".encode())

@events.request.add_listener
def listen(**_):
    raise ValueError(KEY)

@events.test_stop.add_listener
def end(environment, **_):
    print("ended with " + base64.b64encode(KEY.encode()).decode())
    environment.process_exit_code = KEY

class Visitor(FastHttpUser):
    wait_time = constant(0.05)

    def on_start(self):
        if id(self) % 2:
            raise KeyError(KEY)

    @task
    def visit(self):
        self.client.get("/ok")
        self.client.get(f"/status/200?key={KEY}")
        self.client.get("/to//ok/" + KEY, name="redirected")
        with self.client.get("/ok", name=f"named {KEY}", catch_response=True) as reply:
            reply.failure("refused: " + KEY)
        self.environment.events.request.fire(
            request_type=KEY, name=KEY, response_time=KEY, response_length=0, exception=RuntimeError(KEY)
        )

class Other(HttpUser):
    wait_time = constant(0.05)

    @task
    def visit(self):
        self.client.get("/ok", headers={"X-Key": KEY})
        raise ValueError(KEY)
"""


@pytest.fixture
def planted(repository, monkeypatch):
    """The repository whose every part says the secret, which comes from the environment."""
    monkeypatch.setenv("API_KEY", SECRET)
    monkeypatch.setenv("DATABASE_URL", f"postgresql://shop:{PASSWORD}@127.0.0.1:9/shop?options=x")
    repository.write("service.py", SAYS_IT + SERVICE)
    repository.write("visits.py", LOCUSTFILE)
    repository.edit("thresholds.yaml", "{Visitor: 5}", "{Visitor: 4, Other: 2}")
    repository.edit(
        "thresholds.yaml",
        "  ready: /",
        '  ready: /\n  env: {API_KEY: "${API_KEY}", DATABASE_URL: "${DATABASE_URL}"}\n'
        "  before_start: sh -c 'echo before $API_KEY'\n"
        "  before_each: sh -c 'echo each $API_KEY; echo $DATABASE_URL'\n"
        "  processes: {worker: \"sh -c 'echo worker $API_KEY; sleep 600'\"}\n"
        'probes: {postgres: "${DATABASE_URL}"}',
    )
    return repository


def assert_nowhere(folder, *texts):
    files = [path for path in folder.rglob("*") if path.is_file()]
    found = [(path, form) for path in files for form in FORMS if form in path.read_bytes()]
    assert not found
    assert not [form for text in texts for form in FORMS if form.decode() in text]


def test_secret__is_in_no_file_and_no_output(planted, call, tmp_path):
    out = tmp_path / "out"
    code, printed, progress = call("run", "--thresholds", planted.thresholds, "--out", out)
    assert code == 3, printed + progress
    assert_nowhere(out, printed, progress)
    folder = out / "visits" / "head"
    assert "starting with *** postgresql://shop:***@" in (folder / "service.log").read_text()
    assert "worker ***" in (folder / "service.processes.worker.log").read_text()
    assert "each ***" in (folder / "service.before_each.log").read_text()
    assert "past Python: ***" in (folder / "locust.log").read_text()
    assert "refused: ***" in (out / "verdict.json").read_text()
    assert_nowhere(out, *call("judge", out)[1:])
    assert_nowhere(out, *call("export", out)[1:])
    for name in FORMATS:
        assert_nowhere(out, *call("report", out / "verdict.json", "--format", name)[1:])
    assert_nowhere(out, *call("check", "--run", "--thresholds", planted.thresholds)[1:])


@pytest.mark.parametrize("key", ["before_start", "before_each", "command", "ready"])
def test_secret__of_what_fails_is_not_in_the_failure(planted, call, tmp_path, key):
    fails = "sh -c 'echo failing with $API_KEY; exit 3'"
    old = {
        "before_start": "sh -c 'echo before $API_KEY'",
        "before_each": "sh -c 'echo each $API_KEY; echo $DATABASE_URL'",
        "command": "python service.py {port}",
        "ready": "  ready: /\n",
    }[key]
    new = f'  ready: {{command: "{fails}"}}\n  ready_timeout: 1s\n' if key == "ready" else fails
    new += " {port}" * (key == "command")
    planted.edit("thresholds.yaml", old, new)
    out = tmp_path / "out"
    _, printed, progress = call("run", "--thresholds", planted.thresholds, "--out", out)
    assert "failing with ***" in progress
    assert_nowhere(out, printed, progress)


def test_secret__of_a_run_that_is_killed_is_not_left_in_its_logs(planted, tmp_path):
    planted.edit("visits.py", "        if id(self) % 2:\n            raise KeyError(KEY)", "        pass")
    out = tmp_path / "out"
    process, _ = start_long_run(planted, out)
    assert SECRET in (out / "visits" / "head" / "service.log").read_text()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)

    def is_clean():
        return not any(SECRET.encode() in path.read_bytes() for path in out.rglob("*") if path.is_file())

    assert await_true(is_clean)


@pytest.mark.parametrize(
    ("value", "secrets"),
    [
        ("tok3n-of-shop", ["tok3n-of-shop"]),
        ("public-name", []),
        ("/etc/hostname", []),
        ("http://127.0.0.1:8000/path", []),
        ("postgresql://u:pa55word@h/d", ["dTpwYTU1d29yZA==", "pa55word"]),
        ("https://h/?token=abcdef1", ["abcdef1"]),
        ("host=db user=u password=pa55word", ["pa55word"]),
        ("", []),
    ],
)
def test_secret__what_counts_as_one(value, secrets):
    found = find_secret_values(
        ["${KEY}", "plain"], {"KEY": value, "OTHER": "not asked for"}, "name: public-name"
    )
    assert sorted(found) == secrets


def test_secret__short_ones_and_none_leave_texts_as_they_are():
    try:
        assert hide_credentials("at port 8080") == "at port 8080"
        keep_secret("8080", "hidden-one")
        assert hide_credentials("hidden-one at port 8080") == "*** at port 8080"
    finally:
        forget_secrets()
    assert hide_credentials("hidden-one") == "hidden-one"
