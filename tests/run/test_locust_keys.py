"""The keys of a scenario that say what Locust loads and is given: whole runs of `check` and `run`."""

from __future__ import annotations

import json

import pytest

from ci_gate.evidence.recording import read_run
from ci_gate.judge.verdict import decode_verdict

LOCUSTFILE = """
import os, pathlib, time
from locust import FastHttpUser, User, constant, events, tag, task

@events.init_command_line_parser.add_listener
def add(parser):
    parser.add_argument("--tenant", env_var="LOCUST_TENANT", required=True)
    parser.add_argument("--region", default="north")

class Visitor(FastHttpUser):
    wait_time = constant(0.05)

    @tag("inside")
    @task
    def visit(self):
        options = self.environment.parsed_options
        colour = pathlib.Path("colours.csv").read_text().strip()
        name = "/".join([options.tenant, options.region, os.environ["MARK"], os.environ["PLACE"], colour])
        self.client.get("/ok", name=f"/{name}")

    @tag("outside")
    @task
    def leave(self):
        self.client.get("/status/502", name="/partner")

class Lines(User):
    wait_time = constant(0.05)
    host = "127.0.0.1:1"

    @tag("inside")
    @task
    def ask(self):
        with self.environment.events.request.measure("line", self.host.replace(os.environ["PORT"], "PORT")):
            pass
"""
MORE = """
from locust import FastHttpUser, constant, tag, task

class Second(FastHttpUser):
    wait_time = constant(0.05)

    @tag("inside")
    @task
    def visit(self):
        self.client.get("/size/20", name="/second")
"""
SCENARIOS = """scenarios:
  keys:
    locustfile: [load/first.py, load/more/]
    directory: load/data
    env: {MARK: "${KEYS_MARK}", PLACE: "{side}", PORT: "{port}"}
    args: [--tenant, "${KEYS_TENANT:-acme}", --region=south]
    tags: [inside]
    host: "127.0.0.1:{port}"
    users: {Visitor: 2, Second: 1, Lines: 1}
    spawn_rate: 100
    limits: {all: {p50: 900ms}}
    relax: {generator-late: the machine has other tests to run}
"""


@pytest.fixture
def keyed(repository):
    for folder in ("load", "load/more", "load/data"):
        (repository.folder / folder).mkdir()
    repository.write("load/first.py", LOCUSTFILE)
    repository.write("load/more/second.py", MORE)
    repository.write("load/data/colours.csv", "blue\n")
    text = repository.thresholds.read_text().replace("duration: 2s", "duration: 3s")
    repository.thresholds.write_text(text[: text.index("scenarios:")] + SCENARIOS)
    return repository


def check(repository, call, *, expect):
    code, printed, progress = call("check", "--thresholds", repository.thresholds)
    assert code == expect, progress
    return printed + progress


@pytest.mark.slow
def test_run__the_locustfile_gets_what_the_scenario_says(keyed, call, tmp_path, monkeypatch):
    monkeypatch.setenv("KEYS_MARK", "m4rk")
    out = tmp_path / "out"
    code, printed, progress = call("run", "--thresholds", keyed.thresholds, "--out", out)
    assert code == 0, printed + progress
    (judged,) = decode_verdict((out / "verdict.json").read_bytes()).scenarios
    assert {row.endpoint for row in judged.endpoints} == {
        "all",
        "GET /acme/south/m4rk/head/blue",
        "GET /second",
        "line 127.0.0.1:PORT",
    }
    notes = [finding.message for finding in judged.findings if finding.code == "settings-replaced"]
    assert notes == ["host of Lines (127.0.0.1:1) is not used: host in thresholds.yaml says it"]
    # Evidence keeps what the file says, and not what a variable held.
    (plan,) = read_run(out).recordings
    assert plan.env["MARK"] == "${KEYS_MARK}"
    assert plan.tags == ("inside",)


@pytest.mark.slow
def test_run__a_variable_that_is_not_set_ends_it_as_bad_input(keyed, call, tmp_path):
    code, _, progress = call("run", "--thresholds", keyed.thresholds, "--out", tmp_path / "out")
    assert code == 2
    assert "scenarios.keys.env.MARK: the environment variable KEYS_MARK is not set" in progress


