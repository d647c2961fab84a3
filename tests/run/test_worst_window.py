"""A real service that stands still for two seconds: the whole phase hides it, its worst window does not."""

from __future__ import annotations

import pytest

from tests.run.changing_service import make_program

SERVICE = make_program("if 5 <= since_s < 7: time.sleep(0.6)")


@pytest.mark.slow
def test_worst_window__breaks_where_the_whole_phase_keeps_the_same_limit(repository, call, tmp_path):
    repository.write("service.py", SERVICE)
    # Enough requests in each window, also where a busy machine holds the service up for a second of it.
    repository.edit("visits.py", "constant(0.05)", "constant(0.3)")
    repository.edit("thresholds.yaml", "users: {Visitor: 5}", "users: {Visitor: 40}")
    repository.edit("thresholds.yaml", "{duration: 2s, warmup: 0s}", "{duration: 12s, warmup: 0s}")
    limits = "all: {p50: 500ms, worst: {p50: 500ms, over: 2s}}"
    repository.edit("thresholds.yaml", "GET /ok: {p50: 500ms}", limits)
    code, text, said = call(
        "run", "--thresholds", repository.thresholds, "--out", tmp_path / "out", "--quiet"
    )
    assert code == 1, text + said
    assert "✗ all worst p50 over 2s" in text
    assert "of the phase on" in text
    assert "✓ all p50" in text

    repository.edit("thresholds.yaml", "worst: {p50: 500ms, over: 2s}", "worst: {p50: 10s, over: 2s}")
    code, text, _ = call("judge", tmp_path / "out", "--thresholds", repository.thresholds)
    assert code == 0, text
