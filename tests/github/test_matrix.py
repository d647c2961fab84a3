from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from ci_gate.cli.ci import plan_command
from ci_gate.errors import BadInputError, UsageError
from ci_gate.github.plan_job import (
    Matrix,
    explain_lost_base,
    find_measured_base,
    find_reviewed_base,
    render_outputs,
    split_names,
)
from ci_gate.github.problems import parse_problems
from tests.repositories import git


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
    (folder / "Dockerfile").write_text("FROM scratch\nEXPOSE 8080\n")
    change = commit(folder, "Change")
    git(folder, "checkout", "--quiet", "main")
    (folder / "new").write_text("")
    base = commit(folder, "Base has moved on")
    git(folder, "checkout", "--quiet", "--detach")
    git(folder, "merge", "--quiet", "--no-ff", "-m", "Merge", "change")
    return {"folder": folder, "old": old, "base": base, "change": change}


def pull_request(merged, *, head=None, base="old", merge=None):
    """The payload of a pull request of the branch ``change``."""
    sides = {"head": {"sha": head or merged["change"]}, "base": {"sha": merged.get(base, base)}}
    return {"pull_request": {**sides, "merge_commit_sha": merge}}


def test_base__of_a_pull_request_is_the_first_parent_of_its_merge(merged):
    stale = pull_request(merged, base="old")
    assert find_reviewed_base("pull_request", stale, merged["folder"]) == merged["base"]


def test_base__of_a_head_that_is_checked_out_itself_is_where_it_comes_from(merged):
    """HEAD^1 would be the pull request's own commit before the last, with what was loosened until then."""
    git(merged["folder"], "checkout", "--quiet", "change")
    head = commit(merged["folder"], "A second commit")
    payload = pull_request(merged, head=head, base="base")
    assert find_reviewed_base("pull_request", payload, merged["folder"]) == merged["old"]


def test_base__of_a_head_that_is_itself_a_merge_of_base(merged):
    git(merged["folder"], "checkout", "--quiet", "change")
    git(merged["folder"], "merge", "--quiet", "--no-ff", "-m", "Catch up", "main")
    payload = pull_request(merged, head=git(merged["folder"], "rev-parse", "HEAD"), base="base")
    assert find_reviewed_base("pull_request", payload, merged["folder"]) == merged["base"]


def test_base__of_the_merge_that_the_event_names(merged):
    """The head may have moved on since the event: what is checked out is still the merge."""
    merge = git(merged["folder"], "rev-parse", "HEAD")
    payload = pull_request(merged, head="f" * 40, merge=merge)
    assert find_reviewed_base("pull_request", payload, merged["folder"]) == merged["base"]


def test_base__that_is_checked_out_in_place_of_the_pull_request(merged):
    git(merged["folder"], "checkout", "--quiet", "main")
    with pytest.raises(UsageError, match="is base's own: check out the pull request's merge"):
        find_reviewed_base("pull_request_target", pull_request(merged, base="base"), merged["folder"])


def test_base__of_a_shallow_checkout_says_how_to_fetch_more(merged, tmp_path):
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth=1", merged["folder"].as_uri(), str(shallow))
    with pytest.raises(UsageError, match="fetch-depth: 0"):
        find_reviewed_base("pull_request", pull_request(merged), shallow)


def test_base__without_a_common_history(merged):
    git(merged["folder"], "checkout", "--quiet", "--orphan", "other")
    commit(merged["folder"], "Other")
    with pytest.raises(UsageError, match="no commit in common"):
        find_reviewed_base("pull_request", pull_request(merged), merged["folder"])


def test_base__of_a_merge_group_is_what_it_says(merged):
    payload = {"merge_group": {"base_sha": merged["old"]}}
    assert find_reviewed_base("merge_group", payload, merged["folder"]) == merged["old"]


@pytest.mark.parametrize("event", ["workflow_dispatch", "schedule", ""])
def test_base__of_other_events_is_none(merged, event):
    assert find_reviewed_base(event, {}, merged["folder"]) == ""


@pytest.mark.parametrize("before", ["", "0" * 40, "0" * 64])
def test_base__of_a_push_that_makes_a_branch_is_none(merged, before):
    payload = {"before": before}
    assert find_reviewed_base("push", payload, merged["folder"]) == ""
    assert explain_lost_base("push", payload, "") == ""


def test_base__of_a_push_is_the_commit_before_it(merged):
    """Several commits back, where several were pushed at once."""
    payload = {"before": merged["old"], "forced": False}
    assert find_reviewed_base("push", payload, merged["folder"]) == merged["old"]
    assert explain_lost_base("push", payload, merged["old"]) == ""


