"""What stands in a locustfile and beside it is used, or said: whole runs of `check` and `run`."""

from __future__ import annotations

import pytest

from ci_gate.judge.verdict import decode_verdict

HEAD = """
import os
from locust import HttpUser, LoadTestShape, User, constant, events, tag, task

class Visitor(HttpUser):
    wait_time = constant(0.05)
"""

FILES = {
    "variables": f"""{HEAD}
    @task
    def visit(self):
        self.client.get("/ok" if os.environ.get("LOCUST_KEY") == "k3y" else "/status/401", name="/ok")
""",
    "books": f"""{HEAD}
    @task
    def visit(self):
        self.client.get("/ok")

@events.test_stop.add_listener
def balance(environment, **_):
    print("the books do not balance")
    environment.process_exit_code = 1
""",
    "spike": f"""{HEAD}
    @task
    def visit(self):
        self.client.get("/ok")

class Spike(LoadTestShape):
    def tick(self):
        return (40, 40) if self.get_run_time() < 8 else None
""",
    "tags": f"""{HEAD}
    @tag("internal")
    @task
    def visit(self):
        self.client.get("/ok")

    @tag("external")
    @task
    def partner(self):
        self.client.get("/status/502", name="/partner")
""",
    "signed_out": f"""{HEAD}
    @task
    def visit(self):
        self.client.get("/members/account")
        self.client.get("/members/orders")
        self.client.post("/to//orders/7", name="/orders")
""",
    "options": f"""{HEAD}
    @task
    def visit(self):
        self.client.get("/ok", params={{"tenant": self.environment.parsed_options.tenant}}, name="/ok")

@events.init_command_line_parser.add_listener
def add(parser):
    parser.add_argument("--tenant", env_var="LOCUST_TENANT", default="nobody")
    parser.add_argument("--region", default="north")
""",
}


def write_scenarios(repository, *names, relax=None, clean=True):
    for name in names:
        repository.write(f"{name}.py", FILES[name])
    if clean:
        repository.edit(
            "thresholds.yaml",
            "profiles:\n  pull_request: {duration: 2s, warmup: 0s}",
            "profiles:\n  pull_request: {duration: 3s, warmup: 0s}",
        )
    scenarios = "".join(
        f"  {name}: {{locustfile: {name}.py, users: {{Visitor: 3}}, spawn_rate: 100, "
        "limits: {all: {p50: 900ms}}"
        ", relax: {generator-late: the machine has other tests to run"
        + (f", {relax[name]}: it is meant so" if name in (relax or {}) else "")
        + "}}\n"
        for name in names
    )
    text = repository.thresholds.read_text()
    repository.thresholds.write_text(text[: text.index("scenarios:")] + "scenarios:\n" + scenarios)


@pytest.fixture
def run(repository, call, tmp_path):
    def run_all():
        out = tmp_path / "out"
        code, printed, progress = call("run", "--thresholds", repository.thresholds, "--out", out)
        assert (out / "verdict.json").exists(), progress
        verdict = decode_verdict((out / "verdict.json").read_bytes())
        return {scenario.name: scenario for scenario in verdict.scenarios}, printed, code

    return run_all


def messages(scenario, code):
    return [finding.message for finding in scenario.findings if finding.code == code]


def test_run__what_the_locustfile_says_counts(repository, run, monkeypatch):
    monkeypatch.setenv("LOCUST_KEY", "k3y")
    monkeypatch.setenv("LOCUST_HOST", "http://127.0.0.1:9")
    monkeypatch.setenv("LOCUST_TENANT", "acme")
    write_scenarios(repository, "variables", "books", "spike", "signed_out")
    judged, printed, code = run()
    assert code == 3
    assert judged["variables"].outcome == "PASS"
    assert messages(judged["variables"], "settings-replaced") == [
        "LOCUST_HOST is not used: service in thresholds.yaml says it"
    ]
    assert judged["books"].outcome == "INVALID"
    assert messages(judged["books"], "locustfile-failed") == [
        "the locustfile set process_exit_code = 1; it printed last: the books do not balance"
    ]
    assert judged["spike"].outcome == "INVALID"
    assert "class Spike(LoadTestShape) is not used" in messages(judged["spike"], "locustfile-ignored")[0]
    assert judged["signed_out"].outcome == "INVALID"
    assert len(messages(judged["signed_out"], "redirected")) == 2
    assert "the books do not balance" in printed


def test_run__what_is_relaxed_passes_with_its_reason(repository, run):
    codes = {"books": "locustfile-failed", "spike": "locustfile-ignored", "signed_out": "redirected"}
    write_scenarios(repository, *codes, relax=codes)
    judged, printed, code = run()
    assert code == 0, printed
    for name, rule in codes.items():
        assert messages(judged[name], rule)[0].endswith("relaxed in thresholds.yaml: it is meant so")


