"""Where a history comes from: the default branch's own runs, and never a pull request's."""

from __future__ import annotations

import pytest

from ci_gate.github.earlier_history import WORKFLOW, HistoryPlace, find_history, try_history
from ci_gate.github.key import DEFAULT_KEY, name_history_artifact
from ci_gate.judge.history.record import encode_history
from ci_gate.judge.history.worse import judge_history
from ci_gate.report.history import render_trend_line
from tests.github.fake_state import Artifact, Run
from tests.github.test_archive import pack
from tests.judge.histories import make_history, name_commit
from tests.judge.test_history import raised, scatter

GOOD = make_history(scatter())
WORSE = make_history(raised(scatter(), 19, 1.2))
LINE = "On `main`, whatever this change does: p95 of `checkout` has changed +19 % ("


MAIN = HistoryPlace(branch="main")


def leave(github, run_id, history=WORSE, key=DEFAULT_KEY, **changes):
    """A run that left a history, of a push to main unless ``changes`` say otherwise; None: it left none."""
    told = {
        "id": run_id,
        "head_sha": name_commit(run_id),
        "created_at": f"2026-11-24T10:00:{run_id:02}Z",
        "event": "push",
        "workflow": WORKFLOW,
        "branch": "main",
    }
    github.state.runs.append(Run(**(told | changes)))
    content = history if history is None or isinstance(history, bytes) else encode_history(history)
    if content is not None:
        packed = pack(("history.json", content), ("history.html", b"<html>"))
        leave_artifact(github, run_id, packed, key)


def leave_artifact(github, run_id, packed, key):
    number, name = len(github.state.artifacts) + 1, name_history_artifact(key)
    github.state.artifacts.append(Artifact(id=number, run_id=run_id, name=name, content=packed))


def find(connect, said=None, place=MAIN):
    return find_history(connect(), "shop/shop", place, (said if said is not None else []).append)


def test_history__is_that_of_the_newest_push(github, connect):
    leave(github, 1, GOOD)
    leave(github, 3, WORSE)
    leave(github, 2, GOOD)
    assert find(connect) == WORSE


@pytest.mark.parametrize(
    "forged",
    [
        {"event": "pull_request"},
        {"event": "pull_request", "branch": "topic"},
        {"event": "workflow_dispatch"},
        {"branch": "topic"},
        {"repository": "mallory/shop"},
        {"workflow": "mine.yml"},
        {"status": "in_progress", "conclusion": None},
    ],
)
def test_history__no_other_run_can_write_it(github, connect, forged):
    leave(github, 1, GOOD)
    leave(github, 2, WORSE, **forged)
    assert find(connect) == GOOD


def test_history__damaged_and_missing_ones_are_passed_over(github, connect):
    said = []
    leave(github, 1, WORSE)
    leave(github, 2, b"{}")
    leave(github, 3, None)
    assert find(connect, said) == WORSE
    assert [text.partition(":")[0] for text in said] == ["no history of run 3", "no history of run 2"]


def test_history__two_gates_of_one_workflow_have_one_each(github, connect):
    leave(github, 1, GOOD, key="shop")
    leave_artifact(github, 1, pack(("history.json", encode_history(WORSE))), "search")
    assert find(connect, place=HistoryPlace(branch="main", key="shop")) == GOOD
    assert find(connect, place=HistoryPlace(branch="main", key="search")) == WORSE
    assert find(connect) is None


def test_history__none_where_no_workflow_keeps_one(connect):
    said = []
    assert find(connect, said) is None
    assert said == []


def test_trend__is_one_line(github, connect):
    leave(github, 1)
    line = render_trend_line(judge_history(find(connect)), "main")
    assert line.startswith(LINE)
    assert line.endswith(f" since 41 commits, first at `{name_commit(19)[:10]}`.")
    assert "\n" not in line


def test_trend__nothing_to_tell_is_no_line(github, connect):
    leave(github, 1, GOOD)
    assert not render_trend_line(judge_history(find(connect)), "main")
    assert try_history(connect(), "shop/shop", MAIN, print) == GOOD
    assert not try_history(connect(), "shop/shop", HistoryPlace(branch="main", workflow=""), print)
    assert not try_history(None, "shop/shop", MAIN, print)


@pytest.mark.parametrize("status", [403, 500])
def test_trend__that_cannot_be_read_is_said_in_the_log_alone(github, connect, status):
    said = []
    github.fail("GET", "/runs", times=99, status=status)
    assert not try_history(connect(total_s=5), "shop/shop", MAIN, said.append)
    assert len(said) == 1
    assert said[0].startswith("no trend")