def test_base__of_a_push_that_replaced_the_history_is_none_and_says_so(merged):
    payload = {"before": "f" * 40, "forced": True}
    assert find_reviewed_base("push", payload, merged["folder"]) == ""
    assert "replaced 'ffffffffffff'" in explain_lost_base("push", payload, "")


def test_base__of_a_push_that_is_not_in_the_checkout(merged):
    with pytest.raises(UsageError, match="no commit"):
        find_reviewed_base("push", {"before": "f" * 40, "forced": False}, merged["folder"])


def test_measured_base__is_the_reviewed_one_unless_another_is_asked_for(merged):
    assert find_measured_base("change", merged["base"], merged["folder"]) == merged["change"]
    assert find_measured_base("", merged["base"], merged["folder"]) == merged["base"]


def test_measured_base__may_be_a_branch_of_origin(merged, tmp_path):
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(merged["folder"]), str(clone))
    assert find_measured_base("change", "", clone) == merged["change"]


@pytest.mark.parametrize("revision", ["gone", "--all", "HEAD;reboot", "$(reboot)", "", "HEAD:Dockerfile"])
def test_base__that_is_no_commit(merged, revision):
    payload = {"merge_group": {"base_sha": revision}}
    with pytest.raises(UsageError, match="no commit"):
        find_reviewed_base("merge_group", payload, merged["folder"])


@pytest.mark.parametrize("payload", [{}, {"pull_request": None}, {"pull_request": {"base": {"sha": 7}}}])
def test_base__of_a_payload_that_names_none(merged, payload):
    git(merged["folder"], "checkout", "--quiet", "change")
    with pytest.raises(UsageError, match="no commit"):
        find_reviewed_base("pull_request", payload, merged["folder"])


def test_names__between_commas_and_spaces_once():
    assert split_names(" a, b  a,,c\n") == ("a", "b", "c")
    assert split_names(" ") == ()


def test_outputs__are_lines_that_github_reads():
    matrix = Matrix(
        scenarios=("a", "b"),
        compared=frozenset({"b"}),
        profile="quick",
        base="c0ffee",
        measured_base="decade",
        not_compared="why",
        dockerfile="shop/Dockerfile",
        context="shop",
        users=5,
    )
    assert render_outputs(matrix) == (
        'matrix=[{"scenario": "a", "base": ""}, {"scenario": "b", "base": "decade"}]\n'
        'scenarios=["a", "b"]\nprofile=quick\nbase=c0ffee\n'
        "measured_base=decade\nnot_compared=why\ndockerfile=shop/Dockerfile\ncontext=shop\nusers=5\n"
    )


def test_outputs__cannot_be_smuggled_in():
    matrix = Matrix(
        scenarios=(),
        compared=frozenset(),
        profile="quick",
        base="",
        measured_base="",
        not_compared="",
        dockerfile="x\nbase=evil",
        context="",
        users=None,
    )
    with pytest.raises(UsageError, match="dockerfile holds characters"):
        render_outputs(matrix)


def plan(merged, *arguments, event="pull_request", payload=None, file="thresholds.yaml", **environ):
    told = merged["folder"].parent / "event.json"
    told.write_text(json.dumps(payload or (pull_request(merged) if event == "pull_request" else {})))
    return CliRunner().invoke(
        plan_command,
        ["--thresholds", str(merged["folder"] / file), *arguments],
        env={"GITHUB_EVENT_NAME": event, "GITHUB_EVENT_PATH": str(told), **environ},
        standalone_mode=False,
    )


def test_plan__of_a_pull_request(merged):
    assert plan(merged).stdout == (
        'matrix=[{"scenario": "visits", "base": ""}]\n'
        f'scenarios=["visits"]\nprofile=pull_request\nbase={merged["base"]}\n'
        f"measured_base={merged['base']}\nnot_compared=\ndockerfile=\ncontext=\nusers=\n"
    )


def test_plan__compares_scenarios_that_have_a_tolerance(merged, repository):
    repository.edit("thresholds.yaml", "    limits:", "    regression: {p50: 10%}\n    limits:")
    assert f'matrix=[{{"scenario": "visits", "base": "{merged["base"]}"}}]\n' in plan(merged).stdout


def test_plan__that_fails_hands_on_every_problem(merged, repository):
    def hand_on(planned):
        (line,) = planned.stdout.splitlines()
        return parse_problems(line.removeprefix("problems="))

    (told,) = hand_on(plan(merged, "--profile", "nothing"))
    assert (told.file, told.line) == ("", 0)
    repository.edit("thresholds.yaml", "spawn_rate", "spawn_rat")
    planned = plan(merged)
    assert isinstance(planned.exception, BadInputError)
    assert hand_on(planned) == planned.exception.problems


