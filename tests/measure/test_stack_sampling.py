"""py-spy beside a process: what it shows of it, and what is told where it shows nothing."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from ci_gate.errors import OutsideError
from ci_gate.evidence.stacks import STACKS_CPU, STACKS_WALL, read_stacks
from ci_gate.judge.code.attribution import count_samples
from ci_gate.measure.stack_sampling import StackSampling, find_sampler

BUSY = """
import threading, time

def wait(lock):
    with lock:
        pass

def burn():
    ends_s = time.monotonic() + 60
    while time.monotonic() < ends_s:
        sum(range(1000))

lock = threading.Lock()
lock.acquire()
threading.Thread(target=wait, args=(lock,), daemon=True).start()
burn()
"""


@contextlib.contextmanager
def running(*words, folder):
    """A service that is only looked into; it has a process above it, as one that a shell starts."""
    process = subprocess.Popen(words, cwd=folder)
    try:
        yield SimpleNamespace(
            process_ids=lambda: (process.pid,),
            is_container=False,
            placement=SimpleNamespace(repository=folder),
        )
    finally:
        process.kill()
        process.wait()


def sample(service, folder):
    """What is in the folder after it."""
    temporary = folder / "temporary"
    temporary.mkdir()
    sampling = StackSampling(find_sampler(), service, folder, temporary, lasts_s=2)
    with contextlib.closing(sampling):
        while not sampling.is_over():
            time.sleep(0.1)
        sampling.keep()
    return read_stacks(folder)


def test_stacks__of_a_process_and_those_below_it_are_written(tmp_path):
    (tmp_path / "busy.py").write_text(BUSY)
    with running("sh", "-c", f"{sys.executable} busy.py; true", folder=tmp_path) as service:
        time.sleep(1)
        stacks = sample(service, tmp_path)
    on_cpu, wall = (count_samples(stacks[name]) for name in (STACKS_CPU, STACKS_WALL))
    own = {each: count for each, count in zip(on_cpu.functions, on_cpu.own.sum(axis=0), strict=True) if count}
    assert [(each.name, each.file) for each in own] == [("burn", "busy.py")]
    (waiting,) = (place for place, each in enumerate(wall.functions) if each.name == "wait")
    assert wall.own[:, waiting].sum() >= 0.9 * wall.ticks


def test_process__that_is_no_python_is_told(tmp_path):
    with (
        running("sleep", "60", folder=tmp_path) as service,
        pytest.raises(OutsideError, match="found no Python in the service"),
    ):
        sample(service, tmp_path)


def test_service__whose_processes_are_not_known_is_told(tmp_path):
    service = SimpleNamespace(process_ids=lambda: (), is_container=False, placement=None)
    with pytest.raises(OutsideError, match="processes of the service are not known"):
        StackSampling(find_sampler(), service, tmp_path, tmp_path)
