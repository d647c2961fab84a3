"""One run of the real command for all cases: the shop in a process of its own, Locust, and the gate."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from ci_gate.evidence.recording import Recording, RecordingPlan, read_recording, read_run, recording_folder
from ci_gate.judge.steady import classify
from ci_gate.judge.verdict import ScenarioVerdict, decode_verdict, judge_scenario
from ci_gate.thresholds import Thresholds, parse_thresholds

HERE = Path(__file__).parent
LIMITS = {"all": {"p50": "5s"}}
USERS = {"FixedUser": 4}


def scenario(users: dict[str, int], *, may_be_late: bool = True, **changes: object) -> dict[str, object]:
    usual = {"locustfile": "mistakes.py", "users": users, "spawn_rate": 100, "limits": LIMITS}
    relaxed = {"relax": {"generator-late": "the machine has other tests to run"}}
    return usual | (relaxed if may_be_late else {}) | changes


TIGHT = {"all": {"p50": "1s"}}
LENIENT = {"all": {"p50": "5s", "failures": "100%"}}
COUNTED = {"all": {"failures": "100%"}}  # one user is too slow for a percentile
SCENARIOS = {
    "fixed": scenario(USERS),
    "claim-05": scenario({"SilentUser": 2, "FixedUser": 4}),
    "claim-06": scenario({"DyingUser": 4}),
    "claim-10": scenario({"AnonymousUser": 4}, limits=LENIENT),
    "claim-12": scenario({"ForgivingUser": 4}),
    "claim-12-pending": scenario({"PendingUser": 4}),
    "claim-13": scenario({"NowhereUser": 4}),
    "claim-23": scenario({"UnreportedUser": 4}),
    "claim-24": scenario({"FlakyUser": 4}, limits=LENIENT),
    "claim-25": scenario({"NamelessUser": 4}),
    "claim-26": scenario({"OnceUser": 1}, limits=COUNTED),
    "claim-26-again": scenario({"OnceUser": 1}, limits=COUNTED),
    "blocking": scenario({"BlockingUser": 8}, limits=TIGHT, may_be_late=False),
    "claim-27": scenario({"SilentUser": 2}),
}
STATEFUL = dict.fromkeys(("first", "second"), SCENARIOS["claim-26"])


@dataclass(frozen=True)
class Run:
    """What the command left behind, and its exit status."""

    exit_code: int
    thresholds: Thresholds
    folder: Path

    def verdict(self, name: str) -> ScenarioVerdict:
        """As verdict.json says."""
        verdict = decode_verdict((self.folder / "verdict.json").read_bytes())
        return next(each for each in verdict.scenarios if each.name == name)

    def evidence(self, name: str) -> tuple[RecordingPlan, Recording]:
        plan = next(each for each in read_run(self.folder).recordings if each.scenario == name)
        return plan, read_recording(recording_folder(self.folder, plan))

    def judge_again(self, name: str, rules, **limits: object) -> ScenarioVerdict:
        """The same evidence under other rules, and under a scenario with other limits or accept."""
        document = yaml.safe_load(self.thresholds.text)
        document["scenarios"][name] |= limits
        thresholds = parse_thresholds(yaml.safe_dump(document), "thresholds.yaml")
        scenario, (plan, recording) = thresholds.scenario(name), self.evidence(name)
        return judge_scenario(scenario, plan, classify(recording, scenario.accept), rules)


@pytest.fixture(scope="session")
def shop() -> Iterator[str]:
    command = [sys.executable, str(HERE / "shop.py"), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


@pytest.fixture(scope="session")
def run(shop, tmp_path_factory) -> Run:
    """Every scenario once."""
    return run_command(tmp_path_factory.mktemp("mistakes"), {"url": shop, "ready": "/items"}, SCENARIOS)


@pytest.fixture(scope="session")
def run_with_reset(shop, run, tmp_path_factory) -> Run:
    """Twice the scenario that leaves state behind, which is reset before each."""
    reset = "python -c \"import urllib.request as r; r.urlopen('{url}/reset', b'')\""
    service = {"url": shop, "ready": "/items", "before_each": reset}
    return run_command(tmp_path_factory.mktemp("reset"), service, STATEFUL)


def run_command(folder: Path, service: dict[str, str], scenarios: dict[str, object]) -> Run:
    shutil.copy(HERE / "mistakes.py", folder)
    document = {
        "schema": 1,
        "service": service,
        "profiles": {"short": {"duration": "1500ms", "warmup": "200ms"}},
        "scenarios": scenarios,
    }
    file = folder / "thresholds.yaml"
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    command = [
        "run",
        "--thresholds",
        str(file),
        "--profile",
        "short",
        "--out",
        str(folder / "out"),
        "--quiet",
    ]
    finished = call_gate(command)
    assert (folder / "out" / "verdict.json").exists(), finished.stdout + finished.stderr
    thresholds = parse_thresholds(file.read_text(), "thresholds.yaml")
    return Run(exit_code=finished.returncode, thresholds=thresholds, folder=folder / "out")


def call_gate(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ci_gate", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=dict(os.environ),
    )
