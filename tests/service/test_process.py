"""What a guarded process reads: what it is given, or nothing."""

from __future__ import annotations

import os
import sys

import pytest

from ci_gate.service.log import open_log
from ci_gate.service.process import Command, start_process
from tests.leftovers import find_files_and_threads, nothing_left

READ = "import sys; print(repr(sys.stdin.read()))"


def make_command(folder, **changes) -> Command:
    return Command(
        words=(sys.executable, "-c", READ),
        env=os.environ,
        cwd=folder,
        log=open_log(folder / "log"),
        grace_s=1.0,
        **changes,
    )


@pytest.mark.parametrize("text", [b"http://user:secret@127.0.0.1:8000", b"x" * 200_000])
def test_input__is_what_it_is_given(tmp_path, watchdog, text):
    with start_process(make_command(tmp_path, reads_input=True), watchdog) as process:
        assert process.wait(0.3) is None  # it waits for it
        process.write_input(text)
        assert process.wait(30) == 0
    assert (tmp_path / "log").read_text().splitlines()[0] == repr(text.decode())


def test_input__ends_where_nothing_is_given(tmp_path, watchdog):
    with start_process(make_command(tmp_path), watchdog) as process:
        process.write_input(b"for nobody")
        assert process.wait(30) == 0
    assert (tmp_path / "log").read_text().splitlines()[0] == "''"


def test_input__of_one_that_has_ended_goes_nowhere(tmp_path, watchdog):
    command = make_command(tmp_path, reads_input=True)
    with start_process(command, watchdog) as process:
        os.kill(process.pid, 9)
        assert process.wait(30) == -9
        process.write_input(b"too late")


def test_input__leaves_no_file_open(tmp_path, watchdog):
    with nothing_left(find_files_and_threads):
        for number in range(3):
            (tmp_path / str(number)).mkdir()
            with start_process(make_command(tmp_path / str(number), reads_input=True), watchdog):
                pass  # nothing is written
