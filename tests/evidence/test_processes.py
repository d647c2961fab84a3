"""The files of several processes of Locust, read back as one recording."""

from __future__ import annotations

import os

import numpy as np

from ci_gate.evidence.readings import Mark
from ci_gate.evidence.recording import LineWriter, read_recording
from ci_gate.evidence.samples import ENDED_DAMAGED, ENDED_WELL, SampleWriter
from ci_gate.evidence.strict_json import read_lines


def write(writer, endpoint, starts_s):
    number, user_class = writer.string_id(endpoint), writer.string_id("Visitor")
    for start_s in starts_s:
        writer.write(start_s, start_s, 5.0, 100, number, 0, 0, user_class, 200, 0, ENDED_WELL)


def make_worker(folder, number):
    own = folder / f"worker-{number}"
    own.mkdir()
    return SampleWriter(own)


def test_recording__has_the_rows_of_all_processes_by_their_end(tmp_path):
    SampleWriter(tmp_path).close()
    first, second = make_worker(tmp_path, 1), make_worker(tmp_path, 2)
    write(first, "GET /a", (1.0, 3.0))
    write(first, "GET /b", (5.0,))
    write(second, "GET /b", (2.0,))
    write(second, "GET /a", (4.0,))
    first.close()
    second.close()
    recording = read_recording(tmp_path)
    endpoints = [recording.strings[number] for number in recording.samples["endpoint"]]
    assert recording.samples["start_s"].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert endpoints == ["GET /a", "GET /b", "GET /a", "GET /a", "GET /b"]
    assert {recording.strings[number] for number in recording.samples["user_class"]} == {"Visitor"}
    assert [worker.number for worker in recording.workers] == [1, 2]
    assert recording.workers[0].totals is None


def test_recording__of_processes_that_were_killed_has_what_they_wrote(tmp_path):
    """Also a row that is not whole, and a worker that has written nothing but its files."""
    writers = [SampleWriter(tmp_path), make_worker(tmp_path, 1), make_worker(tmp_path, 2)]
    write(writers[1], "GET /a", (1.0, 2.0))
    writers[1].write(9.0, 9.0, 5.0, 100, 77, 0, 0, 1, 200, 0, ENDED_WELL)  # names no text
    with LineWriter(tmp_path / "worker-1" / "marks.jsonl") as marks:
        marks.write(Mark(name="started", wall_s=1.0, monotonic_s=1.0))
    recording = read_recording(tmp_path)
    assert sorted(recording.samples["start_s"].tolist()) == [0.0, 1.0, 2.0]
    assert int((recording.samples["ending"] == ENDED_DAMAGED).sum()) == 1
    assert len(recording.workers) == 2
    for writer in writers:
        writer.close()


def test_recording__of_one_process_has_no_workers(tmp_path):
    writer = SampleWriter(tmp_path)
    write(writer, "GET /a", (2.0, 1.0))
    writer.close()
    recording = read_recording(tmp_path)
    assert recording.workers == ()
    assert recording.samples["start_s"].tolist() == [2.0, 1.0]


def test_writer__that_is_moved_leaves_the_first_file_to_the_first_process(tmp_path):
    """As after a fork: both go on, each in files of its own, with the texts that they had before."""
    writer = SampleWriter(tmp_path)
    before = writer.string_id("GET /before")
    own = tmp_path / "worker-1"
    own.mkdir()
    if not (pid := os.fork()):
        writer.move_to(own)
        write(writer, "GET /before", (2.0,))
        write(writer, "GET /after", (3.0,))
        writer.close()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    write(writer, "GET /before", (1.0,))
    writer.close()
    texts = read_lines(own / "strings.jsonl", str)
    assert texts[before] == "GET /before"
    recording = read_recording(tmp_path)
    assert recording.samples["start_s"].tolist() == [1.0, 2.0, 3.0]
    assert [recording.strings[number] for number in recording.samples["endpoint"]] == [
        "GET /before",
        "GET /before",
        "GET /after",
    ]
    assert np.array_equal(recording.samples["ending"], [ENDED_WELL] * 3)
