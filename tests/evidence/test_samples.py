from __future__ import annotations

import errno
import os
import signal
import struct
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_gate.errors import EvidenceError
from ci_gate.evidence.sample_table import SAMPLE_DTYPE, group_rows, read_samples
from ci_gate.evidence.samples import (
    ENDED_BY_CHECK,
    ENDED_DAMAGED,
    MAGIC,
    MAX_STRINGS,
    TOO_MANY_STRINGS,
    SampleWriter,
)
from ci_gate.evidence.strict_json import read_lines

ROW = (1.5, 1.25, 0.123456789, 2**40, 1, 2, 2**32 - 1, 3, 404, 3, ENDED_BY_CHECK)

BLOCK = 4 * 1024**2  # what the writer reserves at a time


def write_rows(folder, rows, *, close=True):
    writer = SampleWriter(folder)
    for row in rows:
        writer.write(*row)
    if close:
        writer.close()
    return folder / "samples.bin"


def test_samples__are_exact(tmp_path):
    samples = read_samples(write_rows(tmp_path, [ROW]))
    assert samples[0].item() == ROW


@given(
    st.lists(
        st.tuples(
            *[st.floats(0, 1e12, allow_subnormal=False)] * 3,
            *[st.integers(0, 2**32 - 1)] * 4,
            *[st.integers(0, 2**16 - 1)] * 2,
            st.integers(0, 255),
            st.integers(1, 6),
        ),
        max_size=20,
    )
)
def test_samples__round_trip(tmp_path_factory, rows):
    samples = read_samples(write_rows(tmp_path_factory.mktemp("rows"), rows))
    assert [sample.item() for sample in samples] == rows


def test_samples__readable_while_written(tmp_path):
    writer = SampleWriter(tmp_path)
    path = tmp_path / "samples.bin"
    assert len(read_samples(path)) == 0
    for count in range(1, 4):
        writer.write(*ROW)
        assert len(read_samples(path)) == count
    assert len(read_samples(path, first_row=2)) == 1
    assert len(read_samples(path, first_row=7)) == 0
    writer.close()


def test_samples__more_than_one_block(tmp_path):
    count = BLOCK // SAMPLE_DTYPE.itemsize + 1000
    path = write_rows(tmp_path, (ROW for _ in range(count)))
    assert len(read_samples(path)) == count
    assert path.stat().st_size == len(MAGIC) + count * SAMPLE_DTYPE.itemsize


def test_samples__survive_kill_9(tmp_path):
    code = (
        "import sys, time, pathlib\n"
        "from ci_gate.evidence.samples import SampleWriter\n"
        "writer = SampleWriter(pathlib.Path(sys.argv[1]))\n"
        f"[writer.write(*{ROW!r}) for _ in range(1000)]\n"
        "print('written', flush=True)\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert len(read_samples(tmp_path / "samples.bin")) == 1000


FULL_DISK = f"""
import pathlib, resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({BLOCK}, {BLOCK}))
from ci_gate.evidence.samples import SampleWriter
writer = SampleWriter(pathlib.Path(sys.argv[1]))
try:
    while True: writer.write(*{ROW!r})
except OSError as error:
    print(error.errno)
"""


def test_samples__full_disk_is_an_error_and_keeps_what_was_written(tmp_path):
    child = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert int(child.stdout) == errno.EFBIG  # ENOSPC on a disk that is really full
    assert len(read_samples(tmp_path / "samples.bin")) == (BLOCK - len(MAGIC)) // SAMPLE_DTYPE.itemsize


def test_strings__beyond_the_limit_share_one_id(tmp_path):
    writer = SampleWriter(tmp_path)
    ids = {writer.string_id(f"text {number}") for number in range(MAX_STRINGS + 10)}
    assert len(ids) == MAX_STRINGS - 1
    assert writer.string_id("one more") == writer.string_id(TOO_MANY_STRINGS)
    assert writer.string_id("text 5") == 6
    writer.close()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (MAGIC[:5], "no file of samples"),
        (b"something else entirely", "no file of samples"),
    ],
)
def test_read_samples__refuses(tmp_path, content, message):
    (tmp_path / "samples.bin").write_bytes(content)
    with pytest.raises(EvidenceError, match=message):
        read_samples(tmp_path / "samples.bin")


@pytest.mark.parametrize(
    "impossible",
    [
        (np.nan, *ROW[1:]),
        (1e300, *ROW[1:]),
        (ROW[0], np.inf, *ROW[2:]),
        (*ROW[:2], -1.0, *ROW[3:]),
        (*ROW[:2], 1e13, *ROW[3:]),
        (*ROW[:10], 9),
        (*ROW[:10], 0),
    ],
)
def test_read_samples__one_bad_row_condemns_no_other(tmp_path, impossible):
    rows = np.array([ROW, impossible, ROW], dtype=SAMPLE_DTYPE)
    (tmp_path / "samples.bin").write_bytes(MAGIC + rows.tobytes())
    first, damaged, last = (row.item() for row in read_samples(tmp_path / "samples.bin"))
    assert (first, last) == (ROW, ROW)
    assert damaged == (*[0] * 10, ENDED_DAMAGED)


def test_writer__what_cannot_be_packed_takes_no_place(tmp_path):
    writer = SampleWriter(tmp_path)
    writer.write(*ROW)
    for broken in (("now", *ROW[1:]), (*ROW[:3], -1, *ROW[4:]), (*ROW[:8], 70_000, *ROW[9:])):
        with pytest.raises(struct.error):
            writer.write(*broken)
    writer.write(*ROW)
    assert [row.item() for row in read_samples(tmp_path / "samples.bin")] == [ROW, ROW]
    writer.close()


def test_strings__half_a_character_is_kept_as_a_question_mark(tmp_path):
    writer = SampleWriter(tmp_path)
    assert [writer.string_id(text) for text in ("GET /a\ud800b", "GET /b")] == [1, 2]
    assert read_lines(tmp_path / "strings.jsonl", str) == ("", "GET /a?b", "GET /b") == writer.texts()
    writer.close()


def test_read_samples__of_a_writer_that_got_no_room(tmp_path):
    (tmp_path / "samples.bin").touch()
    assert len(read_samples(tmp_path / "samples.bin")) == 0


def test_read_samples__last_row_cut_short_is_left_out(tmp_path):
    whole = np.array([ROW], dtype=SAMPLE_DTYPE).tobytes()
    (tmp_path / "samples.bin").write_bytes(MAGIC + whole + whole[:20])
    assert len(read_samples(tmp_path / "samples.bin")) == 1


def test_read_samples__missing_or_huge(tmp_path):
    with pytest.raises(EvidenceError, match="No such file"):
        read_samples(tmp_path / "samples.bin")
    with (tmp_path / "samples.bin").open("wb") as file:
        file.write(MAGIC)
        os.truncate(file.fileno(), 9 * 1024**3)
    started = time.process_time()
    with pytest.raises(EvidenceError, match="is larger than"):
        read_samples(tmp_path / "samples.bin")
    assert time.process_time() - started < 1


@pytest.mark.parametrize("beyond", [0, 2**16])
@given(ids=st.lists(st.integers(0, 5)))
def test_group_rows__finds_what_a_mask_of_each_id_finds(beyond, ids):
    column = np.array(ids, dtype=np.uint32) + np.uint32(beyond)
    grouped = {number: rows.tolist() for number, rows in group_rows(column)}
    assert list(grouped) == sorted(set(column.tolist()))
    assert grouped == {number: np.flatnonzero(column == number).tolist() for number in grouped}
