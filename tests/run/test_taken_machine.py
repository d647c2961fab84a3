"""Limits that are broken while other programs have the machine: measured once more, and then no FAIL."""

from __future__ import annotations

import contextlib
import os

import pytest

from ci_gate.evidence.readings import ForeignUse
from ci_gate.evidence.recording import read_recording
from ci_gate.judge.verdict import decode_verdict
from ci_gate.measure.foreign import ForeignMeter
from tests.burning import burning

pytestmark = pytest.mark.others

QUIET = ForeignUse(cores=0.0, stolen_cores=0.0, processes=())


@pytest.fixture
def slow(repository):
    """A repository whose service never keeps its limit."""
    repository.edit("thresholds.yaml", "p50: 500ms", "p50: 0.01ms")
    repository.edit("thresholds.yaml", "pull_request: {duration: 2s", "pull_request: {duration: 4s")
    return repository


def run(call, repository, out):
    code, table, progress = call("run", "--thresholds", repository.thresholds, "--out", out)
    (scenario,) = decode_verdict((out / "verdict.json").read_bytes()).scenarios
    return code, scenario, table + progress


@pytest.mark.slow
def test_run__on_a_machine_that_others_have_is_measured_twice_and_cannot_be_judged(slow, call, tmp_path):
    out = tmp_path / "out"
    with contextlib.ExitStack() as stack:
        for _ in range(2 * (os.cpu_count() or 1)):
            stack.enter_context(burning("stranger", detached=True))
        code, scenario, said = run(call, slow, out)
    assert (code, scenario.outcome, scenario.findings[0].code) == (3, "INVALID", "machine-taken"), said
    assert "stranger" in scenario.findings[0].message
    assert "head is measured once more" in said
    for recording in ("head", "head-taken"):
        assert len(read_recording(out / "visits" / recording).samples) > 0


@pytest.mark.slow
def test_run__on_a_machine_of_its_own_fails_at_once(slow, call, tmp_path, monkeypatch):
    monkeypatch.setattr(ForeignMeter, "read", lambda _self, _roots: QUIET)
    code, scenario, said = run(call, slow, tmp_path / "out")
    assert (code, scenario.outcome) == (1, "FAIL"), said
    assert [each.code for each in scenario.findings if each.severity != "info"] == []
    assert "once more" not in said
    assert sorted(path.name for path in (tmp_path / "out" / "visits").iterdir()) == ["head"]


@pytest.mark.slow
def test_run__that_relaxes_the_rule_fails_whoever_has_the_machine(slow, call, tmp_path, monkeypatch):
    taken = ForeignUse(cores=float(os.cpu_count() or 1), stolen_cores=0.0, processes=())
    monkeypatch.setattr(ForeignMeter, "read", lambda _self, _roots: taken)
    slow.edit("thresholds.yaml", "relax: {", "relax: {machine-taken: the compiler is ours, ")
    code, scenario, said = run(call, slow, tmp_path / "out")
    assert (code, scenario.outcome) == (1, "FAIL"), said
    assert "once more" not in said
