"""A run that can no longer end well is ended early and says so; one that still can goes on to its end."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager

import psutil
import pytest

from ci_gate.evidence.recording import read_recording
from ci_gate.judge.steady import classify
from ci_gate.judge.verdict import decode_verdict
from tests.conftest import SITE
from tests.repositories import commit_base
from tests.steady import await_steady

SITE_WITH = """
import importlib.util, os, sys, time
spec = importlib.util.spec_from_file_location("site_for_tests", {site!r})
site = importlib.util.module_from_spec(spec)
spec.loader.exec_module(site)
{before}
BEGAN = []

class Handler(site.Handler):
    def do_GET(self):
        if "ok" in self.path:
            BEGAN.append(time.monotonic())
            at_s = time.monotonic() - BEGAN[0]
            self.path = {path}
        super().do_GET()

with site.Server(("127.0.0.1", int(sys.argv[1])), Handler) as server:
    server.serve_forever(poll_interval=0.05)
"""
LEAVE_A_CHILD = """
READING, WRITING = os.pipe()
if os.fork():
    os.read(READING, 1)
    sys.exit()
"""
# Once the load runs: what ends before it is ready is no service. ">=": two threads may both go past 20.
LEAVE_IT_UNDER_LOAD = 'len(BEGAN) >= 20 and os.write(WRITING, b"!") and self.path or self.path'


def write_service(repository, path="self.path", before=""):
    repository.write("service.py", SITE_WITH.format(site=str(SITE), path=path, before=before))


def run(repository, call, out, *options):
    code, table, progress = call("run", "--thresholds", repository.thresholds, "--out", out, *options)
    return code, decode_verdict((out / "verdict.json").read_bytes()).scenarios[0], table + progress


@pytest.mark.slow
def test_early_end__nothing_succeeds_for_ten_seconds(repository, call, tmp_path):
    write_service(repository, '"/ok" if at_s < 3 else "/status/503"')
    repository.edit("thresholds.yaml", "{duration: 2s, warmup: 0s}", "{duration: 100s, warmup: 0s}")
    repository.edit("thresholds.yaml", "    limits:", "    regression: {p50: 10%}\n    limits:")
    commit_base(repository.folder)
    code, scenario, text = run(repository, call, tmp_path / "out", "--base", "HEAD")
    assert code == 1, text
    assert scenario.outcome == "FAIL"
    assert 10 < scenario.duration_s < 50
    (finding,) = [each for each in scenario.findings if each.code == "load-ended-early"]
    assert "all failures 1% cannot be kept any more" in finding.message
    assert "of the planned 100 s" in finding.message
    assert "the load was ended early: all failures 1% cannot be kept any more" in text
    (finding,) = scenario.comparison.findings
    assert "not compared with base, for the load on head alone was ended early" in finding.message


@pytest.mark.slow
def test_early_end__not_where_the_limit_may_still_be_kept(repository, call, tmp_path):
    write_service(repository, '"/status/503" if 0.5 < at_s < 13 else "/ok"')
    repository.edit("thresholds.yaml", "{duration: 2s, warmup: 0s}", "{duration: 17s, warmup: 0s}")
    repository.edit("thresholds.yaml", "GET /ok: {p50: 500ms}", "all: {failures: 95%}")
    code, scenario, text = run(repository, call, tmp_path / "out")
    assert code == 0, text
    assert scenario.duration_s > 16


@pytest.mark.slow
def test_early_end__not_for_replies_that_take_longer_than_ten_seconds(repository, call, tmp_path):
    write_service(repository, '"/sleep/11"')
    repository.edit("thresholds.yaml", "{duration: 2s, warmup: 0s}", "{duration: 14s, warmup: 0s}")
    repository.edit("thresholds.yaml", "{p50: 500ms}", "{p50: 15s}")
    repository.edit("thresholds.yaml", "Visitor: 5", "Visitor: 30")
    code, scenario, text = run(repository, call, tmp_path / "out")
    assert code == 0, text
    assert scenario.duration_s > 13


def test_early_end__users_that_never_got_through_on_start(repository, call, tmp_path):
    repository.edit("visits.py", "    @task", "    def on_start(self):\n        raise KeyError\n\n    @task")
    repository.edit("thresholds.yaml", "    limits:", "    regression: {p50: 10%}\n    limits:")
    commit_base(repository.folder)
    code, scenario, text = run(repository, call, tmp_path / "out", "--base", "HEAD")
    assert code == 3, text
    (finding,) = scenario.comparison.findings
    assert "its users never got to the steady phase" in finding.message
    assert not (tmp_path / "out" / "visits" / "duet-base").exists()


@pytest.mark.parametrize(
    ("relax", "outcome"), [("relax: {service-ended: it leaves a child, ", "PASS"), ("relax: {", "INVALID")]
)
def test_early_end__of_the_service_only_where_that_is_not_right(repository, call, tmp_path, relax, outcome):
    """Its command ends and leaves a child that serves."""
    write_service(repository, LEAVE_IT_UNDER_LOAD, before=LEAVE_A_CHILD)
    repository.edit("thresholds.yaml", "{duration: 2s, warmup: 0s}", "{duration: 8s, warmup: 0s}")
    repository.edit("thresholds.yaml", "relax: {", relax)
    _, scenario, text = run(repository, call, tmp_path / "out")
    assert scenario.outcome == outcome, text
    assert (scenario.duration_s > 7.5) is (outcome == "PASS")
    assert ("the load was ended early: the service has ended" in text) is (outcome == "INVALID")


@pytest.mark.slow
def test_early_end__the_locust_of_one_side_is_gone(repository, call, tmp_path):
    repository.edit("thresholds.yaml", "    limits:", "    regression: {p50: 10%}\n    limits:")
    commit_base(repository.folder)
    out = tmp_path / "out"
    with killing_locust(out / "visits" / "duet-base"):
        code, scenario, text = run(repository, call, out, "--base", "HEAD")
    assert code == 0, text
    assert scenario.comparison.outcome == "INCONCLUSIVE"
    assert "the load was ended early: the Locust of one side has ended" in text
    assert ("locust-ended-early", "base") in {(each.code, each.side) for each in scenario.comparison.findings}
    head = classify(read_recording(out / "visits" / "duet-head"), ())
    assert head.recording.mark("ended")  # it wrote its totals
    assert head.steady.duration_s < 25


@contextmanager
def killing_locust(folder):
    """SIGKILL the Locust that records into ``folder``, once it has sent some requests."""

    def kill():
        await_steady(folder, requests=20)
        for child in psutil.Process().children(recursive=True):
            if str(folder) in child.cmdline():
                killed.append(time.monotonic())
                child.kill()

    killed: list[float] = []
    thread = threading.Thread(target=kill)
    thread.start()
    yield
    thread.join()
    assert killed
