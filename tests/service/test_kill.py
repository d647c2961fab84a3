"""Whatever ends ci-gate, and whenever: no process and no container is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.service.services import app_command, await_true, containers_of, pids_running, pids_with, unique

DRIVER = Path(__file__).with_name("driver.py")
# From before the service is started until it is ready and beyond.
DELAYS_S = (0, 0.003, 0.006, 0.01, 0.02, 0.04, 0.07, 0.11, 0.2)
CONTAINER_DELAYS_S = (0, 0.03, 0.08, 0.13, 0.18, 0.25, 0.35, 0.6, 1.2)


def drive(tag: str, folder: Path, kind: str, target: str, *grace_s: str) -> subprocess.Popen[bytes]:
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, str(DRIVER), kind, target, str(folder), *grace_s],
        env={**os.environ, "TEST_TAG": tag},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def signal_after(process: subprocess.Popen[bytes], awaited: bytes, delay_s: float, *numbers: int) -> int:
    line = b""
    while line != awaited:
        line = process.stdout.readline()
        assert line, process.stderr.read().decode()
        line = line.strip()
    for number in numbers:
        time.sleep(delay_s)
        process.send_signal(number)
    process.communicate(timeout=90)
    return process.returncode


def test_kill_9__of_ci_gate_at_any_moment_leaves_no_process(tmp_path):
    tag = unique()
    for delay_s in DELAYS_S:
        process = drive(tag, tmp_path, "command", app_command("--fork", "2", "--detach"))
        assert signal_after(process, b"starting", delay_s, signal.SIGKILL) == -signal.SIGKILL
    assert await_true(lambda: pids_with(tag) == []), pids_with(tag)


def test_kill_9__of_ci_gate_ends_a_service_that_cleared_its_environment(tmp_path):
    name = unique()
    process = drive(name, tmp_path, "command", f"env -i {app_command('--say', name)}")
    assert signal_after(process, b"ready", 0, signal.SIGKILL) == -signal.SIGKILL
    assert await_true(lambda: pids_running(name) == []), pids_running(name)


@pytest.mark.parametrize(
    ("number", "delay_s"),
    [(signal.SIGINT, 0), (signal.SIGINT, 0.02), (signal.SIGINT, 0.3), (signal.SIGTERM, 0.05)],
)
def test_interrupt__leaves_no_process_once_ci_gate_has_ended(tmp_path, number, delay_s):
    tag = unique()
    process = drive(tag, tmp_path, "command", app_command("--fork", "2"))
    assert signal_after(process, b"starting", delay_s, number) != 0
    assert pids_with(tag) == []


def test_interrupt__and_again_or_kill_9_while_the_service_is_being_stopped(tmp_path):
    tag = unique()
    processes = [drive(tag, tmp_path, "command", app_command("--ignore-sigterm")) for _ in range(2)]
    assert signal_after(processes[0], b"ready", 0.2, signal.SIGINT, signal.SIGKILL) == -signal.SIGKILL
    assert signal_after(processes[1], b"ready", 0.2, signal.SIGINT, signal.SIGINT) != 0
    assert await_true(lambda: pids_with(tag) == []), pids_with(tag)


@pytest.mark.docker
def test_kill_9__of_ci_gate_leaves_no_container(engine, app_image, tmp_path):
    image = app_image()
    tags = [unique() for _ in CONTAINER_DELAYS_S]
    for number, (tag, delay_s) in enumerate(zip(tags, CONTAINER_DELAYS_S, strict=True)):
        process = drive(tag, tmp_path / str(number), "image", image)
        assert signal_after(process, b"starting", delay_s, signal.SIGKILL) == -signal.SIGKILL
    # Each watchdog is one of the tagged processes, and looks for some seconds.
    assert await_true(lambda: not any(pids_with(tag) for tag in tags), timeout_s=30)
    assert containers_of(engine, image) == []


@pytest.mark.docker
@pytest.mark.parametrize("delay_s", [0.1, 0.2, 1.0])
def test_interrupt__leaves_no_container(engine, app_image, tmp_path, delay_s):
    image, tag = app_image(), unique()
    process = drive(tag, tmp_path, "image", image, "1")
    assert signal_after(process, b"starting", delay_s, signal.SIGINT) != 0
    assert pids_with(tag) == []
    assert containers_of(engine, image) == []


def test_kill_9__of_ci_gate_ends_what_left_its_group_its_session_and_its_environment(tmp_path):
    name = unique()
    process = drive(name, tmp_path, "command", app_command("--hide", name))
    assert await_true(lambda: pids_running(f"hidden-{name}") != [])
    assert signal_after(process, b"ready", 0, signal.SIGKILL) == -signal.SIGKILL
    assert await_true(lambda: pids_running(name) == []), pids_running(name)


def test_kill_9__of_ci_gate_after_the_service_left_something_behind(tmp_path):
    name = unique()
    command = f"sh -c '{app_command('--hide', name, '--exit', '0')}; exec {app_command()}'"
    process = drive(name, tmp_path, "command", command)
    assert signal_after(process, b"ready", 0, signal.SIGKILL) == -signal.SIGKILL
    assert await_true(lambda: pids_running(name) == []), pids_running(name)
