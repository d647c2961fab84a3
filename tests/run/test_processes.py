"""Several processes of Locust, from thresholds.yaml to the verdict."""

from __future__ import annotations

import pytest

from ci_gate.evidence.recording import read_recording, read_run
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.verdict import decode_verdict


@pytest.mark.parametrize("by_option", [False, True], ids=["file", "option"])
def test_processes__from_thresholds_to_the_verdict(repository, call, tmp_path, by_option):
    options = ["--processes", "2"] if by_option else []
    if not by_option:
        text = (repository.folder / "thresholds.yaml").read_text()
        repository.write("thresholds.yaml", f"{text}\ngenerator: {{processes: 2}}\n")
    out = tmp_path / "out"
    code, table, progress = call("run", "--thresholds", repository.thresholds, "--out", out, *options)
    verdict = decode_verdict((out / "verdict.json").read_bytes())
    (scenario,) = verdict.scenarios
    assert "worker-lost" not in {finding.code for finding in scenario.findings}
    assert (code, verdict.outcome) == (0, Outcome.PASS), table + progress
    info = read_run(out)
    assert {plan.recording: plan.processes for plan in info.recordings}["head"] == 2
    assert "generator" in info.thresholds_text
    recording = read_recording(out / "visits" / "head")
    assert len(recording.workers) == 2
    assert sum(len(worker.readings) for worker in recording.workers) > 2
    # Judged again it says the same.
    before = (out / "verdict.json").read_bytes()
    assert call("judge", out)[0] == 0
    assert (out / "verdict.json").read_bytes() == before


@pytest.mark.parametrize("text", ["0", "65", "many", "-1", "٣"])
def test_option__refused(repository, call, tmp_path, text):
    code, _, message = call("run", "--thresholds", repository.thresholds, "--processes", text)
    assert code == 2
    assert "allowed: 1 to 64, or auto" in message


def test_capacity__is_refused_with_several_processes(repository, call):
    text = (repository.folder / "thresholds.yaml").read_text()
    repository.write("thresholds.yaml", f"{text}\ngenerator: {{processes: 2}}\n")
    code, _, message = call("capacity", "visits", "--thresholds", repository.thresholds)
    assert code == 2
    assert "capacity is measured by one process of Locust" in message
