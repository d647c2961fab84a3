"""Who else uses the machine: real processes, of this session and of others."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from ci_gate.measure.foreign import SERVERS, ForeignMeter
from tests.burning import burning

pytestmark = pytest.mark.others


def measure(meter, roots=()):
    """What it says of a second, after the looks that let it know."""
    for wait_s in (0.3, 1.0):
        meter.read(roots)
        time.sleep(wait_s)
    return {process.name: process.cores for process in meter.read(roots).processes}


def test_foreign__is_what_processes_of_other_sessions_use():
    with (
        burning("burner", detached=False),
        burning("foreigner", detached=True),
        burning("foreigner", detached=True),
    ):
        meter = ForeignMeter()
        cores = measure(meter)
    assert 0.05 < cores["foreigner"] < os.cpu_count()  # two of them share the machine with all that runs
    assert "burner" not in cores


@pytest.mark.parametrize("name", ["foreigner", "redis-server"])
def test_ours__is_what_descends_from_a_root_and_what_may_work_for_the_service(name):
    with contextlib.ExitStack() as stack:
        for _ in range(4):  # so that they are among those that took most, whatever else runs
            stack.enter_context(burning("other", detached=True))
        pid = stack.enter_context(burning(name, detached=True))
        cores = measure(ForeignMeter(), roots=[] if name in SERVERS else [pid])
    assert "other" in cores
    assert name not in cores


IN_A_CONTAINER = """
from tests.burning import burning
from tests.measure.test_foreign import measure
from ci_gate.measure.foreign import ForeignMeter

with burning("burner", detached=False), burning("foreigner", detached=True):
    print(*measure(ForeignMeter()))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a process the first of a namespace")
def test_foreign__is_what_init_took_in_where_init_is_of_this_session():
    command = ["sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-c", IN_A_CONTAINER]
    done = subprocess.run(
        ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", *command],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["foreigner"]


def test_first_look__knows_nothing_of_a_busy_machine():
    with burning("foreigner", detached=True):
        meter = ForeignMeter()
        time.sleep(0.5)
        assert meter.read(()) is None


AWAITS = """
import os, sys, time
if os.fork() == 0:
    open("/proc/self/comm", "w").write("redis-server")
    while time.process_time() < 0.5 * os.cpu_count():
        pass
    print(os.getpid(), os.getppid(), flush=True)
    time.sleep(60)
os.wait()
print("awaited", flush=True)
time.sleep(60)
"""


def test_foreign__is_no_more_than_the_machine_did():
    """A server ends that somebody else awaits: all that it ever used is then counted of that one, at once."""
    command = ["setsid", "--fork", sys.executable, "-c", AWAITS]
    with (
        burning("foreigner", detached=True),
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,
    ):
        server, parent = map(int, process.stdout.readline().split())
        try:
            meter = ForeignMeter()
            for _ in range(2):
                meter.read(())
                time.sleep(0.3)
            os.kill(server, signal.SIGKILL)
            assert process.stdout.readline() == "awaited\n"
            assert meter.read(()).cores < os.cpu_count() + 0.5  # of clocks that tick
        finally:
            os.kill(parent, signal.SIGKILL)
