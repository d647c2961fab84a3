"""A real service that is slower at first: found, and not where the warm-up is long enough."""

from __future__ import annotations

import re

import pytest

from tests.run.changing_service import make_program

WARMS_S = 14

# Until 14 s after the first request of the load, each reply takes 4 ms more of CPU, and waits for 70 ms more:
# so long that other programs on the machine cannot hide it.
SERVICE = make_program(
    f"""
    is_cold = since_s < {WARMS_S}
    time.sleep(0.07 * is_cold)
    until_s = time.thread_time() + (0.005 if is_cold else 0.001)
    while time.thread_time() < until_s:
        pass
    """
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
        "thresholds.yaml", "limits:\n      GET /ok: {p50: 500ms}", "limits:\n      all: {p50: 300ms}"
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
