"""The reference service as a real process, and a client that talks to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import requests
from prometheus_client.parser import text_string_to_metric_families

from reference_service.seed import reset_state
from reference_service.settings import parse_settings
from tests.servers import free_port

READY_TIMEOUT_S = 120
PASSWORD = "correct horse battery staple"
SMALL_SEED = {"SEED_USERS": "20", "SEED_PENDING": "3500"}


def service_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without anything that would configure the service, plus the settings."""
    ours = {"DATABASE_URL", "REDIS_URL", "FAULTS"}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    root = str(Path(__file__).parents[2])
    return {**kept, "PYTHONPATH": root, **SMALL_SEED, **settings}


def run_service_command(
    *arguments: str, settings: Mapping[str, str], cwd: Path
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reference_service.service", *arguments]
    environment = service_environment(settings)
    return subprocess.run(
        command, env=environment, cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )


def reset(settings: Mapping[str, str]) -> None:
    """What the command ``reset`` does, without the time that a process takes to start."""
    reset_state(parse_settings({**SMALL_SEED, **settings}))


@dataclass(frozen=True)
class RunningService:
    url: str
    settings: Mapping[str, str]
    process: subprocess.Popen[bytes]

    def metrics(self) -> dict[str, float]:
        """Each sample's value by its name and label values, such as ``name{a,b}``."""
        text = requests.get(f"{self.url}/metrics", timeout=10).text
        found = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = f"{{{','.join(sample.labels.values())}}}" if sample.labels else ""
                found[sample.name + labels] = sample.value
        return found


@contextmanager
def started_service(
    settings: Mapping[str, str], cwd: Path, *options: str, health: AbstractSet[int] = frozenset({200})
) -> Iterator[RunningService]:
    """The service on a free port, once its health is one of these statuses; at once if there are none."""
    port = free_port()
    command = [sys.executable, "-m", "reference_service.service", "--port", str(port), *options]
    with (cwd / "service.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            env=service_environment(settings),
            cwd=cwd,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        if health:
            await_health(url, process, statuses=health)
        yield RunningService(url, settings, process)
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its workers too
        process.wait()


def await_health(url: str, process: subprocess.Popen[bytes], *, statuses: AbstractSet[int]) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    last = "nothing"
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(requests.ConnectionError):
            last = str(requests.get(f"{url}/healthz", timeout=10).status_code)
            if int(last) in statuses:
                return
        time.sleep(0.02)
    raise TimeoutError(f"last health was {last}, the exit code is {process.poll()}")


class Client:
    """One user's requests; ``user`` None sends no token."""

    def __init__(self, service: RunningService, user: str | None = "user-0001") -> None:
        self._url = service.url
        self._headers = {}
        if user is not None:
            reply = self.post("/api/v1/login", {"username": user, "password": PASSWORD})
            assert reply.status_code == 200, reply.text
            self._headers = {"Authorization": f"Bearer {reply.json()['token']}"}

    def get(self, path: str) -> requests.Response:
        return requests.get(self._url + path, headers=self._headers, timeout=30)

    def post(self, path: str, body: object = None) -> requests.Response:
        return requests.post(self._url + path, headers=self._headers, json=body, timeout=30)
