"""Verdicts of a real repository's commits: a change is found at its commit, and none in equal ones."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ci_gate.github.earlier_history import WORKFLOW
from ci_gate.github.key import DEFAULT_KEY, name_history_artifact
from ci_gate.judge.verdict import encode_verdict
from tests.github.fake_state import Artifact, Run
from tests.github.test_archive import pack
from tests.judge.histories import EPYC
from tests.judge.test_history import raised, scatter
from tests.report.verdicts import endpoint, scenario, verdict
from tests.repositories import commit_files, git, make_repository

COMMITS = 60


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A repository of 60 commits, and their names, the oldest first."""
    folder = make_repository(tmp_path_factory.mktemp("history") / "shop", {"app.py": "0\n"})
    for number in range(1, COMMITS):
        commit_files(folder, {"app.py": f"{number}\n"})
    return folder, git(folder, "rev-list", "--reverse", "HEAD").split()


def make_verdict(number, commit, p95_ms):
    """verdict.json of the push of one commit."""
    total = endpoint(p50=p95_ms / 5, p95=p95_ms, p99=p95_ms * 2)
    day = f"2026-{1 + number // 28:02}-{1 + number % 28:02}T10:00:00+00:00"
    return encode_verdict(
        verdict(scenario(endpoints=(total,), environment=EPYC), git={"head": commit}, started_at=day)
    )


def write_runs(folder, commits, values):
    for number, (commit, value) in enumerate(zip(commits, values, strict=True)):
        at = folder / f"{hash(commit) % 1000}-{number}" / "verdict.json"  # no order is that of the commits
        at.parent.mkdir(parents=True)
        at.write_bytes(make_verdict(number, commit, float(value)))
    return folder


def test_history__finds_the_change_at_its_commit(shop, call, tmp_path):
    folder, commits = shop
    runs = write_runs(tmp_path / "runs", commits, raised(scatter(2, by=0.04), 37, 1.2))
    code, text, _ = call("history", runs, "--repository", folder, "--out", tmp_path / "out")
    assert code == 0
    assert f"since 23 commits, first at {commits[37][:10]}" in text
    assert text.count("worse:") == 3  # p50, p95 and p99 of one thing
    kept = json.loads((tmp_path / "out" / "history.json").read_text())
    assert [run["position"] for run in kept["runs"]] == list(range(1, COMMITS + 1))
    assert "has changed" in (tmp_path / "out" / "history.html").read_text()


def test_history__finds_nothing_in_equal_versions(shop, call, tmp_path):
    folder, commits = shop
    runs = write_runs(tmp_path / "runs", commits, scatter(2, by=0.04))
    code, text, _ = call("history", runs, "--repository", folder, "--out", tmp_path / "out")
    assert code == 0
    assert "nothing has become worse, as far as 5 series can tell" in text


def test_history__leaves_out_what_is_not_of_the_branch(shop, call, tmp_path):
    folder, commits = shop
    runs = write_runs(tmp_path / "runs", [*commits[:3], "f" * 40], [200.0] * 4)
    _, _, log = call("history", runs, "--repository", folder, "--out", tmp_path / "out")
    assert "left out: 1 run of no commit of this branch" in log
    assert len(json.loads((tmp_path / "out" / "history.json").read_text())["runs"]) == 3


def test_history__a_shallow_checkout_is_said_to_have_no_order(shop, call, tmp_path):
    folder, commits = shop
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{folder}", "shallow")
    runs = write_runs(tmp_path / "runs", commits[:3], [200.0] * 3)
    code, _, log = call("history", runs, "--repository", tmp_path / "shallow", "--out", tmp_path / "out")
    assert code == 0
    assert "by time, not by commit" in log


@pytest.mark.parametrize("arguments", [(), ("nothing-here",)])
def test_history__of_nothing_is_bad_input(call, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nothing-here").mkdir()
    assert call("history", *arguments)[0] == 2


def test_history__grows_from_push_to_push(shop, github, call, tmp_path, monkeypatch):
    """Each push adds its verdict to what the push before it left; a pull request's artifact is not read."""
    folder, commits = shop
    monkeypatch.setenv("GITHUB_API_URL", github.url)
    monkeypatch.setenv("GITHUB_TOKEN", "token")
    monkeypatch.setenv("GITHUB_REPOSITORY", "shop/shop")
    values = np.round(raised(scatter(3, by=0.03), 30, 1.4), 3)
    first = write_runs(tmp_path / "runs", commits[:56], values[:56])
    texts = []
    for number in range(56, COMMITS):
        pushed = tmp_path / f"{number}.json"
        pushed.write_bytes(make_verdict(number, commits[number], float(values[number])))
        sources = (first, pushed) if number == 56 else (pushed, "--from-github")
        out = tmp_path / f"out-{number}"
        code, text, log = call("history", *sources, "--repository", folder, "--out", out)
        assert code == 0, log
        texts.append(text)
        leave_artifact(github, number, (out / "history.json").read_bytes())
        leave_artifact(github, number + 1000, b"forged", event="pull_request", branch="main")
    assert texts[-1].startswith("60 runs from 2026-01-01")
    assert f"since 30 commits, first at {commits[30][:10]}" in texts[-1]


def leave_artifact(github, run_id, content, **changes):
    told = {"event": "push", "branch": "main"} | changes
    created = f"2026-11-24T{run_id % 24:02}:{run_id // 24:02}:00Z"
    github.state.runs.append(Run(id=run_id, head_sha="a" * 40, created_at=created, workflow=WORKFLOW, **told))
    packed, name = pack(("history.json", content)), name_history_artifact(DEFAULT_KEY)
    github.state.artifacts.append(Artifact(id=run_id, run_id=run_id, name=name, content=packed))
