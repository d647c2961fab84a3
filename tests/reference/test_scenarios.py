"""Each locustfile under plain, headless Locust against the real service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.reference.processes import RunningService, reset, started_service

ROOT = Path(__file__).parents[2]
SCENARIOS = ROOT / "reference_service" / "scenarios"
DEPLOYMENTS = "/api/v1/deployments"
APPROVALS = "/api/v1/approvals"
CONNECTORS = "/api/v1/connectors"
PUBLISH = {
    f"POST {CONNECTORS}/{plane}/publish" for plane in ("intune", "jamf", "sccm", "landscape", "ansible")
}
# Locustfile, its one user class, users, and the endpoints of its steady phase.
CASES = [
    (
        "deployments.py",
        "DeploymentUser",
        20,
        {f"POST {DEPLOYMENTS}", f"GET {DEPLOYMENTS}", f"GET {DEPLOYMENTS}/{{id}}"},
    ),
    (
        "cab_approvals.py",
        "CabUser",
        50,
        {f"GET {APPROVALS}", f"POST {APPROVALS}/{{id}}/approve", f"POST {APPROVALS}/{{id}}/reject"},
    ),
    (
        "connectors.py",
        "ConnectorUser",
        40,
        PUBLISH | {f"GET {CONNECTORS}/{{plane}}/status", f"POST {CONNECTORS}/{{plane}}/remediate"},
    ),
    ("burst.py", "BurstUser", 50, {f"POST {DEPLOYMENTS}"}),
]


def run_locust(
    service: RunningService, locustfile: str, users: int, *, until: Mapping[str, int]
) -> tuple[subprocess.CompletedProcess[str], dict[str, dict[str, int]]]:
    """The process, and requests and failures by endpoint, when so many requests were made (see until.py)."""
    files = f"{SCENARIOS / locustfile},{Path(__file__).with_name('until.py')}"
    command = [sys.executable, "-m", "locust", "-f", files, "--headless", "--json"]
    load = ["-u", str(users), "-r", str(users), "-t", "120s", "--host", service.url]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SEED_USERS": "20", "UNTIL": json.dumps(until)}
    done = subprocess.run(
        [*command, *load], env=environment, capture_output=True, text=True, timeout=180, check=False
    )
    rows = json.loads(done.stdout[done.stdout.index("[") :])
    return done, {f"{row['method']} {row['name']}": row for row in rows}


@pytest.mark.slow
@pytest.mark.parametrize(("locustfile", "user_class", "users", "endpoints"), CASES)
def test_scenario__runs_without_a_failure(
    backend: Mapping[str, str],
    tmp_path: Path,
    locustfile: str,
    user_class: str,
    users: int,
    endpoints: set[str],
) -> None:
    settings = {**backend, "SEED_PENDING": "5000"}
    reset(settings)
    with started_service(settings, tmp_path) as service:
        until = {"POST /api/v1/login": users, **dict.fromkeys(endpoints, 1)}
        done, rows = run_locust(service, locustfile, users, until=until)
    assert done.returncode == 0, done.stderr
    assert {name: row["num_failures"] for name, row in rows.items() if row["num_failures"]} == {}
    assert set(rows) >= endpoints
    assert all(rows[name]["num_requests"] > 0 for name in endpoints)
    assert rows["POST /api/v1/login"]["num_requests"] == users
    assert f'"{user_class}": {users}' in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("locustfile", "users"), [(case[0], 5) for case in CASES])
def test_scenario__users_die_loudly_when_they_cannot_sign_in(
    embedded: Mapping[str, str], tmp_path: Path, locustfile: str, users: int
) -> None:
    with started_service({**embedded, "FAULTS": "login_broken"}, tmp_path) as service:
        done, rows = run_locust(service, locustfile, users, until={"failures": users})
    assert done.returncode == 1
    assert list(rows) == ["POST /api/v1/login"]
    assert rows["POST /api/v1/login"]["num_failures"] == users
    assert done.stderr.count("SignInError") >= users


@pytest.mark.slow
def test_cab_approvals__fails_when_fewer_than_a_hundred_are_pending(
    embedded: Mapping[str, str], tmp_path: Path
) -> None:
    settings = {**embedded, "SEED_PENDING": "2475"}
    reset(settings)
    with started_service(settings, tmp_path) as service:
        done, rows = run_locust(service, "cab_approvals.py", 5, until={f"GET {APPROVALS}": 1})
    assert done.returncode == 1
    assert rows[f"GET {APPROVALS}"]["num_failures"] == rows[f"GET {APPROVALS}"]["num_requests"] > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("locustfile", "fault"),
    [
        ("deployments.py", "routes_missing"),
        ("connectors.py", "routes_missing"),
        ("cab_approvals.py", "routes_missing"),
        ("deployments.py", "throttle=5/s"),
        ("deployments.py", "crash_after=30"),
        ("deployments.py", "debug_error_pages=20%"),
    ],
)
def test_scenario__counts_what_a_fault_breaks_as_failures(
    embedded: Mapping[str, str], tmp_path: Path, locustfile: str, fault: str
) -> None:
    with started_service({**embedded, "FAULTS": fault}, tmp_path) as service:
        done, rows = run_locust(service, locustfile, 10, until={"failures": 5})
    assert done.returncode == 1
    assert sum(row["num_failures"] for row in rows.values()) >= 5
    # Failures are recorded, not raised: an exception in a task would leave the request out of the figures.
    assert "IndexError" not in done.stderr
    assert "TypeError" not in done.stderr
