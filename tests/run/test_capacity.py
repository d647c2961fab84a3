"""ci-gate capacity as its users meet it: a real service, a real Locust, steps of a few seconds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import msgspec
import psutil
import pytest

from ci_gate.errors import UsageError
from ci_gate.judge.capacity.knee import Knee
from ci_gate.judge.capacity.verdict import CapacityVerdict
from ci_gate.run.capacity import plan_climb
from ci_gate.thresholds import parse_thresholds
from tests.conftest import SITE, THRESHOLDS

EXIT = {"pass": 0, "bad input": 2, "invalid": 3, "outside": 4}
SHORT = ("--step-duration", "3s", "--out")

ONE_AT_A_TIME = f"""
import importlib.util, sys, threading, time
spec = importlib.util.spec_from_file_location("site_for_tests", {str(SITE)!r})
site = importlib.util.module_from_spec(spec)
spec.loader.exec_module(site)
door = threading.Lock()

class Handler(site.Handler):
    def do_GET(self):
        with door:
            time.sleep(0.020)
        self.reply(200, b"{{}}")

with site.Server(("127.0.0.1", int(sys.argv[1])), Handler) as server:
    server.serve_forever(poll_interval=0.05)
"""


def read_verdict(out):
    return msgspec.json.decode((out / "capacity.json").read_bytes(), type=CapacityVerdict)


def test_capacity__steps_up_to_the_most_and_is_judged_again_without_load(repository, call, tmp_path):
    out = tmp_path / "out"
    arguments = ("--thresholds", repository.thresholds, "--from", 2, "--to", 4, *SHORT, out)
    code, text, progress = call("capacity", "visits", *arguments)
    assert code == EXIT["pass"], text + progress
    assert "visits: at least 4 users fit under the limits" in text
    assert "visits: step 1, 2 users (the lightest load): about 5 s" in progress
    verdict = read_verdict(out)
    assert [step.users for step in verdict.steps][:2] == [2, 4]
    assert verdict.steps[0].rate_per_s == pytest.approx(2 / 0.05, rel=0.4)
    assert "<h1" in (out / "capacity.html").read_text()
    assert (out / "visits" / "step-001" / "service.log").exists()
    assert not (out / "verdict.json").exists()

    first = (out / "capacity.json").read_bytes()
    (out / "capacity.json").unlink()
    assert call("judge", out)[:2] == (EXIT["pass"], text)
    assert (out / "capacity.json").read_bytes() == first
    repository.edit("thresholds.yaml", "{p50: 500ms}", "{p50: 0.001ms}")
    assert "no load was proven" in call("judge", out, "--thresholds", repository.thresholds)[1]


@pytest.mark.slow
def test_capacity__finds_the_knee_where_arithmetic_says(repository, call, tmp_path):
    """One request at a time, 20 ms each: 50/s at most, reached by (0.2 s + 20 ms) x 50/s = 11 users."""
    out = tmp_path / "out"
    repository.write("service.py", ONE_AT_A_TIME)
    repository.edit("visits.py", "constant(0.05)", "constant(0.2)")
    repository.edit("thresholds.yaml", "{p50: 500ms}", "{p50: 100ms}")
    arguments = ("--from", 2, "--to", 100, "--step-duration", "5s", "--out", out, "--quiet")
    code, text, progress = call("capacity", "visits", "--thresholds", repository.thresholds, *arguments)
    assert code == EXIT["pass"], text
    assert progress == ""
    verdict = read_verdict(out)
    assert isinstance(verdict.knee, Knee), text
    assert verdict.knee.ceiling_per_s.value == pytest.approx(48, rel=0.1)
    assert verdict.knee.load.value == pytest.approx(11, rel=0.15)
    assert verdict.ended.by == "knee"
    kept, breached = verdict.step(verdict.fit.kept), verdict.step(verdict.fit.breached)
    # 100 ms are 5 in the queue: (0.2 s + 0.1 s) x 50/s = 15 users; other programs' work only makes it fewer.
    assert kept.load < 16
    assert breached.load > 11


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("absent",), "has no scenario absent (allowed: visits)"),
        (("visits", "--from", 9, "--to", 9), "--to 9 must be more than --from 9"),
        (("visits", "--step-duration", "12"), "is not a duration"),
        (("visits", "--step-duration", "1s"), "allowed: from 3s to 60m"),
        (("visits", "--growth", "1"), "growth"),
        (("visits", "--profile", "absent"), "has no profile 'absent'"),
    ],
)
def test_capacity__bad_arguments(repository, call, tmp_path, arguments, message):
    code, _, err = call(
        "capacity", *arguments, "--thresholds", repository.thresholds, "--out", tmp_path / "out"
    )
    assert code == EXIT["bad input"]
    assert message in err


def test_capacity__a_service_that_does_not_start_is_said_and_leaves_no_answer(repository, call, tmp_path):
    repository.write("service.py", "raise SystemExit('no database')")
    out = tmp_path / "out"
    code, _, err = call("capacity", "visits", "--thresholds", repository.thresholds, *SHORT, out)
    assert code == EXIT["outside"]
    assert "no database" in err
    assert call("judge", out)[0] != EXIT["pass"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_capacity__cut_off_it_leaves_no_process_and_readable_evidence(repository, call, tmp_path, number):
    out = tmp_path / "out"
    command = (
        sys.executable,
        "-m",
        "ci_gate",
        "capacity",
        "visits",
        "--thresholds",
        repository.thresholds,
    )
    process = subprocess.Popen(
        [*command, "--from", "2", "--step-duration", "3s", "--out", out],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    samples = out / "visits" / "step-002" / "samples.bin"
    deadline = time.monotonic() + 60
    while not samples.exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.1)
    time.sleep(1)
    children = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, number)
    _, err = process.communicate(timeout=90)
    assert "Traceback" not in err
    psutil.wait_procs(children, timeout=30)
    assert not [child for child in children if child.is_running()]
    code, text, _ = call("judge", out)
    assert code == EXIT["invalid"]
    assert "visits: at least 2 users fit under the limits" in text
    assert "stopped: at 2 users: the measurement " in text
    assert [step.load for step in read_verdict(out).steps] == [2]


def scenario_of(old="", new=""):
    text = THRESHOLDS.replace(old, new) if old else THRESHOLDS
    return parse_thresholds(text, "thresholds.yaml").scenarios[0]


def climb_of(scenario, lowest=None, highest=None):
    return plan_climb(scenario, lowest=lowest, highest=highest, growth=2.0, duration_s=12.0)


def test_climb__is_from_an_eighth_to_eight_times_as_much():
    climb = climb_of(scenario_of("Visitor: 5", "Visitor: 100"))
    assert (climb.lowest, climb.highest, climb.least) == (13, 800, 1)


def test_climb__of_an_open_workload_is_in_arrivals():
    climb = climb_of(scenario_of("spawn_rate: 100", "spawn_rate: 100\n    arrivals: 40/s"))
    assert (climb.lowest, climb.highest) == (5, 320)


def test_climb__has_a_user_of_each_class():
    scenario = scenario_of("{Visitor: 5}", "{Visitor: 5, Other: 1}")
    assert climb_of(scenario).lowest == 2
    with pytest.raises(UsageError, match="has 2 user classes: --from must be at least 2"):
        climb_of(scenario, lowest=1)
