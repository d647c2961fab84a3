"""A real service that works more for each reply at first: found, and not where the warm-up is long enough."""

from __future__ import annotations

import re

import pytest

from tests.run.changing_service import make_program

WARMS_S = 14

# Works for 10 ms of CPU a reply at first, and for 1 ms from 14 s after the first request of the load on.
SERVICE = make_program(
    f"""
    until_s = time.process_time() + (0.01 if since_s < {WARMS_S} else 0.001)
    while time.process_time() < until_s:
        pass
    """,
    server="HTTPServer",
)


def run(repository, call, out, warmup_s):
    repository.edit(
        "thresholds.yaml", "{duration: 2s, warmup: 0s}", f"{{duration: 28s, warmup: {warmup_s}s}}"
    )
    return call("run", "--thresholds", repository.thresholds, "--out", out, "--quiet")


@pytest.fixture
def warming(repository):
    repository.write("service.py", SERVICE)
    repository.edit(
        "thresholds.yaml", "limits:\n      GET /ok: {p50: 500ms}", "limits:\n      all: {p50: 80ms}"
    )
    return repository


@pytest.mark.slow
def test_warm_up__is_found_where_the_phase_begins_with_it(warming, call, tmp_path):
    code, text, said = run(warming, call, tmp_path / "out", 0)
    assert code == 3, text + said
    assert "[still-warming]" in text
    assert re.search(r"warmup: \d+s (would do|or more)", text), (
        text
    )  # how long: tests/judge/warm_up_proofs.py


@pytest.mark.slow
def test_warm_up__is_not_found_after_it(warming, call, tmp_path):
    code, text, said = run(warming, call, tmp_path / "out", WARMS_S + 2)
    assert "still-warming" not in text
    assert code == 0, text + said