def check(repository, call, *, expect=0):
    code, printed, progress = call("check", "--thresholds", repository.thresholds)
    assert code == expect, progress
    return printed


def test_check__names_a_shape_and_tags_that_are_not_used(repository, call, monkeypatch):
    monkeypatch.setenv("LOCUST_EXCLUDE_TAGS", "external")
    write_scenarios(repository, "spike", "tags", clean=False)
    repository.write("locust.conf", "tags = internal\nheadless = true\nusers = 100\n")
    printed = check(repository, call)
    assert (
        "tags: cannot pass (locustfile-ignored): LOCUST_EXCLUDE_TAGS is not used; "
        "it would have left out the tasks partner (exclude-tags: external)" in printed
    )
    assert (
        "tags: cannot pass (locustfile-ignored): tags in locust.conf is not used; "
        "it would have left out the tasks partner (tags: internal)" in printed
    )
    assert "spike: cannot pass (locustfile-ignored): class Spike(LoadTestShape) is not used" in printed
    assert "spike: not used: tags in locust.conf: no task has a tag" in printed
    assert "spike: not used: users in locust.conf: users in thresholds.yaml says it" in printed
    assert "headless" not in printed


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "locust.conf",
            "headless = true\nloglevel = DEBUG\nhost = http://127.0.0.1:9\nusers = 9\nrun-time = 9m\n",
        ),
        ("locust.conf", "tags =\nexclude-tags = [nothing]\nunknown-to-all = 7\nequal-weights = false\n"),
        ("locust.conf", "region = north\n"),
        ("locust.conf", "this is = no = file [\n\x00"),
        (
            "pyproject.toml",
            "[tool.locust]\nheadless = true\nspawn-rate = 5\n[tool.other]\ntags = ['internal']\n",
        ),
        ("pyproject.toml", "[tool.locust\n"),
    ],
)
def test_check__what_changes_nothing_blocks_nothing(repository, call, name, text):
    write_scenarios(repository, "tags", "options", clean=False)
    repository.write(name, text)
    assert "cannot pass" not in check(repository, call)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        (
            "locust.conf",
            "equal-weights: true\n",
            "equal-weights in locust.conf is not used; it would have run",
        ),
        ("locust.conf", "region = south\n", "region in locust.conf is not used; it would have set an option"),
        ("pyproject.toml", "[tool.locust]\ntags = ['internal']\n", "tags in pyproject.toml is not used"),
        (
            "locust.conf",
            'config-users = {"user_class_name": "Visitor", "host": "http://127.0.0.1:9"}\n',
            "config-users in locust.conf is not used; it would have changed attributes",
        ),
    ],
)
def test_check__what_would_change_the_load_blocks(repository, call, name, text, says):
    write_scenarios(repository, "tags", "options", clean=False)
    repository.write(name, text)
    assert f"cannot pass (locustfile-ignored): {says}" in check(repository, call)


def test_check__a_file_beside_the_locustfile_counts_too(repository, call):
    write_scenarios(repository, "tags", clean=False)
    (repository.folder / "load").mkdir()
    (repository.folder / "tags.py").rename(repository.folder / "load" / "tags.py")
    repository.write("load/locust.conf", "tags = internal\n")
    repository.edit("thresholds.yaml", "locustfile: tags.py", "locustfile: load/tags.py")
    assert "tags in load/locust.conf is not used" in check(repository, call)


def test_check__the_class_that_is_not_named_does_not_count(repository, call):
    write_scenarios(repository, "tags", clean=False)
    with (repository.folder / "tags.py").open("a") as file:
        file.write(
            '\nclass Other(HttpUser):\n    @tag("x")\n    @task\n'
            '    def only(self):\n        self.client.get("/")\n'
        )
    repository.edit("thresholds.yaml", "{Visitor: 3}", "{Other: 3}")
    repository.write("locust.conf", "exclude-tags = external\n")
    assert "cannot pass" not in check(repository, call)


def test_run__an_option_of_the_locustfile_reads_its_variable(repository, run, monkeypatch):
    monkeypatch.setenv("LOCUST_TENANT", "acme")
    write_scenarios(repository, "options")
    repository.edit("options.py", 'name="/ok")', 'name="/" + self.environment.parsed_options.tenant)')
    judged, printed, code = run()
    assert code == 0, printed
    assert [row.endpoint for row in judged["options"].endpoints][1:] == ["GET /acme"]
    assert not messages(judged["options"], "settings-replaced")
