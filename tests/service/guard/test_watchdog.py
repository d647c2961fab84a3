from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from ci_gate.errors import OutsideError
from ci_gate.service.guard.process_group import MARK_VARIABLE, read_stat
from ci_gate.service.guard.watchdog import Watchdog, read_guards
from tests.service.services import await_true, pids_with, unique

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def tag() -> Iterator[str]:
    text = unique()
    yield text
    assert pids_with(text) == []


def start(tag: str, mark: str = "") -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        SLEEP, env={**os.environ, "TEST_TAG": tag, MARK_VARIABLE: mark}, start_new_session=True
    )


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def test_watchdog__ends_a_guarded_group_when_left(tag):
    with Watchdog() as watchdog:
        process = start(tag)
        watchdog.guard_process_group(process.pid)
        assert process.poll() is None
    assert process.wait(30) == -15


def test_watchdog__leaves_what_was_released(tag):
    with Watchdog() as watchdog:
        process = start(tag)
        guard = watchdog.guard_process_group(process.pid)
        watchdog.release(guard)
        watchdog.release(guard)
    assert process.poll() is None
    end(process)


def test_watchdog__ends_what_is_marked_before_it_starts(tag):
    with Watchdog() as watchdog:
        mark = unique()
        watchdog.guard_marked(mark)
        process, other = start(tag, mark), start(tag, f"{mark}x")
        # Before exec a child has its parent's environment.
        assert await_true(lambda: len(pids_with(tag)) == 2)
    assert process.wait(30) == -15
    assert other.poll() is None
    end(other)


def test_watchdog__that_was_killed_is_noticed_and_does_not_disturb_the_end(tag):
    with Watchdog() as watchdog:
        guard = watchdog.guard_container("a=b")  # it is up now
        os.kill(watchdog.pid, signal.SIGKILL)
        assert await_true(lambda: read_stat(watchdog.pid).state == "Z")
        watchdog.release(guard)
        with pytest.raises(OutsideError, match="the watchdog process has ended"):
            watchdog.guard_marked("y")


def test_watchdog__outlives_the_signals_of_a_terminal(tag):
    with Watchdog() as watchdog:
        process = start(tag)
        watchdog.guard_process_group(process.pid)
        assert os.getpgid(watchdog.pid) == watchdog.pid != os.getpgrp()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(watchdog.pid, number)
        time.sleep(0.1)
        watchdog.guard_marked("still listens")
    assert process.wait(30) == -15


def test_watchdog__outside_its_block_refuses_to_guard():
    watchdog = Watchdog()
    with pytest.raises(OutsideError, match="not running"):
        watchdog.guard_marked("x")


def test_watchdog__that_cannot_start_says_so(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("raise SystemExit(9)")
    with Watchdog({"PYTHONPATH": str(tmp_path)}) as watchdog:
        nobody = 2**22  # no process has such a number
        for guard in (
            lambda: watchdog.guard_process_group(nobody),
            lambda: watchdog.guard_container("a=b"),
            lambda: watchdog.guard_marked("x"),
            lambda: watchdog.temporary_folder("kept-").__enter__(),
        ):
            with pytest.raises(OutsideError, match="did not start"):
                guard()


def test_watchdog__that_ends_slowly_without_having_started_takes_nothing(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import os, time; os.close(1); time.sleep(60)")
    with Watchdog({"PYTHONPATH": str(tmp_path)}) as watchdog:
        for guard in (lambda: watchdog.guard_container("a=b"), lambda: watchdog.guard_marked("x")):
            with pytest.raises(OutsideError, match="did not start"):
                guard()


def test_watchdog__costs_little_to_start():
    with Watchdog() as watchdog:
        watchdog.guard_container("a=b")  # it is up now
        times = psutil.Process(watchdog.pid).cpu_times()
    assert times.user + times.system < 0.5


def test_watchdog__of_a_parent_killed_with_sigkill_ends_its_group(tag):
    code = (
        "import os, subprocess, sys, time\n"
        "from ci_gate.service.guard.watchdog import Watchdog\n"
        "with Watchdog() as watchdog:\n"
        "    child = subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
        "    watchdog.guard_process_group(child.pid)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "TEST_TAG": tag}, timeout=20, check=False
    )
    assert done.returncode == -9
    assert await_true(lambda: pids_with(tag) == [])


def test_read_guards__keeps_what_was_not_released():
    lines = [
        b'{"guard": 1, "mark": "a"}',
        b'{"guard": 2, "label": "b=c"}',
        b'{"release": 1}',
        b'{"release": 7}',
    ]
    assert read_guards(lines) == ({"guard": 2, "label": "b=c"},)


@pytest.mark.parametrize("ends", ["is left", "is killed"])
def test_temporary_folder__goes_with_its_process_and_no_other_does(tmp_path, ends):
    others = tmp_path / "kept-others"
    others.mkdir()
    code = (
        "import os, sys\n"
        "from ci_gate.service.guard.watchdog import Watchdog\n"
        "with Watchdog() as watchdog, watchdog.temporary_folder('kept-') as folder:\n"
        "    (folder / 'shut').mkdir()\n"
        "    (folder / 'shut' / 'file').touch()\n"
        "    (folder / 'shut').chmod(0)\n"
        f"    (folder / 'link').symlink_to({str(others)!r})\n"
        "    print(folder.name, oct(folder.stat().st_mode & 0o777), flush=True)\n"
        f"    {ends == 'is killed'} and os.kill(os.getpid(), 9)\n"
    )
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, timeout=20, check=False, stdout=subprocess.PIPE, text=True
    )
    name, mode = done.stdout.split()
    assert (name[:5], mode) == ("kept-", "0o700")
    assert await_true(lambda: list(tmp_path.iterdir()) == [others])


def test_temporary_folder__that_cannot_be_made_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with Watchdog() as watchdog, pytest.raises(OutsideError, match="cannot make the folder"):
        watchdog.temporary_folder("kept-").__enter__()


def test_watchdog__takes_secrets_out_of_the_logs_of_a_process_that_was_killed(tmp_path):
    log, released = tmp_path / "service.log", tmp_path / "released.log"
    code = (
        "import os, pathlib, sys\n"
        "from ci_gate.addresses import keep_secret\n"
        "from ci_gate.service.guard.watchdog import Watchdog\n"
        "with Watchdog() as watchdog:\n"
        "    keep_secret('of-head-only', 'x' * 5000)\n"
        "    watchdog.release(watchdog.guard_log(pathlib.Path(sys.argv[2])))\n"
        "    keep_secret('of-base-only')  # which is known later\n"
        "    watchdog.guard_log(pathlib.Path(sys.argv[1]))\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    for path in (log, released):
        path.write_text("of-head-only and of-base-only\n")
    subprocess.run([sys.executable, "-c", code, str(log), str(released)], check=False, timeout=60)
    assert await_true(lambda: log.read_text() == "*** and ***\n")
    assert released.read_text() == "of-head-only and of-base-only\n"
