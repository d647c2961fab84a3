from __future__ import annotations

import subprocess

import pytest
from click.testing import CliRunner

from ci_gate.commands_ci import plan_command
from ci_gate.errors import UsageError
from ci_gate.matrix import Matrix, find_base, has_file, render_outputs, split_names


def git(folder, *arguments):
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.invalid"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def commit(folder, message):
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def merged(repository):
    """At the test merge of a pull request, with a base that is older than main."""
    folder = repository.folder
    git(folder, "init", "--quiet", "-b", "main")
    old = commit(folder, "Old base")
    git(folder, "checkout", "--quiet", "-b", "change")
    (folder / "Dockerfile").write_text("FROM scratch\n")
    change = commit(folder, "Change")
    git(folder, "checkout", "--quiet", "main")
    (folder / "new").write_text("")
    base = commit(folder, "Base has moved on")
    git(folder, "checkout", "--quiet", "--detach")
    git(folder, "merge", "--quiet", "--no-ff", "-m", "Merge", "change")
    return {"folder": folder, "old": old, "base": base, "change": change}


def test_base__of_a_pull_request_is_the_first_parent_of_its_merge(merged):
    stale = {"pull_request": {"base": {"sha": merged["old"]}}}
    assert find_base("pull_request", stale, "", merged["folder"]) == merged["base"]


def test_base__of_a_merge_group_is_what_it_says(merged):
    payload = {"merge_group": {"base_sha": merged["old"]}}
    assert find_base("merge_group", payload, "", merged["folder"]) == merged["old"]


@pytest.mark.parametrize("event", ["workflow_dispatch", "push", ""])
def test_base__of_other_events_is_none(merged, event):
    assert find_base(event, {}, "", merged["folder"]) == ""


@pytest.mark.parametrize("event", ["pull_request", "workflow_dispatch"])
def test_base__asked_for_comes_first(merged, event):
    assert find_base(event, {}, "change", merged["folder"]) == merged["change"]


def test_base__may_be_a_branch_of_origin(merged, tmp_path):
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(merged["folder"]), str(clone))
    assert find_base("workflow_dispatch", {}, "change", clone) == merged["change"]


@pytest.mark.parametrize("revision", ["gone", "--all", "HEAD;reboot", "$(reboot)", "", "HEAD:Dockerfile"])
def test_base__that_is_no_commit(merged, revision):
    payload = {"merge_group": {"base_sha": revision}}
    with pytest.raises(UsageError, match="no commit"):
        find_base("merge_group", payload, "", merged["folder"])


def test_file__of_a_commit(merged):
    assert has_file(merged["change"], "Dockerfile", merged["folder"])
    assert not has_file(merged["base"], "Dockerfile", merged["folder"])


def test_names__between_commas_and_spaces_once():
    assert split_names(" a, b  a,,c\n") == ("a", "b", "c")
    assert split_names(" ") == ()


def test_outputs__are_lines_that_github_reads():
    matrix = Matrix(
        scenarios=("a", "b"),
        compared=frozenset({"b"}),
        profile="quick",
        base="c0ffee",
        dockerfile="Dockerfile",
        users=5,
    )
    assert render_outputs(matrix) == (
        'matrix=[{"scenario": "a", "base": ""}, {"scenario": "b", "base": "c0ffee"}]\n'
        'scenarios=["a", "b"]\nprofile=quick\nbase=c0ffee\ndockerfile=Dockerfile\nusers=5\n'
    )


def test_outputs__cannot_be_smuggled_in():
    matrix = Matrix(
        scenarios=(), compared=frozenset(), profile="quick", base="", dockerfile="x\nbase=evil", users=None
    )
    with pytest.raises(UsageError, match="dockerfile holds characters"):
        render_outputs(matrix)


def plan(merged, *arguments, event="pull_request"):
    result = CliRunner().invoke(
        plan_command,
        ["--thresholds", str(merged["folder"] / "thresholds.yaml"), *arguments],
        env={"GITHUB_EVENT_NAME": event, "GITHUB_EVENT_PATH": ""},
        standalone_mode=False,
    )
    return result.exception, result.stdout


def test_plan__of_a_pull_request(merged):
    assert plan(merged) == (
        None,
        (
            'matrix=[{"scenario": "visits", "base": ""}]\n'
            f'scenarios=["visits"]\nprofile=pull_request\nbase={merged["base"]}\ndockerfile=\nusers=\n'
        ),
    )


def test_plan__compares_scenarios_that_have_a_tolerance(merged, repository):
    repository.edit("thresholds.yaml", "    limits:", "    regression: {p50: 10%}\n    limits:")
    assert f'matrix=[{{"scenario": "visits", "base": "{merged["base"]}"}}]\n' in plan(merged)[1]


def test_plan__by_hand(merged):
    arguments = ["--scenario", "visits", "--profile", "long", "--users", "3", "--dockerfile", "Dockerfile"]
    assert plan(merged, *arguments, event="workflow_dispatch") == (
        None,
        (
            'matrix=[{"scenario": "visits", "base": ""}]\n'
            'scenarios=["visits"]\nprofile=long\nbase=\ndockerfile=Dockerfile\nusers=3\n'
        ),
    )


def test_plan__compares_with_nothing_where_base_cannot_be_built(merged):
    assert "\nbase=\n" in plan(merged, "--dockerfile", "Dockerfile")[1]
    assert f"\nbase={merged['base']}\n" in plan(merged, "--dockerfile", "thresholds.yaml")[1]


def test_plan__none_is_no_dockerfile(merged):
    assert "\ndockerfile=\n" in plan(merged, "--dockerfile", "none")[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scenario", "other"], "no scenario other"),
        (["--profile", "other"], "no profile 'other'"),
        (["--users", "0"], "no whole number"),
        (["--users", "-1"], "no whole number"),
        (["--users", "1e3"], "no whole number"),
        (["--users", "٣"], "no whole number"),
        (["--base", "gone"], "no commit 'gone'"),
    ],
)
def test_plan__refuses(merged, arguments, message):
    error, printed = plan(merged, *arguments)
    assert isinstance(error, UsageError)
    assert message in str(error)
    assert printed == ""
