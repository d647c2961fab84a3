"""What the measurements of a run share."""

from __future__ import annotations

from types import SimpleNamespace

from ci_gate.run.session import set_aside


def test_recording_that_is_set_aside__gets_what_had_not_come_and_the_one_in_its_place_does_not(tmp_path):
    folder, other = tmp_path / "head", tmp_path / "reset-1"
    folder.mkdir()
    (folder / "marks.jsonl").touch()
    session = SimpleNamespace(remote_recordings={"first": folder, "other": other})
    set_aside(session, folder, "taken")
    session.remote_recordings["second"] = folder
    assert session.remote_recordings == {"first": tmp_path / "head-taken", "other": other, "second": folder}
    assert (tmp_path / "head-taken" / "marks.jsonl").exists()
    assert not folder.exists()