@pytest.mark.slow
def test_judge__other_settings_of_locust_are_another_load(keyed, call, tmp_path, monkeypatch):
    monkeypatch.setenv("KEYS_MARK", "m4rk")
    out = tmp_path / "out"
    assert call("run", "--quiet", "--thresholds", keyed.thresholds, "--out", out)[0] == 0
    keyed.edit("thresholds.yaml", "--region=south", "--region=west")
    code, _, _ = call("judge", out, "--thresholds", keyed.thresholds)
    assert code == 3
    verdict = json.loads((out / "verdict.json").read_bytes())
    assert "measured with other args than" in verdict["findings"][0]["message"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("--tenant, ", "--tennant, ", "locust: error: the following arguments are required: --tenant"),
        ("--region=south", "--regoin=x", "locust: error: unrecognized arguments: --regoin=x Did you mean"),
        (
            "--region=south",
            "--users=5",
            "users is an option of Locust's own: users in thresholds.yaml says it",
        ),
        ("--region=south", "Visitor", "is an option of Locust's own: users in thresholds.yaml says it"),
        ("--region=south", "--equal-weights", "equal-weights is an option of Locust's own"),
        ("load/more/", "load/none/", "there is no folder load/none/"),
        ("load/more/", "load/none.py", "there is no file load/none.py"),
        ("directory: load/data", "directory: load/dat", "directory: there is no folder load/dat"),
        ("load/more/", "load/data/", "Could not find any locustfiles in directory"),
    ],
)
def test_check__says_what_does_not_fit(keyed, call, old, new, message):
    keyed.edit("thresholds.yaml", old, new)
    printed = check(keyed, call, expect=2)
    assert message in printed
    assert "thresholds.yaml:9:3" in printed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "import sys\nprint('set TOKEN first', file=sys.stderr)\nsys.exit(1)\n",
            "set TOKEN first (load/first.py:3)",
        ),
        ("import sys\nsys.exit('no token')\n", "SystemExit: no token (load/first.py:2)"),
        ("import not_there\n", "ModuleNotFoundError: No module named 'not_there' (load/first.py:1)"),
        (MORE, "Duplicate user class names: Second is defined in both"),
    ],
)
def test_check__a_locustfile_that_does_not_load_is_quoted(keyed, call, text, message):
    keyed.write("load/first.py", text)
    assert message in check(keyed, call, expect=2)


def test_check__names_what_a_key_says_instead(keyed, call, monkeypatch):
    monkeypatch.setenv("LOCUST_TAGS", "outside")
    keyed.write("load/locust.conf", "region = east\nexclude-tags = inside\nrun-time = 9m\nmaster = true\n")
    keyed.edit(
        "load/first.py", "class Visitor(FastHttpUser):", "class Visitor(FastHttpUser):\n    weight = 3"
    )
    keyed.edit(
        "load/more/second.py",
        "class Second(",
        "class Idle(FastHttpUser):\n    @task\n    def t(self):\n        pass\n\nclass Second(",
    )
    lines = check(keyed, call, expect=0).splitlines()
    assert [line for line in lines if line.startswith("keys: not used")] == [
        "keys: not used: LOCUST_TAGS: tags or exclude_tags in thresholds.yaml says it",
        "keys: not used: run-time in load/locust.conf: profiles in thresholds.yaml says it",
        "keys: not used: master in load/locust.conf: all workers are on this machine, and Locust starts them",
        "keys: not used: exclude-tags in load/locust.conf: tags or exclude_tags in thresholds.yaml says it",
        "keys: not used: region in load/locust.conf: args in thresholds.yaml says it",
        "keys: not used: weight of Visitor (3): users in thresholds.yaml says it",
        "keys: not used: host of Lines (127.0.0.1:1): host in thresholds.yaml says it",
        "keys: not used: class Idle: users does not name it",
    ]


def test_check__a_number_of_users_is_answered_with_the_classes(keyed, call):
    keyed.edit("thresholds.yaml", "users: {Visitor: 2, Second: 1, Lines: 1}", "users: 30")
    printed = check(keyed, call, expect=2)
    assert (
        "thresholds.yaml:16:12: 'users' cannot be 30 (allowed: how many of each user class of "
        "load/first.py,load/more/, such as {Visitor: 10, Lines: 10, Second: 10})" in printed
    )


def test_check__a_number_of_users_without_classes(keyed, call):
    keyed.write("load/first.py", "raise ValueError")
    keyed.edit("thresholds.yaml", "users: {Visitor: 2, Second: 1, Lines: 1}", "users: 30")
    assert "(allowed: how many of each user class, such as {CheckoutUser: 100})" in check(
        keyed, call, expect=2
    )
