from __future__ import annotations

import math
import threading
import time

import pytest
import redis

from ci_gate.evidence.readings import ProbeReading
from ci_gate.evidence.strict_json import read_lines
from ci_gate.measure.probes import ProbeTargets, probing, redis_info, run_probes
from ci_gate.measure.probes.probing import Prober
from tests.leftovers import find_files_and_threads, nothing_left
from tests.service.services import await_true


class Scripted:
    """A probe that does in turn what ``reads`` says: values, an error, seconds or an event to await."""

    def __init__(self, *reads):
        self.reads = list(reads)
        self.calls = []

    def read(self):
        self.calls.append("read")
        step = self.reads.pop(0) if len(self.reads) > 1 else self.reads[0]
        if isinstance(step, Exception):
            raise step
        if isinstance(step, float):
            time.sleep(step)
        if isinstance(step, threading.Event):
            step.wait(60)
        return {"commits": 1.0, **(step if isinstance(step, dict) else {})}

    def finish(self):
        self.calls.append("finish")

    def disconnect(self):
        self.calls.append("disconnect")


def run(folder, probe, count, secret=""):
    """Its first ``count`` readings at least."""
    prober = Prober("postgres", probe, secret, folder)
    lines = folder / "probes.jsonl"
    assert await_true(lambda: len(read_lines(lines, ProbeReading)) >= count, 60)
    prober.stop()
    prober.await_end(60)
    return read_lines(lines, ProbeReading)


@pytest.fixture
def fast(monkeypatch):
    monkeypatch.setattr(probing, "INTERVAL_S", 0.1)


def test_prober__reads_once_a_second_and_ends_well(tmp_path):
    probe = Scripted({})
    began_s = time.time()
    readings = run(tmp_path, probe, 3)
    assert probe.calls == [*["read"] * len(readings), "finish"]
    assert all(reading.wall_s - began_s >= number for number, reading in enumerate(readings))
    assert {(each.probe, each.error, each.values["commits"]) for each in readings} == {("postgres", "", 1.0)}
    assert all(each.took_ms < 900 for each in readings)


def test_prober__failure_is_a_reading_and_the_next_one_connects_again(tmp_path, fast):
    probe = Scripted(OSError("gone, postgresql://clerk:tell-nobody@db"), {})
    readings = run(tmp_path, probe, 3, "postgresql://clerk:tell-nobody@db")
    assert probe.calls[:3] == ["read", "disconnect", "read"]
    assert (readings[0].error, readings[0].values) == ("gone, ***", {})
    assert [each.error for each in readings[1:]] == [""] * (len(readings) - 1)
    assert len(readings) >= 3


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 1e300])
def test_prober__a_value_that_could_not_be_read_back_is_an_error(tmp_path, value):
    readings = run(tmp_path, Scripted({"queue": value}), 1)
    assert (readings[0].values, readings[0].error[:9]) == ({}, "queue is ")


def test_prober__server_that_stays_away_is_asked_less_and_less_often(tmp_path, fast):
    began_s = time.time()
    readings = run(tmp_path, Scripted(TimeoutError()), 5)
    for reading, tenths in zip(readings, (0, 1, 3, 7, 15), strict=False):
        assert reading.wall_s - began_s >= tenths / 10
    assert {each.error for each in readings} == {"TimeoutError"}


def test_prober__missed_beats_are_not_caught_up(tmp_path, fast):
    began_s = time.time()
    readings = run(tmp_path, Scripted(0.6, {}), 5)
    for number, reading in enumerate(readings[1:]):  # at 0.6, 0.7 ... and not five at once
        assert reading.wall_s - began_s >= 0.6 + number / 10
    assert readings[0].took_ms > 600


def test_prober__that_hangs_delays_the_end_by_its_bound_only(tmp_path, monkeypatch):
    monkeypatch.setattr(probing, "END_TIMEOUT_S", 0.3)
    answer = threading.Event()
    monkeypatch.setattr(redis_info, "RedisProbe", lambda _url: Scripted(answer))
    with run_probes(ProbeTargets(addresses={"redis": "redis://127.0.0.1"}), tmp_path):
        time.sleep(0.1)
        began = time.monotonic()
    assert time.monotonic() - began < 30  # the answer would take twice as long
    answer.set()
    assert await_true(lambda: not find_threads(), 30)


def find_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("probe ")]


def test_run_probes__an_interrupt_ends_them(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        interrupt(tmp_path)
    assert find_threads() == []


def interrupt(folder):
    targets = ProbeTargets(metrics_url="http://127.0.0.1:1/metrics", metrics=(("requests", "x"),))
    with run_probes(targets, folder):
        assert len(find_threads()) == 1
        raise KeyboardInterrupt


def test_run_probes__nothing_to_probe_leaves_no_file(tmp_path):
    with run_probes(ProbeTargets(), tmp_path):
        assert find_threads() == []
    assert list(tmp_path.iterdir()) == []


def test_run_probes__what_is_off_is_in_the_log(tmp_path):
    with run_probes(ProbeTargets(off=("probes.postgres is off: why",)), tmp_path):
        pass
    assert (tmp_path / "probes.log").read_text().endswith("Z probes.postgres is off: why\n")


@pytest.mark.redis
def test_run_probes__server_that_dies_leaves_errors(tmp_path, redis_url, fast):
    with (
        redis.Redis.from_url(redis_url) as client,
        run_probes(ProbeTargets(addresses={"redis": redis_url}), tmp_path),
    ):
        lines = tmp_path / "probes.jsonl"
        assert await_true(lambda: len(read_lines(lines, ProbeReading)) >= 3, 60)
        client.shutdown(nosave=True)
        assert await_true(lambda: "refused" in read_lines(lines, ProbeReading)[-1].error, 60)
    readings = read_lines(tmp_path / "probes.jsonl", ProbeReading)
    assert [bool(reading.error) for reading in readings] == sorted(bool(each.error) for each in readings)
    assert readings[0].error == ""
    assert "refused" in readings[-1].error


@pytest.mark.parametrize("fails", ["the next probe", "its thread"])
def test_run_probes__one_that_cannot_be_made_leaves_no_thread_and_no_file(tmp_path, monkeypatch, fails):
    first, second = Scripted({}), Scripted({})

    def make(*_args):
        yield "redis", first, ""
        if fails == "the next probe":
            raise OSError("as asked")
        monkeypatch.setattr(threading.Thread, "start", refuse)
        yield "service", second, ""

    def refuse(_thread):
        raise OSError("no more threads")

    monkeypatch.setattr(probing, "make_probes", make)
    with (
        nothing_left(find_files_and_threads),
        pytest.raises(OSError),  # noqa: PT011 - either of the two
        run_probes(ProbeTargets(), tmp_path),
    ):
        pytest.fail("began")
    assert first.calls[-1] == "finish"
    assert second.calls == ([] if fails == "the next probe" else ["finish"])