def test_plan__by_hand(merged):
    arguments = ["--scenario", "visits", "--profile", "long", "--users", "3", "--dockerfile", "Dockerfile"]
    assert plan(merged, *arguments, event="workflow_dispatch").stdout == (
        'matrix=[{"scenario": "visits", "base": ""}]\n'
        'scenarios=["visits"]\nprofile=long\nbase=\nmeasured_base=\nnot_compared=\n'
        "dockerfile=Dockerfile\ncontext=.\nusers=3\n"
    )


def test_plan__of_a_moved_dockerfile_measures_no_base_and_reviews_thresholds_all_the_same(merged):
    done = plan(merged, "--dockerfile", "Dockerfile")
    why = f"base {merged['base'][:12]} has no Dockerfile"
    assert f"\nbase={merged['base']}\nmeasured_base=\nnot_compared={why}\n" in done.stdout
    assert done.stderr == f"::warning title=Nothing is compared::{why}\n"


def test_plan__of_a_dockerfile_that_base_has_measures_both(merged, repository):
    repository.edit("thresholds.yaml", "service:\n", "service:\n  port: 8000\n")
    done = plan(merged, "--dockerfile", "thresholds.yaml")
    assert f"\nmeasured_base={merged['base']}\nnot_compared=\n" in done.stdout
    assert done.stderr == ""


def test_plan__reviews_the_events_base_whatever_is_measured(merged):
    """Or the base that a caller names, such as the last release, would be asked what may be loosened."""
    printed = plan(merged, "--base", "change").stdout
    assert f"\nbase={merged['base']}\nmeasured_base={merged['change']}\n" in printed
    by_hand = plan(merged, "--base", "change", event="workflow_dispatch").stdout
    assert f"\nbase={merged['change']}\nmeasured_base={merged['change']}\n" in by_hand


def test_plan__of_a_push_measures_the_commit_before_it(merged):
    done = plan(merged, event="push", payload={"before": merged["old"]})
    assert f"\nbase={merged['old']}\nmeasured_base={merged['old']}\nnot_compared=\n" in done.stdout


def test_plan__of_a_push_that_replaced_the_history_says_why_nothing_is_compared(merged):
    done = plan(merged, event="push", payload={"before": "f" * 40, "forced": True})
    assert "\nbase=\nmeasured_base=\nnot_compared=the push replaced 'ffffffffffff'" in done.stdout
    assert done.stderr.startswith("::warning title=Nothing is compared::the push replaced")


@pytest.fixture
def monorepo(merged, repository):
    """With a service below backend/, which is a part of base and builds by backend/docker/Dockerfile."""
    folder = merged["folder"]
    git(folder, "checkout", "--quiet", "main")
    for name in ("thresholds.yaml", "visits.py", "docker/Dockerfile"):
        (folder / "backend" / name).parent.mkdir(parents=True, exist_ok=True)
    for name in ("thresholds.yaml", "visits.py"):
        (folder / "backend" / name).write_text((folder / name).read_text())
    (folder / "backend/docker/Dockerfile").write_text("FROM scratch\nEXPOSE 8080\n")
    return {**merged, "old": commit(folder, "Backend")}


@pytest.mark.parametrize(
    ("context", "expected"), [("docker", "backend/docker"), ("..", "."), (".", "backend")]
)
def test_plan__finds_dockerfile_and_context_from_thresholds_yaml(monorepo, context, expected):
    asked = ("--dockerfile", "docker/Dockerfile", "--context", context)
    done = plan(
        monorepo, *asked, event="push", payload={"before": monorepo["old"]}, file="backend/thresholds.yaml"
    )
    assert f"\ndockerfile=backend/docker/Dockerfile\ncontext={expected}\n" in done.stdout
    assert f"\nmeasured_base={monorepo['old']}\nnot_compared=\n" in done.stdout


@pytest.mark.parametrize(
    ("dockerfile", "context", "message"),
    [
        ("docker/Dockerfile", "gone", "there is no folder backend/gone"),
        ("docker/Dockerfile", "../..", "there is no folder .."),
        ("docker/Dockerfile", "/etc", "there is no folder /etc"),
        ("../../Dockerfile", ".", "there is no ../Dockerfile"),
        ("/etc/passwd", ".", "there is no /etc/passwd"),
    ],
)
def test_plan__of_an_image_from_elsewhere(monorepo, dockerfile, context, message):
    (monorepo["folder"].parent / "Dockerfile").write_text("FROM scratch\n")
    asked = ("--dockerfile", dockerfile, "--context", context)
    done = plan(monorepo, *asked, event="push", file="backend/thresholds.yaml")
    assert isinstance(done.exception, BadInputError)
    assert message in str(done.exception)


