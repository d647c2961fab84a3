from __future__ import annotations

import msgspec
import pytest

from ci_gate.errors import EvidenceError
from ci_gate.evidence.log_errors import NO_LOG_ERRORS
from ci_gate.evidence.readings import Mark, Totals
from ci_gate.evidence.recording import LineWriter, read_recording, read_run, write_json
from ci_gate.evidence.samples import ENDED_DAMAGED, ENDED_WELL, SampleWriter
from ci_gate.evidence.strict_json import read_json, read_lines

MARK = Mark(name="steady", wall_s=1.5, monotonic_s=2.5)


def test_lines__round_trip_without_a_last_half_line(tmp_path):
    path = tmp_path / "marks.jsonl"
    with LineWriter(path) as lines:
        lines.write(MARK)
        lines.write(MARK)
    with path.open("ab") as file:
        file.write(b'{"name": "stead')
    assert read_lines(path, Mark) == (MARK, MARK)


def test_lines__no_file_is_no_lines(tmp_path):
    assert read_lines(tmp_path / "absent.jsonl", Mark) == ()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{}", "missing required field"),
        ('{"name": "steady", "wall_s": "1", "monotonic_s": 1}', "Expected `float`"),
        ('{"name": "party", "wall_s": 1, "monotonic_s": 1}', "Invalid enum value"),
        ('{"name": "steady", "wall_s": 1, "monotonic_s": 1, "more": 1}', "unknown field"),
        ("not json", "malformed"),
        ("[" * 100_000, ""),
        ('{"name": "st\xff"}', ""),
    ],
)
def test_lines__refused_with_file_and_line(tmp_path, line, message):
    path = tmp_path / "marks.jsonl"
    path.write_bytes(msgspec.json.encode(MARK) + b"\n" + line.encode("latin-1") + b"\n")
    with pytest.raises(EvidenceError, match=rf"marks.jsonl:2: .*{message}"):
        read_lines(path, Mark)


def test_json__is_replaced_at_once(tmp_path):
    path = tmp_path / "totals.json"
    empty = Totals(endpoints=(), start_failures=(), task_errors=(), listener_errors=0, locust_version="2")
    write_json(path, empty)
    assert read_json(path, Totals) == empty
    assert [each.name for each in tmp_path.iterdir()] == ["totals.json"]


def test_json__huge_file_is_refused_unread(tmp_path):
    path = tmp_path / "run.json"
    with path.open("wb") as file:
        file.truncate(100 * 1024**2)
    with pytest.raises(EvidenceError, match="larger than"):
        read_run(tmp_path)


@pytest.mark.parametrize("ids", [(7, 0, 0, 0), (0, 7, 0, 0), (0, 0, 0, 7)])
def test_recording__a_sample_that_refers_to_no_text_is_damaged_and_no_other(tmp_path, ids):
    writer = SampleWriter(tmp_path)
    for each in (ids, (0, 0, 9, 0)):
        writer.write(1, 1, 1, 0, *each, 200, 0, ENDED_WELL)
    writer.close()
    assert read_recording(tmp_path).samples["ending"].tolist() == [ENDED_DAMAGED, ENDED_WELL]
    (tmp_path / "strings.jsonl").write_bytes(b"")
    assert read_recording(tmp_path).samples["ending"].tolist() == [ENDED_DAMAGED, ENDED_WELL]


def test_recording__unfinished_one_is_readable(tmp_path):
    writer = SampleWriter(tmp_path)
    writer.write(1, 1, 1, 0, writer.string_id("GET /"), 0, 0, 0, 200, 0, ENDED_WELL)
    recording = read_recording(tmp_path)
    assert recording.strings == ("", "GET /")
    assert len(recording.samples) == 1
    assert recording.totals is None
    assert recording.mark("steady") is None
    writer.close()


def test_recording__beside_a_load_is_read_without_what_a_diagnosis_takes(tmp_path):
    SampleWriter(tmp_path).close()
    (tmp_path / "service.log").write_text("ERROR: no more connections\n")
    (tmp_path / "stacks-cpu.json").write_text("not read")
    recording = read_recording(tmp_path, for_diagnosis=False)
    assert recording.log_errors == NO_LOG_ERRORS
    assert recording.log_ends["service.log"] == ("ERROR: no more connections",)
    assert recording.stacks == recording.traces == {}
