"""Suggestions from real runs: the diff fits, and the runs that it was made from keep every limit of it."""

from __future__ import annotations

import shutil
import subprocess

import pytest

ENOUGH = "limits:\n      GET /ok: {p50: 500ms}"
LIMITS = "limits:\n      all: {failures: 1%}  # mine\n      # more to come"


@pytest.fixture
def measured(repository, call, tmp_path, monkeypatch):
    """Three runs of a repository without limits on latency, as if in a job of CI."""
    monkeypatch.setenv("CI", "true")
    repository.edit(
        "thresholds.yaml", ENOUGH, "limits:\n      all: {failures: 1%}  # mine\n      # more to come"
    )
    for number in range(3):
        out = tmp_path / "out" / str(number)
        code, text, said = call("run", "--thresholds", repository.thresholds, "--out", out, "--quiet")
        assert code == 0, text + said
    return tmp_path / "out"


@pytest.mark.slow
def test_suggest__limits_that_the_runs_keep_and_check_accepts(repository, call, measured):
    before = repository.thresholds.read_text()
    code, diff, said = call("suggest", measured, "--thresholds", repository.thresholds)
    assert code == 0
    assert said.startswith("latencies and rates are of runs on ")
    assert repository.thresholds.read_text() == before

    code, text, _ = call("suggest", measured, "--thresholds", repository.thresholds, "--write")
    assert (code, text.split(":")[0]) == (0, f"wrote {repository.thresholds}")
    after = repository.thresholds.read_text()
    # Which percentile, and whether a limit or a TODO, depends on how fast and busy the machine is.
    assert "GET /ok" in diff + said
    assert "# mine" in after
    assert "# more to come" in after
    assert "measured in 3 runs, " in after
    repository.thresholds.write_text(before)
    path = str(repository.thresholds)
    applied = subprocess.run(["patch", path], input=diff.encode(), capture_output=True, check=True)
    assert repository.thresholds.read_text() == after, applied.stdout

    assert call("check", "--thresholds", repository.thresholds)[0] == 0
    for number in range(3):
        code, text, _ = call("judge", measured / str(number), "--thresholds", repository.thresholds)
        assert code == 0, text
    code, diff, said = call("suggest", measured, "--thresholds", repository.thresholds)
    assert (code, diff) == (0, "")
    assert "nothing to add" in said

    shutil.copytree(measured / "0", measured / "3")
    repository.thresholds.write_text(before)
    code, diff, said = call("suggest", measured, "--thresholds", repository.thresholds)
    assert code == 0
    assert f"not used: visits of {measured / '3'}: a copy of {measured / '0'}" in said
    assert "measured in 3 runs, " in diff
    assert "4 runs" not in diff

    repository.thresholds.write_bytes(before.replace("\n", "\r\n").encode())
    assert call("suggest", measured, "--thresholds", repository.thresholds, "--write")[0] == 0
    assert repository.thresholds.read_bytes() == after.replace("\n", "\r\n").encode()

    repository.edit("thresholds.yaml", "users: {Visitor: 5}", "users: {Visitor: 6}")
    code, diff, said = call("suggest", measured, "--thresholds", repository.thresholds)
    assert (code, diff) == (3, "")
    assert "not used: visits of " in said
    assert "measured with other users" in said


def test_suggest__a_folder_without_a_run_is_named(repository, call, tmp_path):
    code, _, said = call("suggest", tmp_path, "--thresholds", repository.thresholds)
    assert code == 2
    assert "holds no run.json" in said


def test_suggest__damaged_evidence_suggests_nothing_and_says_why(repository, call, tmp_path):
    (tmp_path / "run.json").write_text("{}")
    code, diff, said = call("suggest", tmp_path, "--thresholds", repository.thresholds)
    assert (code, diff) == (3, "")
    assert "not used: all of " in said
    assert "nothing is suggested" in said
