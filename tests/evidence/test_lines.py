"""Lines on a disk that is full for a while."""

from __future__ import annotations

import pytest

from ci_gate.evidence.readings import Mark
from ci_gate.evidence.recording import LineWriter
from ci_gate.evidence.strict_json import read_lines
from tests.disks import mounted_disk


def test_line__for_which_there_is_no_room_leaves_nothing_that_spoils_the_next(tmp_path):
    mark = Mark(name="steady", wall_s=1.0, monotonic_s=1.0)
    with mounted_disk(tmp_path, "64k") as disk, LineWriter(disk / "marks.jsonl") as marks:
        marks.write(mark)
        (disk / "filler").write_bytes(bytes(60 * 1024))
        written = 1
        with pytest.raises(OSError, match="No space left"):  # noqa: PT012 - the page that it has is filled first
            while True:
                marks.write(mark)
                written += 1
        assert written > 10
        (disk / "filler").unlink()
        marks.write(mark)
        assert read_lines(disk / "marks.jsonl", Mark) == (mark,) * (written + 1)
