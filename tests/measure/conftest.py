from __future__ import annotations

import os
import subprocess
import textwrap
from pathlib import Path

import pytest

from ci_gate.evidence.recording import RecordingPlan, read_recording, write_json
from ci_gate.measure.load_run import locust_command
from tests.service.conftest import placement, watchdog
from tests.site import running_site

__all__ = ["placement", "watchdog"]  # fixtures for these tests too


@pytest.fixture(scope="session")
def site():
    with running_site() as url:
        yield url


@pytest.fixture
def run_locust(site, tmp_path):
    """Runs a locustfile under the recorder, as load_run does, and reads the recording back."""

    def run(locustfile: str, *, users: dict[str, int], host: str = site, status: int = 0, **changes):
        path = tmp_path / "scenario.py"
        path.write_text(textwrap.dedent(locustfile))
        plan = make_plan(str(path), users, **changes)
        folder = tmp_path / "head"
        folder.mkdir()
        write_json(folder / "plan.json", plan)
        with (folder / "locust.log").open("wb") as log:
            process = subprocess.run(
                locust_command(plan, folder, host),
                cwd=tmp_path,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=60,
                env=dict(os.environ),
                check=False,
            )
        assert process.returncode == status, (folder / "locust.log").read_text()
        return read_recording(folder)

    return run


def make_plan(locustfile: str, users: dict[str, int], **changes) -> RecordingPlan:
    plan = {
        "scenario": "scenario",
        "recording": "head",
        "locustfile": locustfile,
        "users": users,
        "spawn_rate": 100.0,
        "warmup_s": 0.2,
        "duration_s": 1.0,
        "drain_s": 2.0,
        "spawn_timeout_s": 5.0,
        "seed": 1,
        "arrivals_per_s": None,
        "ramp_s": 0.0,
        "offered_per_s": None,
    }
    return RecordingPlan(**{**plan, **changes})


@pytest.fixture
def repository() -> Path:
    return Path(__file__).parents[2]
