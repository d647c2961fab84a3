"""What a service has used, with what ended in between, against what real processes used."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ci_gate.measure.usage import CpuTotal, GroupTotal, ProcessCpu, UsageMeter, read_cpu_of
from ci_gate.service.guard.process_group import find_below

# Each child burns as much CPU as it says, and is awaited; a line tells of each.
BURNS_IN_CHILDREN = """
import os, sys, time
def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end: pass
print("ready", flush=True)
for seconds in (0.3, 0.01, 0.2):
    sys.stdin.readline()
    child = os.fork()
    if child == 0:
        burn(seconds)
        os._exit(0)
    os.waitpid(child, 0)
    burn(0.05)
    print("burnt", flush=True)
sys.stdin.readline()
"""


def cpu(own_s, awaited_s=0.0):
    return ProcessCpu(own_s=own_s, awaited_s=awaited_s)


def total_of(*readings):
    total = CpuTotal()
    return [total.add(reading) for reading in readings][-1]


def test_processes__count_from_the_first_look_on():
    assert total_of({1: cpu(50.0)}, {1: cpu(50.5)}) == 0.5


def test_process__that_is_born_counts_whole():
    assert total_of({1: cpu(5)}, {1: cpu(5), 2: cpu(0.75)}) == 0.75


def test_process__that_ended_counts_what_its_parent_was_told_and_no_more():
    assert total_of({1: cpu(5)}, {1: cpu(5), 2: cpu(0.5)}, {1: cpu(5, awaited_s=0.75)}) == 0.75


def test_process__that_lived_and_ended_between_two_looks_counts():
    assert total_of({1: cpu(5)}, {1: cpu(5, awaited_s=0.25)}) == 0.25


def test_process__that_nobody_awaited_keeps_what_was_counted():
    assert total_of({1: cpu(5), 2: cpu(1)}, {1: cpu(5), 2: cpu(1.5)}, {1: cpu(5)}) == 0.5


def test_process__that_was_missed_once_does_not_count_twice():
    readings = {1: cpu(5), 2: cpu(1)}, {1: cpu(5)}, {1: cpu(5), 2: cpu(1.25)}
    assert total_of(*readings) == 0.25


def test_process__with_the_id_of_one_that_ended_is_another():
    assert total_of({1: cpu(5), 2: cpu(9)}, {1: cpu(5), 2: cpu(0.5)}) == 0.5


def test_group__that_begins_anew_counts_from_zero():
    total = GroupTotal()
    assert [total.add(seconds) for seconds in (7.0, 7.5, 0.25)] == [0, 0.5, 0.75]


def test_service__with_children_that_come_and_go(tmp_path):
    command = [sys.executable, "-c", BURNS_IN_CHILDREN]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        meter = UsageMeter()
        assert process.stdout.readline() == "ready\n"
        readings = [meter.read(read_cpu_of(find_below(process.pid)), None)]
        for _ in range(3):
            process.stdin.write("go\n")
            process.stdin.flush()
            assert process.stdout.readline() == "burnt\n"
            readings.append(meter.read(read_cpu_of(find_below(process.pid)), None))
        process.stdin.close()
    assert readings[0].cpu_s == 0
    assert readings[-1].cpu_s == pytest.approx(0.66, abs=0.06)  # and some for forking; ticks are 10 ms
    assert all(1e6 < reading.memory_bytes < 100e6 for reading in readings)


def test_no_process__nothing_is_known():
    usage = UsageMeter().read(read_cpu_of([2**22 + 1]), None)
    assert (usage.cpu_s, usage.memory_bytes) == (None, None)
