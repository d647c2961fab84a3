from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from ci_gate.service.environment import ServiceContext
from ci_gate.service.guard.watchdog import Watchdog
from tests.images import build, connect_engine, python_image
from tests.service.services import APP


@pytest.fixture
def watchdog() -> Iterator[Watchdog]:
    with Watchdog() as watchdog:
        yield watchdog


@pytest.fixture
def placement(tmp_path: Path) -> ServiceContext:
    return ServiceContext(
        side="head",
        repository=tmp_path,
        state_dir=tmp_path / "state",
        log_path=tmp_path / "logs" / "head.log",
        environ=dict(os.environ),
    )


@pytest.fixture
def engine() -> Iterator[docker.DockerClient]:
    with connect_engine() as client:
        yield client


@pytest.fixture
def app_image(engine: docker.DockerClient, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """A function from the app's arguments to the tag of an image that runs it, removed at the end."""
    tags: list[str] = []

    def make(*arguments: str) -> str:
        words = ["python3", "-u", "/app.py", "--host", "0.0.0.0", "--port", "8000", *arguments]
        command = ", ".join(f'"{word}"' for word in words)
        # The line with the folder makes the image this test's own, so that its containers can be told.
        dockerfile = f"FROM {python_image()}\nLABEL test={tmp_path}\nCOPY app.py /\nCMD [{command}]\n"
        tag = f"ci-gate-test-app:{os.getpid()}-{len(tags)}-{abs(hash(str(tmp_path)))}"
        tags.append(build(engine, {"Dockerfile": dockerfile, "app.py": APP.read_text()}, tag))
        return tag

    yield make
    for tag in tags:
        engine.images.remove(tag, force=True)
