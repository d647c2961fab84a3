"""Live progress counts what the verdict will count, whatever the scenario's code says of a reply."""

from __future__ import annotations

import functools
import time

import pytest

from ci_gate.evidence.readings import Mark
from ci_gate.evidence.recording import LineWriter
from ci_gate.evidence.samples import ENDED_BY_CHECK, ENDED_WELL, SampleWriter
from ci_gate.judge.steady import find_successes
from ci_gate.measure.live import RecordingTail
from ci_gate.thresholds import Accepted, Position

ACCEPT = (Accepted(endpoint="GET /a", statuses=(404,), at=Position(line=1, column=1)),)


@pytest.fixture
def writer(tmp_path):
    writer = SampleWriter(tmp_path)
    yield writer
    writer.close()


def write(writer, count, endpoint, status, ending=ENDED_WELL, response_ms=5.0):
    number = writer.string_id(endpoint)
    for each in range(count):
        at_s = 1000.0 + each / 10
        writer.write(at_s, at_s, response_ms, 100, number, 0, 0, 0, status, 0, ending)


def follow(folder):
    return RecordingTail(folder, functools.partial(find_successes, accept=ACCEPT))


def test_progress__a_404_that_the_script_calls_a_success_is_a_failure(tmp_path, writer):
    write(writer, 50, "GET /b", 404)
    progress = follow(tmp_path).read()
    assert (progress.requests, progress.failures) == (50, 50)
    assert (progress.rate_per_s, progress.p95_ms) == (None, None)  # of successes, as in the verdict


def test_progress__a_status_that_accept_lists_is_a_success_there_only(tmp_path, writer):
    tail = follow(tmp_path)
    write(writer, 30, "GET /a", 404)
    assert tail.read().failures == 0
    write(writer, 20, "GET /b", 404)
    write(writer, 10, "GET /c", 200, ENDED_BY_CHECK)
    write(writer, 10, "GET /c", 200, response_ms=80.0)
    progress = tail.read()
    assert (progress.requests, progress.failures) == (70, 30)
    assert progress.p95_ms == pytest.approx(80)


def test_progress__reads_each_text_once(tmp_path, writer):
    tail = follow(tmp_path)
    for number in range(3):
        write(writer, 1, f"GET /{number}", 200)
        assert tail.read().requests == number + 1
    assert tail.read().failures == 0


@pytest.mark.parametrize(
    ("marks", "successes", "expected_s"),
    [
        ({}, {}, 0),
        ({"started": 60}, {"GET /a": 50}, 0),  # before the phase, what fails may be as it warms up
        ({"started": 60, "steady": 30}, {}, 30),
        ({"started": 60, "steady": 30}, {"GET /a": 40}, 30),
        ({"started": 60, "steady": 30}, {"GET /a": 12}, 12),
        ({"started": 60, "steady": 30, "stopping": 1}, {"GET /a": 12}, 0),
    ],
)
def test_no_success__is_counted_from_the_last_or_from_the_begin_of_the_phase(
    tmp_path, writer, marks, successes, expected_s
):
    now_s = time.time()
    with LineWriter(tmp_path / "marks.jsonl") as lines:
        for name, ago_s in marks.items():
            lines.write(Mark(name=name, wall_s=now_s - ago_s, monotonic_s=time.monotonic() - ago_s))
    for endpoint, ago_s in successes.items():
        at_s = now_s - ago_s
        writer.write(at_s, at_s, 5.0, 100, writer.string_id(endpoint), 0, 0, 0, 200, 0, ENDED_WELL)
    write(writer, 5, "GET /b", 500)
    tail = follow(tmp_path)
    assert tail.read().failures == tail.failures == 5
    assert tail.no_success_for_s == pytest.approx(expected_s, abs=1)
    assert tail.is_steady_reached is ("steady" in marks)


def test_progress__is_of_all_processes_of_one_recording(tmp_path, writer):
    """Each names its texts by numbers of its own."""
    tail = follow(tmp_path)
    workers = []
    for number in (1, 2):
        folder = tmp_path / f"worker-{number}"
        folder.mkdir()
        workers.append(SampleWriter(folder))
        for text in range(number):
            workers[-1].string_id(f"text {text}")
        write(workers[-1], 10 * number, f"GET /{number}", 200)
        write(workers[-1], 5, "GET /a", 404)
        write(workers[-1], 3, "GET /b", 404)
    progress = tail.read()
    assert (progress.requests, progress.failures) == (46, 6)
    assert tail.called == {"GET /1", "GET /2", "GET /a", "GET /b"}
    write(workers[0], 4, "GET /c", 404)
    assert (tail.read().requests, tail.failures) == (50, 10)
    for each in workers:
        each.close()
