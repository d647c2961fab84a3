"""Head against base through the command line: worktrees, images by URL, and a verdict in both directions."""

from __future__ import annotations

import subprocess

import pytest

from ci_gate.errors import UsageError
from ci_gate.evidence.recording import CONFIRM, read_run
from ci_gate.evidence.workload import Workload
from ci_gate.run.base import open_base
from ci_gate.run.plan import RunOptions, plan_duet, plan_run
from ci_gate.thresholds import parse_thresholds
from tests.conftest import SITE
from tests.repositories import git
from tests.run.duets import list_started, make_versions, run


@pytest.fixture
def versions(repository):
    return make_versions(repository)


@pytest.mark.slow
def test_duet__the_same_version_passes(versions, repository, call, tmp_path):
    code, scenario, report = run(call, repository, tmp_path / "out")
    assert code == 0, report
    assert scenario.comparison.outcome in {"PASS", "INCONCLUSIVE"}  # the latter where the machine is too busy
    plans = [plan for plan in read_run(tmp_path / "out").recordings if plan.recording.startswith("duet")]
    drawn = sorted(plans, key=lambda plan: not plan.service_first)
    # A green run pays nothing: no second start.
    assert list_started(tmp_path / "out") == [plan.recording for plan in drawn]
    (change,) = [each for each in scenario.comparison.changes if each.endpoint == "all"]
    assert abs(change.change) < 0.10
    assert git(repository.folder, "worktree", "list").count("\n") == 0


def test_order__of_starting_is_drawn_by_the_seed_for_each_scenario():
    thresholds = parse_thresholds((SITE.parents[1] / "thresholds.yaml").read_text(), "thresholds.yaml")
    drawn = {
        (base.service_first, base.load_first)
        for seed in range(20)
        for base, head in [draw_order(thresholds, seed)]
        if (head.service_first, head.load_first) == (not base.service_first, not base.load_first)
    }
    assert len(drawn) == 4  # each side is first in either, and both sides never
    assert draw_order(thresholds, 7) == draw_order(thresholds, 7)


@pytest.mark.parametrize(
    ("service", "base", "compare", "is_planned"),
    [
        ("command: serve {port}", "main", "", True),
        ("command: serve {port}", "main", "compare: {confirm: false}", False),
        ("command: serve {port}", "http://127.0.0.1:9", "", False),  # base is not started
        ("url: http://127.0.0.1:8", "http://127.0.0.1:9", "", False),  # nor is head
    ],
)
def test_second_start__is_planned_where_both_sides_are_started(
    service, base, compare, is_planned, repository, tmp_path
):
    repository.edit("thresholds.yaml", "command: python service.py {port}", service)
    repository.edit("thresholds.yaml", "    limits:", "    regression: {p50: 10%}\n    limits:")
    repository.edit("thresholds.yaml", "profiles:", f"{compare}\nprofiles:")
    thresholds = parse_thresholds(repository.thresholds.read_text(), str(repository.thresholds))
    (scenario,) = thresholds.scenarios
    options = RunOptions(
        thresholds=thresholds,
        profile=thresholds.profiles[0],
        scenarios=(scenario,),
        workloads={scenario.locust: Workload(locustfile="visits.py", classes=(), error=None)},
        out=tmp_path / "out",
        repository=repository.folder,
        environ={},
        base=base,
        seed=1,
    )
    planned = {plan.recording for plan in plan_run(options).recordings}
    assert {"head", "duet-base", "duet-head"} <= planned
    assert planned & {*CONFIRM} == ({*CONFIRM} if is_planned else set())


@pytest.mark.parametrize(("users", "processes"), [(100, 4), (8, 4), (7, 4), (3, 2), (2, 1), (1, 1)])
def test_processes__are_as_many_for_both_sides_and_no_more_than_each_has_users(users, processes, repository):
    repository.edit("thresholds.yaml", "Visitor: 5", f"Visitor: {users}")
    thresholds = parse_thresholds(repository.thresholds.read_text(), "thresholds.yaml")
    (scenario,) = thresholds.scenarios
    workload = Workload(locustfile="visits.py", classes=(), error=None)
    plans = plan_duet(scenario, thresholds.profiles[0], workload, thresholds.compare, processes=4)
    assert [plan.processes for plan in plans] == [processes] * 2


def draw_order(thresholds, seed):
    scenario = thresholds.scenarios[0]
    workload = Workload(locustfile=scenario.locustfile, classes=(), error=None)
    return plan_duet(scenario, thresholds.profiles[0], workload, thresholds.compare, seed)


@pytest.mark.slow
def test_duet__a_head_that_uses_more_cpu_for_a_success_fails_though_it_is_as_fast(
    versions, repository, call, tmp_path
):
    """3 ms of CPU in place of 3 ms of sleep."""
    repository.edit("thresholds.yaml", "regression: {p50: 10%}", "regression: {cpu: 30%, memory: 30%}")
    repository.edit("thresholds.yaml", "{max_duration: 30s}", "{max_duration: 30s, confirm: false}")
    repository.edit("thresholds.yaml", "pull_request: {duration: 2s", "pull_request: {duration: 12s")
    versions(0.007, 0.003)
    code, scenario, said = run(call, repository, tmp_path / "out")
    outcomes = {change.metric: change.outcome for change in scenario.comparison.changes}
    assert (code, outcomes["cpu"], outcomes["memory"]) == (1, "FAIL", "PASS"), said
    assert scenario.comparison.confirmation is None  # started once, as is asked for
    assert sorted(list_started(tmp_path / "out")) == ["duet-base", "duet-head"]
    (total, *_) = scenario.endpoints
    assert 3 < total.resources.cpu_ms < 12
    assert total.resources.statements is None
    assert "all cpu" in said


