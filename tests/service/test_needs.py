"""What a service needs around it: real compose, a real engine, an image without a registry."""

from __future__ import annotations

import dataclasses
import re
import shutil
import socket
import subprocess
import sys

import pytest

from ci_gate.errors import BadInputError, OutsideError, ServiceError
from ci_gate.service.needs import NeedsAround
from ci_gate.thresholds import Needs
from tests.servers import skip_or_fail
from tests.service.services import await_true, make_service

PROJECT = re.compile(r"cigate[0-9a-f]{16}")
COMPOSE = """
version: "2.4"
services:
  db:
    image: {image}
    volumes: ["data:/data"]
    ports: ["8000"]
    healthcheck: {{test: ["CMD", "test", "-e", "/tmp/ready"], interval: 1s, retries: 30}}
    command: ["sh", "-c", "sleep 2; touch /tmp/ready; exec {app}"]
  cache-1:
    image: {image}
    ports: ["8000", "9000"]
    command: ["sh", "-c", "exec {app}"]
  broken:
    image: {image}
    command: ["sh", "-c", "echo no space left; exit 3"]
  sick:
    image: {image}
    healthcheck: {{test: ["CMD", "false"], interval: 1s, retries: 1}}
    command: ["sh", "-c", "echo feeling sick; exec {app}"]
  other:
    image: {image}
    command: ["sleep", "600"]
volumes:
  data: {{}}
"""


@pytest.fixture
def compose(placement, app_image):
    if not shutil.which("docker-compose"):
        skip_or_fail("there is no docker-compose")
    app = "python3 -u /app.py --host 0.0.0.0 --port 8000"
    text = COMPOSE.format(image=app_image(), app=app)
    (placement.repository / "compose.yaml").write_text(text)
    return placement


def needs(*services, per_side=False, timeout_s=60.0):
    return Needs(compose="compose.yaml", services=services, per_side=per_side, timeout_s=timeout_s)


def left_of(engine, folder, kind="containers"):
    """What stands there of the compose projects that logs in the folder name: other tests have their own."""
    logs = [path.read_text() for path in folder.rglob("*.needs.log")]
    options = {"all": True} if kind == "containers" else {}
    labels = {f"com.docker.compose.project={name}" for log in logs for name in PROJECT.findall(log)}
    listing = getattr(engine, kind)
    return [one for label in labels for one in listing.list(filters={"label": label}, **options)]


def start(around, placement, *services, kind="command", **changes):
    service = make_service(kind, "x --port {port}")
    return around.start(needs(*services, **changes), service, placement, lambda _: None)


def test_needs__are_healthy_named_and_removed(compose, watchdog, engine):
    with NeedsAround(watchdog) as around:
        variables = start(around, compose, "db", "cache-1")
        assert {*variables} == {
            *("DB_HOST", "DB_PORT", "DB_PORT_8000"),
            *("CACHE_1_HOST", "CACHE_1_PORT", "CACHE_1_PORT_8000", "CACHE_1_PORT_9000"),
        }
        assert variables["CACHE_1_PORT"] == variables["CACHE_1_PORT_8000"]
        socket.create_connection((variables["DB_HOST"], int(variables["DB_PORT"])), timeout=10).close()
        assert len(left_of(engine, compose.log_path.parent)) == 2
        other = dataclasses.replace(compose, side="base")
        assert start(around, other, "db", "cache-1")["DB_PORT"] == variables["DB_PORT"]
        assert start(around, other, "db", "cache-1", kind="image")["DB_HOST"] == "host.docker.internal"
    for kind in ("containers", "networks", "volumes"):
        assert left_of(engine, compose.log_path.parent, kind) == [], kind


def test_needs__per_side_each_has_its_own(compose, watchdog, engine):
    with NeedsAround(watchdog) as around:
        head = start(around, compose, "cache-1", per_side=True)
        base = start(around, dataclasses.replace(compose, side="base"), "cache-1", per_side=True)
        assert head["CACHE_1_PORT"] != base["CACHE_1_PORT"]
        assert len(left_of(engine, compose.log_path.parent)) == 2
    assert left_of(engine, compose.log_path.parent) == []


@pytest.mark.parametrize(
    ("service", "message"),
    [
        ("broken", r"broken ended: exit status 3\n.*no space left"),
        ("sick", r"not healthy after 4 s: sick is unhealthy\n.*\n.*feeling sick"),
        ("missing", r"`docker.compose up -d missing` failed\n.*missing"),
    ],
)
def test_needs__one_that_does_not_get_healthy_is_shown_and_removed(
    compose, watchdog, engine, service, message
):
    with NeedsAround(watchdog) as around, pytest.raises(ServiceError, match=f"(?s){message}"):
        start(around, compose, service, timeout_s=4.0)
    assert left_of(engine, compose.log_path.parent) == []
    assert left_of(engine, compose.log_path.parent, "networks") == []


KILLED = """
import os, sys, pathlib
from ci_gate.service.environment import ServiceContext
from ci_gate.service.guard.watchdog import Watchdog
from ci_gate.service.needs import NeedsAround
from ci_gate.thresholds import Needs
from tests.service.services import make_service
folder = pathlib.Path(sys.argv[1])
log = folder / "logs" / "head.log"
placement = ServiceContext(
    side="head", repository=folder, state_dir=folder, log_path=log, environ=dict(os.environ)
)
with Watchdog() as watchdog, NeedsAround(watchdog) as around:
    needs = Needs(compose="compose.yaml", services=("db",), per_side=False, timeout_s=60.0)
    around.start(needs, make_service("command", "x {port}"), placement, print)
    os.kill(os.getpid(), 9)
"""


def test_needs__are_removed_after_kill_9(compose, engine):
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(compose.repository)], capture_output=True, timeout=120, check=False
    )
    assert done.returncode == -9, done
    logs = compose.log_path.parent
    assert PROJECT.search((logs / "head.needs.log").read_text())
    kinds = ("containers", "networks", "volumes")
    assert await_true(lambda: not any(left_of(engine, logs, kind) for kind in kinds))


def test_needs__without_compose_is_told_so(placement, watchdog, engine):
    (placement.repository / "compose.yaml").write_text("services: {}\n")
    nothing = dataclasses.replace(placement, environ={**placement.environ, "PATH": str(placement.repository)})
    with NeedsAround(watchdog) as around, pytest.raises(OutsideError, match="neither is installed here"):
        start(around, nothing, "db")


def test_needs__a_file_that_is_not_there_is_bad_input(placement, watchdog):
    with NeedsAround(watchdog) as around, pytest.raises(BadInputError, match=r"there is no compose\.yaml"):
        start(around, placement, "db")
