"""`ci-gate try`: a locustfile and a URL are enough, and what was tried can be kept as a file."""

from __future__ import annotations

import pytest

from ci_gate.evidence.workload import UserClass, share_by_weight
from ci_gate.judge.verdict import decode_verdict
from ci_gate.thresholds import parse_thresholds
from tests.conftest import LOCUSTFILE
from tests.site import running_site

RELAXED = ("--relax", "generator-late=this machine may be busy")
SHORT = ("--users", "4", "--duration", "2s", *RELAXED)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "load").mkdir()
    (tmp_path / "load" / "visits.py").write_text(
        f"{LOCUSTFILE}\nclass Buyer(Visitor):\n    weight = 3\n", encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def site():
    with running_site() as url:
        yield url


def test_try__judges_and_writes_the_file_of_it(folder, site, call):
    limits = ("--limit", "p50: 2s", "--limit", "GET /ok failures: 2%")
    code, table, progress = call(
        "try", "load/visits.py", "--url", site, *SHORT, *limits, "--write", "--out", folder / "out"
    )
    (scenario,) = decode_verdict((folder / "out" / "verdict.json").read_bytes()).scenarios
    assert (code, scenario.outcome) == (0, "PASS"), table + progress
    assert "PASS" in table
    assert (folder / "out" / "report.html").exists()
    assert [(limit.endpoint, limit.metric, limit.text) for limit in scenario.limits] == [
        *(("all", "p50", "2s"), ("all", "failures", "1%"), ("GET /ok", "failures", "2%"))
    ]
    written = parse_thresholds((folder / "thresholds.yaml").read_text(), "thresholds.yaml")
    assert {user.user_class: user.count for user in written.scenarios[0].users} == {"Buyer": 3, "Visitor": 1}
    assert written.scenarios[0].locustfile == "load/visits.py"
    (relaxed,) = written.scenarios[0].relax
    assert (relaxed.code, relaxed.reason) == ("generator-late", "this machine may be busy")
    code, _, message = call("try", "load/visits.py", "--url", site, *SHORT, "--write")
    assert code == 2
    assert "thresholds.yaml is there already" in message


def test_try__a_broken_limit_fails(folder, site, call):
    limit, out = ("--limit", "GET /ok p50: 0.001ms"), folder / "out"
    code, table, _ = call("try", "load/visits.py", "--url", site, *SHORT, *limit, "--quiet", "--out", out)
    assert code == 1, table
    (scenario,) = decode_verdict((out / "verdict.json").read_bytes()).scenarios
    assert [(limit.endpoint, limit.metric) for limit in scenario.breaches] == [("GET /ok", "p50")]
    assert not (folder / "thresholds.yaml").exists()


OPTIONS = """
import os
from locust import HttpUser, LoadTestShape, constant, events, tag, task

@events.init_command_line_parser.add_listener
def add(parser):
    parser.add_argument("--tenant", default="nobody")

class Visitor(HttpUser):
    wait_time = constant(0.05)

    @tag("buy")
    @task
    def buy(self):
        tenant = self.environment.parsed_options.tenant
        with open("region.txt") as file:
            self.client.get("/ok", name=f"/{tenant}/{os.environ['KEY']}/{os.environ['REGION']}/{file.read()}")

    @tag("buy", "slow")
    @task
    def look(self):
        self.client.get("/status/500", name="/slow")

    @task
    def other(self):
        self.client.get("/status/500", name="/other")

class Wave(LoadTestShape):
    def tick(self):
        return (8, 100) if self.get_run_time() < 4 else None
"""


def test_try__gives_the_locustfile_what_the_keys_of_a_scenario_would(folder, site, call, monkeypatch):
    monkeypatch.setenv("KEY", "k3y")
    (folder / "load" / "region.txt").write_text("north")
    (folder / "load" / "own.py").write_text(OPTIONS)
    given = ("--args", "--tenant 'acme 7'", "--env", "KEY", "--env", "REGION=07", "--directory", "load")
    given = (*given, "--tags", "buy", "--exclude-tags", "slow", "--shape", "Wave", "--users", "4", *RELAXED)
    out = folder / "out"
    code, table, progress = call("try", "load/own.py", "--url", site, *given, "--write", "--out", out)
    (scenario,) = decode_verdict((out / "verdict.json").read_bytes()).scenarios
    assert (code, scenario.outcome) == (0, "PASS"), table + progress
    assert [each.endpoint for each in scenario.endpoints[1:]] == ["GET /acme 7/k3y/07/north"]
    assert scenario.users == 4
    text = (folder / "thresholds.yaml").read_text()
    assert "k3y" not in text
    (written,) = parse_thresholds(text, "thresholds.yaml").scenarios
    assert written.locust.args == ("--tenant", "acme 7")
    assert dict(written.locust.env) == {"KEY": "${KEY}", "REGION": "07"}
    assert written.locust.shape == "Wave"
    assert "the same again by `ci-gate run --users 4`" in progress


@pytest.mark.parametrize(
    ("weights", "users", "shares"),
    [
        ({"A": 3, "B": 1}, 4, [3, 1]),
        ({"A": 3, "B": 1}, 20, [15, 5]),
        ({"A": 99, "B": 1}, 10, [9, 1]),
        ({"A": 1, "B": 1, "C": 1}, 20, [7, 7, 6]),
        ({"A": 5, "B": 1}, 2, [1, 1]),
        # Those below 0 are fixed counts.
        ({"A": -1, "B": 1}, 20, [1, 19]),
        ({"A": -4, "B": 3, "C": 1}, 12, [4, 6, 2]),
        ({"A": -40, "B": 1}, 12, [11, 1]),
        ({"A": -2, "B": -3}, 10, [5, 5]),
    ],
)
def test_users__are_shared_by_weight_and_no_class_is_left_out(weights, users, shares):
    classes = [
        UserClass(
            name=name, wait=None, tasks=(), **({"fixed_count": -weight} if weight < 0 else {"weight": weight})
        )
        for name, weight in weights.items()
    ]
    assert list(share_by_weight(classes, users).values()) == shares


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["load/visits.py", "--limit", "p95 300ms"],
            "--limit 'p95 300ms' cannot be read (allowed: 'p95: 300ms'",
        ),
        (["load/visits.py", "--limit", "p95: 300"], "--limit 'p95: 300': 'p95' cannot be '300' (allowed: "),
        (["load/visits.py", "--limit", "p95: 1s", "--limit", "p95: 2s"], "--limit 'p95: 2s': "),
        (["load/visits.py", "--limit", "get /ok p95: 1s"], "HTTP method 'get' is not in upper case"),
        (["load/visits.py", "--duration", "30"], "--duration: 'duration' cannot be '30' (allowed: "),
        (["load/visits.py", "--url", "localhost:8000"], "--url: 'url' cannot be 'localhost:8000' (allowed: "),
        (["load/visits.py", "--users", "1"], "load/visits.py has 2 user classes: it needs as many --users"),
        (["load/visits.py", "--args", "--tenant 'acme"], '--args "--tenant \'acme" cannot be read: '),
        (
            ["load/visits.py", "--args", "--tenant acme"],
            "load/visits.py: locust: error: unrecognized arguments: --tenant",
        ),
        (["load/visits.py", "--env", "1A=b"], "--env '1A=b': "),
        (["load/visits.py", "--env", "A=1", "--env", "A=2"], "--env 'A=2': "),
        (["load/visits.py", "--tags", "a b"], "--tags: "),
        (["load/visits.py", "--directory", "../load"], "--directory: "),
        (["load/visits.py", "--host", "a b"], "--host: "),
        (["load/visits.py", "--relax", "late=why"], "no rule 'late' can be relaxed (allowed: "),
        (["load/visits.py", "--relax", "generator-late"], "--relax 'generator-late': "),
        (["load/visits.py", "--shape", "Wave"], "has no LoadTestShape 'Wave'"),
        (["load/visits.py", "--tags", "none"], "--tags and --exclude-tags leave no class a task"),
        (["load", "--users", "1"], "load has 2 user classes"),
        (["load/none.py"], "load/none.py: there is no such file"),
        (["/etc/hostname"], "/etc/hostname is not in this folder"),
    ],
)
def test_try__what_cannot_be_is_named_by_its_option(folder, call, arguments, message):
    code, _, error = call("try", "--url", "http://127.0.0.1:9", *arguments)
    assert code == 2
    assert message in error