@pytest.mark.slow
def test_duet__a_faster_head_passes(versions, repository, call, tmp_path):
    versions(0.006)
    code, scenario, report = run(call, repository, tmp_path / "out")
    assert code == 0, report
    assert scenario.comparison.changes[0].change < -0.1


@pytest.mark.slow
def test_duet__a_broken_base_is_inconclusive_so_that_it_can_be_mended(versions, repository, call, tmp_path):
    good = (repository.folder / "service.py").read_text()
    repository.write(
        "service.py",
        good.replace("time.sleep(0.01)", 'self.path = "/status/404" if "ok" in self.path else "/"'),
    )
    git(repository.folder, "commit", "-qam", "broken base")
    repository.write("service.py", good)
    code, scenario, report = run(call, repository, tmp_path / "out")
    assert code == 0, report
    assert scenario.outcome == "INCONCLUSIVE"
    findings = {(each.code, each.side, each.subject) for each in scenario.comparison.findings}
    assert ("endpoint-never-succeeded", "base", "GET /ok") in findings
    assert "head" not in {side for _, side, _ in findings}


def test_duet__a_base_that_does_not_start_is_inconclusive_too(versions, repository, call, tmp_path):
    repository.write("service.py", "raise SystemExit('broken')")
    git(repository.folder, "commit", "-qam", "broken base")
    versions(0.010)
    code, scenario, report = run(call, repository, tmp_path / "out")
    assert code == 0, report
    assert scenario.outcome == "INCONCLUSIVE"
    assert scenario.comparison.findings[0].code == "not-compared"
    repository.edit("thresholds.yaml", "schema: 1", "schema: 1\non_inconclusive: block")
    assert call("judge", tmp_path / "out", "--thresholds", repository.thresholds)[0] == 3


def test_duet__a_base_that_git_cannot_check_out_is_inconclusive_and_head_is_judged(
    versions, repository, call, tmp_path
):
    (repository.folder / ".gitattributes").write_text("*.py filter=broken\n")
    git(repository.folder, "add", ".")
    git(repository.folder, "commit", "-qm", "needs a filter that is not installed")
    git(repository.folder, "config", "filter.broken.smudge", "no-such-filter")
    git(repository.folder, "config", "filter.broken.required", "true")
    code, scenario, report = run(call, repository, tmp_path / "out")
    assert code == 0, report
    assert scenario.outcome == "INCONCLUSIVE"
    assert all(limit.outcome == "PASS" for limit in scenario.limits)
    (finding,) = scenario.comparison.findings
    assert finding.code == "not-compared"
    assert "base could not be checked out: git worktree" in finding.message
    assert "no-such-filter" in finding.message


def test_base__may_be_a_branch_of_origin(versions, repository, tmp_path):
    clone = tmp_path / "clone"
    git(repository.folder, "checkout", "-qb", "release")
    git(repository.folder, "clone", "-q", str(repository.folder), str(clone))
    git(clone, "checkout", "-q", "--detach")
    git(clone, "branch", "-qD", "release")
    thresholds = parse_thresholds(repository.thresholds.read_text(), "thresholds.yaml")
    with open_base("release", thresholds, clone, {}) as base:
        assert base.name == f"release ({git(clone, 'rev-parse', '--short=12', 'HEAD')})"


def test_base__a_url_is_not_compared_with_a_revision(versions, repository):
    repository.edit("thresholds.yaml", "command: python service.py {port}", "url: http://127.0.0.1:9")
    thresholds = parse_thresholds(repository.thresholds.read_text(), str(repository.thresholds))
    with pytest.raises(UsageError, match="another URL"), open_base("HEAD", thresholds, repository.folder, {}):
        pass


def test_base__worktrees_of_killed_runs_are_removed(versions, repository, tmp_path):
    ended = subprocess.Popen(["true"])
    ended.wait()
    left = tmp_path / f"ci-gate-base-{ended.pid}-x" / "base"
    git(repository.folder, "worktree", "add", "--detach", str(left), "HEAD")
    thresholds = parse_thresholds(repository.thresholds.read_text(), str(repository.thresholds))
    with open_base("HEAD", thresholds, repository.folder, {}):
        assert not left.exists()
    assert git(repository.folder, "worktree", "list").count("\n") == 0


def test_run__nothing_to_compare_is_a_mistake(repository, call, tmp_path):
    code, _, err = call(
        "run", "--thresholds", repository.thresholds, "--base", "HEAD", "--out", tmp_path / "out"
    )
    assert code == 2
    assert "no regression tolerance" in err


def test_base__unknown_revision(versions, repository):
    thresholds = parse_thresholds(repository.thresholds.read_text(), str(repository.thresholds))
    with (
        pytest.raises(UsageError, match="rev-parse"),
        open_base("no-such", thresholds, repository.folder, {}),
    ):
        pass


def test_base__an_option_is_no_revision(versions, repository):
    thresholds = parse_thresholds(repository.thresholds.read_text(), str(repository.thresholds))
    with pytest.raises(UsageError), open_base("--help", thresholds, repository.folder, {}):
        pass


def test_base__is_started_as_its_own_thresholds_say(versions, repository):
    repository.edit("thresholds.yaml", "python service.py {port}", "python renamed.py {port}")
    thresholds = parse_thresholds(repository.thresholds.read_text(), str(repository.thresholds))
    with open_base("HEAD", thresholds, repository.folder, {}) as base:
        assert base.service.target == "python service.py {port}"
        assert (base.repository / "service.py").is_file()
        worktree = base.repository
    assert not worktree.exists()
