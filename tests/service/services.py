"""Services under test for the tests of ``ci_gate.service``."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker

from ci_gate.thresholds import Position, Ready, Service

APP = Path(__file__).with_name("app.py")


def make_service(kind: str, target: str, **changes: Any) -> Service:
    settings = {
        "ready": Ready(path="/healthz"),
        "ready_timeout_s": 10.0,
        "port": None if kind == "command" else 8000,
        "env": (),
        "needs": None,
        "before_start": None,
        "before_start_timeout_s": 60.0,
        "before_each": None,
        "before_each_timeout_s": 60.0,
        "processes": (),
        "ca": None,
        "cpus": None,
        "memory_bytes": None,
        "at": Position(line=3, column=1),
    }
    return Service(kind=kind, target=target, **(settings | changes))


def app_command(*arguments: str) -> str:
    return f"{shlex.join([sys.executable, str(APP), *arguments])} --port {{port}}"


def containers_of(engine: docker.DockerClient, image: str) -> list[str]:
    return [c.id for c in engine.containers.list(all=True, filters={"ancestor": image})]


def pids_with(text: str) -> list[int]:
    """Processes that are no zombies and have the text in their environment, this one excepted."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with contextlib.suppress(OSError):
                if text.encode() in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
    return found


def pids_running(text: str) -> list[int]:
    """Processes that have the text in their command line, this one excepted."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with contextlib.suppress(OSError):
                if text.encode() in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
    return found


def await_true(condition: Callable[[], bool], timeout_s: float = 60.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def unique() -> str:
    return f"test-{uuid.uuid4().hex}"
