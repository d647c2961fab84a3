"""The requests of all processes as one table, with the steady phase in one piece."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_gate.errors import EvidenceError
from ci_gate.evidence.clocks import CLOCK_FILE, ClockReading, read_clock
from ci_gate.evidence.readings import Mark
from ci_gate.evidence.recording import LineWriter
from ci_gate.evidence.requests import bring_together, merge_samples, read_requests
from ci_gate.evidence.sample_table import SAMPLE_DTYPE
from ci_gate.evidence.samples import ENDED_WELL, SampleWriter
from ci_gate.evidence.steady_rows import find_due, find_steady_bounds, select


def make_rows(starts_s):
    rows = np.zeros(len(starts_s), dtype=SAMPLE_DTYPE)
    rows["start_s"] = rows["intended_s"] = starts_s
    return rows


@given(st.lists(st.booleans(), max_size=40))
def test_together__those_that_are_asked_for_and_all_keep_their_order(wanted):
    rows = np.array(wanted, dtype=np.bool_)
    samples = make_rows(np.arange(len(wanted), dtype=np.float64))
    bring_together(samples, rows)
    numbers = samples["start_s"].astype(int)
    assert sorted(numbers) == list(range(len(wanted)))
    moved = rows[numbers]
    chosen = select(moved)
    assert not moved.any() or isinstance(chosen, slice)
    assert numbers[chosen].tolist() == np.flatnonzero(rows).tolist()
    others = numbers[~moved]
    first = int(moved.argmax()) if moved.any() else 0
    assert (np.diff(others[:first]) > 0).all()
    assert (np.diff(others[first:]) > 0).all()


def test_select__what_does_not_stand_together_is_taken_by_a_mask():
    rows = np.array([True, False, True])
    assert select(rows) is rows
    assert select(np.array([False, True, True, False])) == slice(1, 3)
    assert select(np.zeros(3, dtype=np.bool_)) == slice(0, 0)


@pytest.mark.parametrize(
    ("marks", "bounds_s"),
    [
        ({"started": 1.0}, (np.inf, np.inf)),
        ({"started": 1.0, "steady": 5.0}, (5.0, 9.0)),
        ({"started": 1.0, "steady": 5.0, "stopping": 8.0}, (5.0, 8.0)),
        ({"started": 1.0, "steady": 50.0}, (50.0, 50.0)),
    ],
)
def test_bounds__are_those_of_the_marks_or_end_with_the_last_request(marks, bounds_s):
    written = [Mark(name=name, wall_s=at, monotonic_s=at) for name, at in marks.items()]
    samples = make_rows([2.0, 5.0, 9.0, 7.0])
    assert find_steady_bounds(written, samples) == bounds_s
    assert find_due(samples, (5.0, 9.0)).tolist() == [False, True, False, True]


def test_merge__of_files_that_grow_has_what_they_had_when_they_were_read_first():
    """Beside a load: rows, and a text that only they name."""
    reads = []

    def read():
        reads.append(1)
        rows = make_rows([1.0, 3.0, 4.0][: 1 + len(reads)])
        rows["endpoint"] = [1, 1, 2][: len(rows)]
        yield rows, ("", "GET /a", "GET /b")[: 1 + len(reads)]

    def read_other():
        rows = make_rows([2.0])
        rows["endpoint"] = 1
        yield rows, ("", "GET /c")

    samples, strings = merge_samples([read, read_other])
    assert samples["start_s"].tolist() == [1.0, 2.0, 3.0]
    assert [strings[number] for number in samples["endpoint"]] == ["GET /a", "GET /c", "GET /a"]


def write_worker(folder, starts_s, *, endpoints, damaged=(), offset_s=0.0, close=True):
    """The files of a process that made a request to each endpoint in turn, some of them damaged."""
    folder.mkdir()
    writer = SampleWriter(folder)
    numbers = [writer.string_id(each) for each in endpoints]
    for place, start_s in enumerate(starts_s):
        ending = 0 if place in damaged else ENDED_WELL
        endpoint = numbers[place % len(numbers)]
        writer.write(start_s, start_s, 1.0, 10, endpoint, 0, place, 0, 200, 0, ending)
    if close:
        writer.close()  # else there is reserved space behind the rows
    if offset_s:
        with LineWriter(folder / CLOCK_FILE) as lines:
            clocks = {"wall_s": 5.0, "monotonic_s": 5.0, "round_trip_s": 0.001}
            lines.write(ClockReading(**clocks, master_wall_s=5.0 + offset_s, master_monotonic_s=5.0))
    return folder


def test_requests__of_several_files_are_the_same_by_pieces_of_any_size(tmp_path, monkeypatch):
    starts_s = 100 + np.arange(40) / 7
    folders = [
        write_worker(tmp_path / "1", starts_s, endpoints=("GET /a", "GET /b"), damaged={3, 20}),
        write_worker(tmp_path / "2", (), endpoints=("GET /a",)),
        write_worker(tmp_path / "3", starts_s - 7.05, endpoints=("GET /b", "c"), offset_s=7, close=False),
    ]
    whole, strings = read_requests(folders, ())
    assert len(whole) == 80
    assert (np.diff(whole["start_s"][whole["start_s"] > 0]) > 0).all()
    assert {strings[number] for number in whole["endpoint"]} == {"", "GET /a", "GET /b", "c"}
    for at_once in (1, 7, 40):
        monkeypatch.setattr("ci_gate.evidence.requests._AT_ONCE", at_once)
        samples, texts = read_requests(folders, ())
        assert texts == strings
        assert samples.tolist() == whole.tolist()


def test_requests__of_a_file_that_grows_between_both_readings_are_those_of_the_first(tmp_path, monkeypatch):
    monkeypatch.setattr("ci_gate.evidence.requests._AT_ONCE", 3)
    first = write_worker(tmp_path / "1", 100 + np.arange(7.0), endpoints=("GET /a",))
    second = write_worker(tmp_path / "2", 100.5 + np.arange(4.0), endpoints=("GET /b",))
    grown = write_worker(tmp_path / "grown", 100 + np.arange(12.0), endpoints=("GET /a",))

    def rename_before_second(folder):
        if folder == second and (grown / "samples.bin").exists():  # the first has been read once by then
            (grown / "samples.bin").rename(first / "samples.bin")
        return read_clock(folder)

    monkeypatch.setattr("ci_gate.evidence.requests.read_clock", rename_before_second)
    samples, strings = read_requests([first, second], ())
    named = [strings[number] for number in samples["endpoint"]]
    assert (named.count("GET /a"), named.count("GET /b"), len(named)) == (7, 4, 11)
    assert (np.diff(samples["start_s"]) > 0).all()


def test_requests__of_a_file_beyond_all_bounds_are_refused_before_it_is_looked_through(tmp_path):
    folders = [write_worker(tmp_path / str(number), [1.0], endpoints=("GET /a",)) for number in range(2)]
    with (folders[1] / "samples.bin").open("r+b") as file:
        file.truncate(2**40)
    with pytest.raises(EvidenceError, match="is larger than"):
        read_requests(folders, ())
