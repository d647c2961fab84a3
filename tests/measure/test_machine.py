from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from ci_gate.evidence.readings import MachineReading
from ci_gate.evidence.strict_json import read_lines
from ci_gate.measure.machine import Counters, MachineMeter
from ci_gate.service.environment import ServiceContext
from ci_gate.service.guard.process_group import read_stat
from ci_gate.service.guard.watchdog import Watchdog
from ci_gate.service.start import start_service
from ci_gate.thresholds import Ready
from tests.images import build, connect_engine, python_image
from tests.service.services import app_command, await_true, make_service

FORKS_TWICE = "import os\nif os.fork(): os.fork()\nprint(flush=True)\nwhile True: pass"
SLEEPS = "import time; print(flush=True); time.sleep(60)"
SERVES_AND_BURNS = """
import http.server, os
if os.fork() == 0:
    while True: pass
http.server.test(http.server.SimpleHTTPRequestHandler, port=8000)
"""


class Processes:
    """A service of processes that this test started."""

    is_container = False
    own_port = None

    def __init__(self, *pids):
        self.pids = pids

    def ended(self):
        return None

    def restarts(self):
        return None

    def process_ids(self):
        return self.pids


def test_counter__that_fell_has_not_risen():
    counters = Counters()
    assert counters.rise_to({1: 5.0, 2: 7.0}) == [0, 0]
    assert counters.rise_to({1: 6.0, 2: 3.0, 3: 9.0}) == [1, 0, 0]  # another process has the second's id now


def await_lines(process, count):
    """Each of its processes has begun."""
    for _ in range(count):
        assert process.stdout.readline()


def read_after(path, meter, *pauses_s):
    for pause_s in pauses_s:
        time.sleep(pause_s)
        meter.take_reading()
    return read_lines(path, MachineReading)


def test_busiest__is_one_process_where_the_sum_is_of_all(tmp_path):
    path = tmp_path / "machine.jsonl"
    command = [sys.executable, "-c", FORKS_TWICE]
    with subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE) as process:
        try:
            await_lines(process, 3)
            with MachineMeter(path, Processes(process.pid)) as meter:
                first, second = read_after(path, meter, 0.3, 1)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    assert first.service_busiest_percent == first.service_cpu_percent == 0
    assert 0 < second.service_busiest_percent < 0.8 * second.service_cpu_percent
    assert second.service_busiest_percent >= second.service_cpu_percent / 3


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says so")
def test_waiting__is_what_another_process_takes_of_the_same_core(tmp_path):
    path = tmp_path / "machine.jsonl"
    core = min(os.sched_getaffinity(0))
    busy = f"import os; os.sched_setaffinity(0, {{{core}}}); print(flush=True)\nwhile True: pass"
    processes = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        for script in (busy, busy, SLEEPS)
    ]
    of_busy, of_idle = (Processes(process.pid) for process in (processes[0], processes[2]))
    try:
        with MachineMeter(path, of_busy) as busy_meter, MachineMeter(path, of_idle) as idle_meter:
            for process in processes:  # the first reading is of one that has begun
                await_lines(process, 1)
            for pause_s in (0, 1):
                time.sleep(pause_s)
                for meter in (busy_meter, idle_meter):
                    meter.take_reading()
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    *_, of_busy, of_idle = read_lines(path, MachineReading)
    assert of_busy.service_waited_s > 0.3
    assert of_idle.service_waited_s < 0.1


def test_waiting__of_no_process_is_unknown(tmp_path):
    path = tmp_path / "machine.jsonl"
    with MachineMeter(path, Processes()) as meter:
        (reading,) = read_after(path, meter, 0)
    assert reading.service_waited_s is None


@pytest.mark.parametrize("pids", [(), (2**22 - 1,)])
def test_no_process__nothing_is_known(tmp_path, pids):
    path = tmp_path / "machine.jsonl"
    with MachineMeter(path, Processes(*pids)) as meter:
        (reading,) = read_after(path, meter, 0)
    assert reading.service_busiest_percent is reading.service_cpu_percent is None
    assert reading.service_cpus is reading.service_throttled_s is None


def test_own_process__has_no_quota_unless_this_machine_gives_it_one(tmp_path):
    path = tmp_path / "machine.jsonl"
    with MachineMeter(path, Processes(os.getpid())) as meter:
        (reading,) = read_after(path, meter, 0.1)
    assert (reading.service_cpus is None) == (reading.service_throttled_s is None)


def test_reading__looks_at_the_processes_of_the_service_and_at_no_others(placement, watchdog, tmp_path):
    path, looked_at = tmp_path / "machine.jsonl", []
    watching = threading.Event()

    def note(event, arguments):
        if watching.is_set() and event in {"open", "os.listdir", "os.scandir"}:
            looked_at.extend(re.findall(r"^/proc/([0-9]+)", str(arguments[0])))

    sys.addaudithook(note)
    service = make_service("command", app_command("--fork", "2", "--detach"))
    with (
        start_service(service, placement, watchdog=watchdog) as running,
        MachineMeter(path, running) as meter,
    ):
        assert await_true(lambda: len(running.process_ids()) == 4)
        parents = {read_stat(pid).parent for pid in running.process_ids()}
        watching.set()
        try:
            meter.take_reading()
        finally:
            watching.clear()
        ours = {*running.process_ids(), *parents}
    assert set(map(int, looked_at)) <= ours | {pid for pid in map(int, looked_at) if read_stat(pid) is None}
    (reading,) = read_lines(path, MachineReading)
    assert reading.service_memory_bytes > 4 * 1024**2


def test_host__is_of_the_same_time_for_both_sides(tmp_path):
    path = tmp_path / "machine.jsonl"
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            with MachineMeter(path, Processes()) as base, MachineMeter(path, Processes()) as head:
                time.sleep(1)
                for meter in (base, head):
                    meter.take_reading()
        finally:
            process.kill()
    first, second = (reading.host_cpu_percent for reading in read_lines(path, MachineReading))
    assert first > 60 / os.cpu_count()
    assert abs(first - second) < 10


@pytest.mark.docker
def test_container__its_quota_and_how_long_it_held_back(tmp_path):
    placement = ServiceContext(
        side="head",
        repository=tmp_path,
        state_dir=tmp_path / "state",
        log_path=tmp_path / "service.log",
        environ=dict(os.environ),
    )
    tag = f"ci-gate-test-busy:{os.getpid()}"
    with connect_engine() as engine, Watchdog() as watchdog:
        dockerfile = f'FROM {python_image()}\nCOPY burn.py /\nCMD ["python3", "/burn.py"]\n'
        build(engine, {"Dockerfile": dockerfile, "burn.py": SERVES_AND_BURNS}, tag)
        try:
            service = make_service("image", tag, ready=Ready(path="/"), cpus=0.25)
            with start_service(service, placement, watchdog=watchdog) as running:
                path = tmp_path / "machine.jsonl"
                with MachineMeter(path, running) as meter:
                    read_after(path, meter, 0, 1)
                    # Others on this machine may leave it less than its quota, and then nothing is held back.
                    assert await_true(lambda: read_after(path, meter, 1)[-1].service_throttled_s > 0.05)
                    *_, before, last = read_lines(path, MachineReading)
        finally:
            engine.images.remove(tag, force=True)
    # Of its group.
    assert 0.02 < (last.service_cpu_s - before.service_cpu_s) / (last.wall_s - before.wall_s) < 0.35
    assert 1e6 < last.service_memory_bytes < 100e6
    for reading in (before, last):
        assert reading.service_cpus == 0.25
        assert reading.service_cpu_percent < 60
