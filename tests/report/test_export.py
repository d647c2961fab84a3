"""CSV export: what is read back is what was recorded, no cell is a formula, and the pipe may close early."""

from __future__ import annotations

import csv
import datetime as dt
import io
import subprocess
import sys
from collections import Counter

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_gate.evidence.recording import LineWriter, recording_folder, write_json
from ci_gate.evidence.samples import (
    ENDED_BY_CHECK,
    ENDED_NEVER,
    ENDED_UNREPORTED,
    ENDED_WELL,
    ENDED_WITHOUT_REPLY,
    NOT_HTTP,
    SampleWriter,
)
from ci_gate.judge.steady import classify, find_successes
from ci_gate.report.csv import COLUMNS, export_rows, keep_text
from ci_gate.thresholds import parse_thresholds
from tests.judge.evidence_values import make_run
from tests.judge.recordings import BEGIN_S, DURATION_S, make_recording, make_rows

THRESHOLDS = """
schema: 1
service: {url: "http://127.0.0.1:9"}
profiles:
  pull_request: {duration: 10s}
scenarios:
  visits:
    locustfile: visits.py
    users: {Visitor: 5}
    spawn_rate: 100
    accept: {GET /a: [404]}
    limits:
      GET /a: {p50: 500ms}
"""
EVIL = "=cmd|' /C calc'!A0"
STRINGS = ("", "Visitor", "GET /a", EVIL, 'said "no",\r\nthen left')
PARSED = parse_thresholds(THRESHOLDS, "thresholds.yaml")
ACCEPT = PARSED.scenarios[0].accept


def every_kind():
    """Requests of every kind and phase, with times that have no short decimal form."""
    return make_recording(
        make_rows(2, np.full(7, 1 / 3), begin_s=BEGIN_S - DURATION_S),
        make_rows(2, [12.345678901234567, 1e-9, 60_000.0], late_s=0.125),
        make_rows(2, [2.0] * 3, status=404),
        make_rows(3, [2.0] * 3, status=404, error=4),
        make_rows(3, [2.0], status=200, ending=ENDED_BY_CHECK, error=3),
        make_rows(3, [2.0], status=0, ending=ENDED_WITHOUT_REPLY, error=4),
        make_rows(3, [2.0], status=0, ending=ENDED_NEVER),
        make_rows(3, [2.0], status=200, ending=ENDED_UNREPORTED),
        make_rows(3, [2.0], status=NOT_HTTP, ending=ENDED_WELL),
        make_rows(2, [5.0] * 4, begin_s=BEGIN_S + DURATION_S),
        strings=STRINGS,
    )


def make_evidence(folder, recording):
    """An evidence folder of one scenario, ``visits``, with this one recording."""
    info = make_run(PARSED)
    inside = recording_folder(folder, info.recordings[0])
    inside.mkdir(parents=True)
    write_json(folder / "run.json", info)
    writer = SampleWriter(inside)
    assert [writer.string_id(text) for text in recording.strings] == list(range(len(recording.strings)))
    for sample in recording.samples:
        writer.write(*sample.item())
    writer.close()
    with LineWriter(inside / "marks.jsonl") as lines:
        for mark in recording.marks:
            lines.write(mark)
    return folder


def rows_of(recording):
    (plan,) = make_run(PARSED).recordings
    return [dict(zip(COLUMNS, row, strict=True)) for row in export_rows(plan, recording, ACCEPT)]


def read_back(text):
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert next(reader) == list(COLUMNS)
    return [dict(zip(COLUMNS, row, strict=True)) for row in reader]


def original(cell):
    return cell.removeprefix("'")


def test_export__what_is_read_back_equals_the_samples(call, tmp_path):
    recording = every_kind()
    code, text, note = call("export", make_evidence(tmp_path / "out", recording))
    assert (code, note) == (0, "")
    rows = read_back(text)
    samples = recording.samples
    assert [float(row["response_ms"]) for row in rows] == samples["response_ms"].tolist()
    assert [int(row["bytes"]) for row in rows] == samples["bytes"].tolist()
    for column, field in (("endpoint", "endpoint"), ("user_class", "user_class"), ("error", "error")):
        assert [original(row[column]) for row in rows] == [recording.strings[i] for i in samples[field]]
    assert [int(row["status"] or NOT_HTTP) for row in rows] == samples["status"].tolist()
    for row, start_s in zip(rows, samples["start_s"].tolist(), strict=True):
        sent = dt.datetime.fromisoformat(row["start_utc"])
        assert sent.tzinfo == dt.UTC
        assert sent.timestamp() == pytest.approx(start_s, abs=1e-6)
        assert float(row["since_steady_s"]) == pytest.approx(start_s - BEGIN_S, abs=1e-6)
    assert {(row["scenario"], row["recording"]) for row in rows} == {("visits", "head")}


