from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from ci_gate.service.guard.process_group import (
    MARK_VARIABLE,
    ProcessGroup,
    end_groups,
    find_members,
    read_stat,
)
from tests.service.services import await_true, unique


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    started = []

    def run(code: str, **env: str) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-c", f"import os, signal, time; {code}"]
        started.append(subprocess.Popen(words, env={**os.environ, **env}, start_new_session=True))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()


def group_of(process: subprocess.Popen[bytes], **changes: object) -> ProcessGroup:
    return ProcessGroup(**({"pgid": process.pid, "started": read_stat(process.pid).started} | changes))


def test_read_stat__of_this_process():
    stat = read_stat(os.getpid())
    assert stat.state == "R"
    assert (stat.parent, stat.pgid, stat.session) == (os.getppid(), os.getpgrp(), os.getsid(0))


def test_read_stat__survives_brackets_and_spaces_in_a_name(start, tmp_path):
    program = tmp_path / "a) S 1 (b"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "60"], start_new_session=True) as process:
        try:
            assert await_true(lambda: read_stat(process.pid).pgid == process.pid)
            assert read_stat(process.pid).name == "a) S 1 (b"
        finally:
            process.kill()


def test_read_stat__of_no_process_is_none():
    with subprocess.Popen(["true"]) as process:
        process.wait()
    assert read_stat(process.pid) is None


def test_find_members__does_not_count_zombies(start):
    process = start("os._exit(0)")
    assert await_true(lambda: read_stat(process.pid).state == "Z")
    assert find_members(group_of(process)) == {}


def test_find_members__of_a_number_that_somebody_else_got_are_none(start):
    process = start("time.sleep(60)")
    ours = group_of(process)
    assert tuple(find_members(ours)) == (process.pid,)
    assert find_members(group_of(process, started=ours.started - 1)) == {}


def test_find_members__by_mark_in_another_session(start):
    mark = unique()
    process = start("os.fork() or os.setsid(); time.sleep(60)", **{MARK_VARIABLE: mark})
    assert await_true(lambda: len(find_members(ProcessGroup(mark=mark))) == 2)
    assert find_members(ProcessGroup(mark=mark[:-1])) == {}
    assert find_members(ProcessGroup()) == {}
    assert process.pid in find_members(ProcessGroup(mark=mark))


def test_end_groups__leaves_others_alone(start):
    ours, other = start("time.sleep(60)"), start("time.sleep(60)")
    assert end_groups(group_of(ours), grace_s=5) == ()
    assert ours.wait(30) == -15
    assert other.poll() is None
    assert end_groups(group_of(other, started=1), grace_s=0) == ()
    assert other.poll() is None


def test_end_groups__lets_a_process_end_in_its_own_way(start, tmp_path):
    flag = tmp_path / "flag"
    process = start(
        f"signal.signal(15, lambda *_: (time.sleep(0.2), open({str(flag)!r}, 'w').close(), os._exit(5)));"
        f"open({str(flag)!r} + '.ready', 'w').close(); time.sleep(60)"
    )
    assert await_true(lambda: flag.with_name("flag.ready").exists())
    assert end_groups(group_of(process), grace_s=5) == ()
    assert process.wait(30) == 5
    assert flag.exists()


def test_end_groups__waits_once_for_all_of_them(start, tmp_path):
    flags = [tmp_path / f"{number}" for number in range(4)]
    code = "signal.signal(15, signal.SIG_IGN); open({!r}, 'w').close(); time.sleep(60)"
    processes = [start(code.format(str(flag))) for flag in flags]
    assert await_true(lambda: all(flag.exists() for flag in flags))
    started = time.monotonic()
    assert end_groups(*map(group_of, processes), grace_s=3) == ()
    assert time.monotonic() - started < 4 * 3
    assert {process.wait(30) for process in processes} == {-9}