@pytest.mark.parametrize("key", ["", "a/b", "a~verdict~b", "-a", "a" * 62, "a\nb"])
def test_plan__refuses_a_key_that_names_no_artifact(merged, key):
    done = plan(merged, "--key", key)
    assert isinstance(done.exception, UsageError)
    assert "key takes 1 to 61 letters" in done.stdout
    assert plan(merged, "--key", "a-verdict_1.b").exception is None


def test_plan__gives_the_locustfile_the_secrets_and_hides_them(merged, repository, monkeypatch):
    repository.edit(
        "visits.py", "from locust", 'import os\n\nassert os.environ["API_KEY"] == "aaa=b%"\nfrom locust'
    )
    assert plan(merged).exception is not None
    monkeypatch.delenv("API_KEY", raising=False)
    done = plan(merged, CI_GATE_SERVICE_ENV="# of the shop\n\nAPI_KEY=aaa=b%\n")
    assert done.exception is None, done.stderr
    assert "::add-mask::aaa=b%25\n" in done.stderr
    assert "aaa=b" not in done.stdout


def test_plan__of_a_missing_dockerfile_says_so_before_anything_is_built(merged):
    done = plan(merged, "--dockerfile", "docker/Dockerfile")
    assert isinstance(done.exception, BadInputError)
    (problem,) = done.exception.problems
    assert (problem.line, problem.message) == (
        2,
        "the service's image cannot be built: there is no docker/Dockerfile",
    )
    assert "the input 'dockerfile'" in problem.allowed
    assert parse_problems(done.stdout.removeprefix("problems=")) == (problem,)


@pytest.mark.parametrize(
    ("exposed", "port", "message", "warning"),
    [
        ("EXPOSE 5000", "", "8080 is taken, and Dockerfile exposes 5000", ""),
        ("expose 5000/tcp 53/udp", "", "exposes 5000", ""),
        ("EXPOSE 5000", "  port: 5001\n", "", ""),
        ("EXPOSE 5000", "  port: 8080\n", "", ""),
        ("EXPOSE 5000\nEXPOSE 8000-8100", "", "", ""),
        ("EXPOSE 5000 $PORT", "", "", "8080 is taken"),
        ("", "", "", "8080 is taken"),
        ("", "  port: 5000\n", "", ""),
    ],
)
def test_plan__of_an_image_whose_port_nobody_names(merged, repository, exposed, port, message, warning):
    (merged["folder"] / "Dockerfile").write_text(f"FROM scratch\n{exposed}\n")
    repository.edit("thresholds.yaml", "service:\n", f"service:\n{port}")
    done = plan(merged, "--dockerfile", "Dockerfile", event="workflow_dispatch")
    problems = done.exception.problems if isinstance(done.exception, BadInputError) else ()
    assert [message in problem.message for problem in problems] == ([True] if message else [])
    assert warning in done.stderr
    assert bool(warning) is bool(done.stderr)


@pytest.mark.parametrize(("count", "is_refused"), [(256, False), (257, True)])
def test_plan__of_more_scenarios_than_a_matrix_holds(merged, count, is_refused):
    """Unless a part of them is asked for."""
    head, *_ = (merged["folder"] / "thresholds.yaml").read_text().partition("  visits:\n")
    names = [f"visits{index}" for index in range(count)]
    rest = "{locustfile: visits.py, users: {Visitor: 5}, spawn_rate: 5, limits: {all: {p50: 1s}}}"
    text = head + "".join(f"  {name}: {rest}\n" for name in names)
    (merged["folder"] / "thresholds.yaml").write_text(text)
    done = plan(merged, event="workflow_dispatch")
    problems = done.exception.problems if isinstance(done.exception, BadInputError) else ()
    assert [problem.line for problem in problems] == ([head.count("\n") + 257] if is_refused else [])
    assert plan(merged, "--scenario", "visits0,visits255", event="workflow_dispatch").exception is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scenario", "other"], "no scenario other"),
        (["--profile", "other"], "no profile 'other'"),
        (["--confirm-on", "fresh"], "allowed: same-runner, fresh-runner"),
        (["--confirm-on", ""], "allowed: same-runner, fresh-runner"),
        (["--users", "0"], "no whole number"),
        (["--users", "-1"], "no whole number"),
        (["--users", "1e3"], "no whole number"),
        (["--users", "9" * 5000], "no whole number"),
        (["--users", "٣"], "no whole number"),
        (["--base", "gone"], "no commit 'gone'"),
    ],
)
def test_plan__refuses(merged, arguments, message):
    done = plan(merged, *arguments)
    assert isinstance(done.exception, UsageError)
    assert message in str(done.exception)
    assert [line.partition("=")[0] for line in done.stdout.splitlines()] == ["problems"]
