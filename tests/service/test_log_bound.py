"""A service that prints without end fills no disk and waits for nobody; its log keeps both ends."""

from __future__ import annotations

import re

import pytest

from ci_gate.service import log_bound
from ci_gate.service.log import open_log
from ci_gate.service.log_bound import KEPT_BYTES, keep_bounded
from ci_gate.service.reset import run_before_each
from ci_gate.service.start import start_service
from tests.leftovers import find_files_and_threads, nothing_left
from tests.service.services import app_command, await_true, make_service

MIB = 1024**2
LEFT_OUT = re.compile(rb"\n\[ci-gate left out ([0-9,]+) bytes here\]\n")


def refuse(*_):
    raise OSError(95, "not supported")


def write_slowly(path, mib):
    with path.open("ab", 0) as file:
        for number in range(mib):
            file.write(bytes([number]) * MIB)
            assert await_true(lambda: path.stat().st_blocks * 512 <= 2 * KEPT_BYTES + 2 * MIB, 30)


@pytest.mark.parametrize("has_holes", [True, False])
def test_log__takes_little_of_the_disk_while_it_grows(tmp_path, monkeypatch, has_holes):
    if not has_holes:
        monkeypatch.setattr(log_bound, "punch_hole", refuse)
    path = tmp_path / "service.log"
    path.write_bytes(b"an earlier start")
    with nothing_left(find_files_and_threads), keep_bounded(open_log(path)):
        write_slowly(path, 20)
    kept = path.read_bytes()
    head, count, tail = LEFT_OUT.split(kept)
    assert head == b"an earlier start" + b"".join(bytes([number]) * MIB for number in range(4))
    assert tail.endswith(bytes([19]) * MIB)
    assert len(head) + int(count.replace(b",", b"")) + len(tail) == 16 + 20 * MIB
    assert len(tail) == KEPT_BYTES or not has_holes


def test_log__that_is_short_stays_as_it_is(tmp_path):
    path = tmp_path / "service.log"
    text = b"x" * (2 * KEPT_BYTES)
    with keep_bounded(open_log(path)):
        path.write_bytes(text)
    assert path.read_bytes() == text


def test_service__that_prints_much_starts_and_shows_what_it_said_last(placement, watchdog):
    service = make_service("command", app_command("--chatter-mib", "64", "--say", "hello"))
    with start_service(service, placement, watchdog=watchdog) as running:
        assert running.log_tail().endswith("\nsent all 2 bytes")
        assert await_true(lambda: running.log.path.stat().st_blocks * 512 <= 2 * KEPT_BYTES + MIB)
        assert running.log_tail().endswith("\nsent all 2 bytes")
    kept = running.log.path.read_bytes()
    assert kept.startswith(b"hello\n00000000 ")
    assert kept.endswith(b"sent all 2 bytes\n")
    assert len(LEFT_OUT.split(kept)) == 3
    assert len(kept) < 2 * KEPT_BYTES + 100


def test_before_each__that_prints_much_is_kept_short_too(placement, watchdog):
    before_each = app_command("--chatter-mib", "16", "--exit", "0")
    service = make_service("command", app_command(), before_each=before_each)
    with start_service(service, placement, watchdog=watchdog) as running:
        run_before_each(running, watchdog=watchdog)
    kept = placement.log_path.with_name("head.before_each.log").read_bytes()
    assert len(LEFT_OUT.split(kept)) == 3
    assert len(kept) < 2 * KEPT_BYTES + 100