def test_success__is_what_the_verdict_counts():
    recording = every_kind()
    rows = rows_of(recording)
    judged = find_successes(recording.samples, recording.strings, ACCEPT)
    assert [row["success"] == "true" for row in rows] == judged.tolist()
    found = {(row["endpoint"], row["status"], row["success"]) for row in rows}
    assert {("GET /a", 404, "true"), (f"'{EVIL}", 404, "false"), (f"'{EVIL}", "", "true")} <= found


def test_steady_rows__are_those_that_limits_are_judged_on():
    for marks in (every_kind().marks, [mark for mark in every_kind().marks if mark.name != "stopping"]):
        recording = msgspec.structs.replace(every_kind(), marks=tuple(marks))
        steady = classify(recording, ACCEPT).steady
        rows = [row for row in rows_of(recording) if row["phase"] == "steady"]
        assert [row["latency_ms"] for row in rows] == steady.latency_ms.tolist()
        assert [row["success"] == "true" for row in rows] == steady.success.tolist()
    counts = Counter(row["phase"] for row in rows_of(every_kind()))
    assert (counts["ramp"], counts["drain"]) == (7, 4)


def test_latency__counts_from_the_intended_start():
    late = [row for row in rows_of(every_kind()) if row["response_ms"] == 60_000.0]
    assert [row["latency_ms"] for row in late] == [pytest.approx(60_125.0)]


def test_steady_phase_that_never_began__leaves_its_clock_empty():
    (row,) = rows_of(make_recording(make_rows(2, [1.0]), marks=()))
    assert (row["phase"], row["since_steady_s"]) == ("ramp", "")


def test_endings__each_has_words_of_its_own():
    recording = every_kind()
    endings = recording.samples["ending"].tolist()
    words = {(ending, row["ending"]) for ending, row in zip(endings, rows_of(recording), strict=True)}
    assert len(words) == len({word for _, word in words}) == 6


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "'=1", "''"])
def test_formula__is_no_formula_in_a_cell(text):
    assert keep_text(text) == f"'{text}"


@pytest.mark.parametrize("text", ["GET /a", "", "a=b", "1-1", "(not sent)"])
def test_usual_text__stays_as_it_is(text):
    assert keep_text(text) == text


@given(st.text())
def test_text__can_be_had_back_and_never_begins_a_formula(text):
    assert original(keep_text(text)) == text
    assert keep_text(text)[:1] not in set("=+-@\t\r\n")


@given(st.lists(st.text(), min_size=3, max_size=3, unique=True))
def test_any_text__survives_the_file(texts):
    recording = make_recording(make_rows(2, [1.0], error=3), strings=("", *texts))
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows(export_rows(make_run(PARSED).recordings[0], recording, ()))
    (row,) = read_back(file.getvalue())
    assert [original(row[name]) for name in ("user_class", "endpoint", "error")] == texts


def test_export__to_a_file_says_how_many(call, tmp_path):
    folder = make_evidence(tmp_path / "out", every_kind())
    code, text, note = call("export", folder, "--scenario", "visits", "--out", tmp_path / "all.csv")
    assert (code, text, note) == (0, "", f"{len(every_kind().samples)} requests: {tmp_path / 'all.csv'}\n")
    with (tmp_path / "all.csv").open(encoding="utf-8", newline="") as file:
        assert len(read_back(file.read())) == len(every_kind().samples)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--scenario", "nope"), "there is no scenario nope (allowed: visits)"),
        (("--recording", "duet-base"), "there is no recording duet-base (allowed: head)"),
        (("--out", "/nowhere/all.csv"), "/nowhere/all.csv: No such file"),
    ],
)
def test_export__what_is_not_there(call, tmp_path, arguments, message):
    code, text, err = call("export", make_evidence(tmp_path / "out", every_kind()), *arguments)
    assert (code, text) == (2, "")
    assert message in err


def test_export__nothing_recorded_is_said(call, tmp_path):
    write_json(tmp_path / "run.json", make_run(PARSED))
    code, _, err = call("export", tmp_path)
    assert code == 2
    assert "visits: there is no evidence of head" in err
    assert "no request was recorded" in err
    assert call("export", tmp_path / "absent")[0] == 2


def test_export__ends_well_when_its_reader_has_enough(tmp_path):
    many = make_recording(make_rows(2, np.arange(20_000.0)))
    folder = make_evidence(tmp_path / "out", many)
    command = [sys.executable, "-m", "ci_gate", "export", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        first = process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
        assert process.wait(timeout=60) == 0
    assert first.startswith(b"start_utc,")
    assert errors == b""
