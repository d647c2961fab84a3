"""A comparison that would block is made again, from fresh starts: what blocks is what both starts show."""

from __future__ import annotations

import pytest

from ci_gate.evidence.recording import CONFIRM
from ci_gate.judge.verdict import decode_verdict
from tests.conftest import LONG, SITE
from tests.run.duets import SERVICE_WITH_DELAY, list_started, make_versions, run


@pytest.fixture
def versions(repository):
    return make_versions(repository)


@pytest.mark.slow
def test_duet__a_slower_head_fails_though_every_limit_is_kept(versions, repository, call, tmp_path):
    versions(0.013)
    code, scenario, report = run(call, repository, tmp_path / "out")
    assert code == 1, report
    assert scenario.outcome == "FAIL"
    assert not scenario.breaches
    assert scenario.comparison.outcome == "FAIL"
    (change,) = [each for each in scenario.comparison.changes if each.endpoint == "all"]
    assert 0.15 < change.change < 0.40
    assert "at most +10 %" in report
    assert "confirmed on a second start" in report
    assert sorted(list_started(tmp_path / "out")) == [*CONFIRM, "duet-base", "duet-head"]
    first, second = (list_started(tmp_path / "out", kind) for kind in ("duet", "confirm"))
    assert [name.split("-")[1] for name in second] == [name.split("-")[1] for name in reversed(first)]
    code, table, _ = call("judge", tmp_path / "out")
    rejudged = decode_verdict((tmp_path / "out" / "verdict.json").read_bytes()).scenarios[0]
    assert (code, rejudged.comparison) == (1, scenario.comparison)
    assert "confirmed on a second start" in table


COUNTING = """
from pathlib import Path

if sys.argv[2:]:  # head: alone, beside base, and beside base once more
    seen = Path(sys.argv[2])
    starts = seen.read_text() if seen.exists() else ""
    seen.write_text(starts + "x")
"""


@LONG
@pytest.mark.slow
def test_duet__a_head_that_was_slow_on_one_start_alone_does_not_fail(versions, repository, call, tmp_path):
    text = SERVICE_WITH_DELAY.format(site=str(SITE), delay_s="delay_s", burn_s=0.0)
    slow = "    if len(starts) == 1:\n        delay_s = 0.013\n"
    text = text.replace("class Handler", f"delay_s = 0.010\n{COUNTING}{slow}\nclass Handler")
    repository.write("service.py", text)
    repository.edit(
        "thresholds.yaml", "python service.py {port}", f"python service.py {{port}} {tmp_path}/starts"
    )
    code, scenario, report = run(call, repository, tmp_path / "out")
    assert (tmp_path / "starts").read_text() == "xxx"
    assert code == 0, report
    assert scenario.comparison.outcome in {"PASS", "INCONCLUSIVE"}
    (change,) = [each for each in scenario.comparison.changes if each.endpoint == "all"]
    start = scenario.comparison.find_start(change)
    assert start.second < 0.10 < start.first
    assert "did not confirm" in report


@LONG
@pytest.mark.slow
def test_duet__a_slower_head_that_does_not_start_again_fails_all_the_same(
    versions, repository, call, tmp_path
):
    text = SERVICE_WITH_DELAY.format(site=str(SITE), delay_s="0.013", burn_s=0.0)
    leave = "if len(starts) == 2:\n        sys.exit('no second start')\n"
    repository.write("service.py", text.replace("class Handler", f"{COUNTING}    {leave}\nclass Handler"))
    command = "python service.py {port}"
    repository.edit("thresholds.yaml", command, f"{command} {tmp_path}/starts")
    code, scenario, report = run(call, repository, tmp_path / "out")
    assert (code, scenario.comparison.outcome) == (1, "FAIL"), report
    assert "a second start could not confirm it" in report
    assert scenario.comparison.confirmation.failure
