"""load-gate.yml, really run: by act, with PostgreSQL and Redis as service containers."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator

import pytest

from ci_gate.judge.occasion import Occasion
from ci_gate.judge.verdict import encode_verdict
from ci_gate.thresholds import parse_thresholds
from tests.e2e.act import remove_kept_images, run_act
from tests.e2e.images import Images
from tests.e2e.remote import BURST, DEPLOYMENTS, OWN, Remote
from tests.github.fake_github import FakeGitHub
from tests.github.fake_state import REPOSITORY, Artifact, Pull, Run
from tests.report.verdicts import limit, scenario, verdict

ASKED = os.environ.get("CI_GATE_ACT")
pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.skipif(
        ASKED not in {"1", "all"},
        reason="takes minutes, and fixed ports of the Docker bridge: set CI_GATE_ACT=1, or all",
    ),
]
# One case goes through both workflows; the others take as long again, each.
one_of_many = pytest.mark.skipif(ASKED != "all", reason="one case is run: set CI_GATE_ACT=all for every case")


@pytest.fixture(scope="session")
def images() -> Iterator[Images]:
    yield Images()
    remove_kept_images()


@pytest.fixture
def remote(tmp_path, images) -> Remote:
    return Remote(tmp_path / "repository", images, DEPLOYMENTS + BURST)


def pull_request(head: str) -> dict[str, object]:
    sides = {"head": {"ref": "change", "sha": head}, "base": {"ref": "main", "sha": "0" * 40}}
    return {"number": 1, "pull_request": {"number": 1, "labels": [], **sides}}


def on(remote: Remote, images: Images) -> dict[str, object]:
    return {"remote": remote, "runner": images.runner, "actions": remote.actions}


def run(event, payload, remote, images, tmp_path):
    remote.publish()
    outcome = run_act(event, payload, **on(remote, images), folder=tmp_path / "act")
    print(outcome.log[-30_000:])  # shown where the test fails
    return outcome


@one_of_many
def test_pull_request__without_a_change_is_green(remote, images, tmp_path):
    remote.branch("change")
    head = remote.commit("Nothing")
    merge = remote.merge_into_main("change")
    outcome = run("pull_request", pull_request(head), remote, images, tmp_path)
    assert outcome.exit_code == 0
    verdict = outcome.verdict
    assert verdict.outcome in {"PASS", "INCONCLUSIVE"}  # a busy machine may leave the comparison open
    assert not verdict.blocks
    assert verdict.git["head"] == merge
    deployments, burst = verdict.scenarios
    assert (deployments.name, burst.name) == ("concurrent-deployments", "burst-load")
    assert deployments.comparison is not None
    assert burst.comparison is None
    assert (outcome.artifacts / "load-gate~evidence~burst-load" / "run.json").exists()
    assert [each.name for each in (outcome.artifacts / "load-gate~images").iterdir()] == ["no-images.txt"]
    assert "burst-load" in (outcome.artifacts / "load-gate-report" / "report.html").read_text()


def test_pull_request__that_slows_an_endpoint_is_red_and_commented(images, tmp_path):
    remote = Remote(tmp_path / "repository", images, DEPLOYMENTS)
    remote.edit(OWN, r"^( +)redis: .*$", r"\g<0>\n\1confirm-on: fresh-runner")
    remote.branch("change")
    remote.edit(
        "reference_service/deployments.py",
        r"^    risk_score = score_risk\(draft\)$",
        r'    __import__("time").sleep(0.3)\n\g<0>',
    )
    head = remote.commit("Slow")
    merge = remote.merge_into_main("change")
    outcome = run("pull_request", pull_request(head), remote, images, tmp_path)
    assert outcome.exit_code != 0
    (deployments,) = outcome.verdict.scenarios
    assert (outcome.verdict.outcome, deployments.outcome) == ("FAIL", "FAIL")
    assert "all p90" in [f"{limit.endpoint} {limit.metric}" for limit in deployments.breaches]
    assert deployments.comparison is not None
    assert deployments.comparison.outcome == "FAIL"
    assert deployments.comparison.is_confirmed, deployments.comparison.confirmation
    assert outcome.verdict.findings == ()
    both = outcome.artifacts / "load-gate~confirmed-evidence~concurrent-deployments"
    assert {"duet-head", "confirm-head"} <= {each.name for each in (both / deployments.name).iterdir()}
    assert (outcome.artifacts / "load-gate~images" / "images.tar").exists()  # the scenario may be run again

    comment_on(outcome, remote, images, tmp_path, head, merge)


@one_of_many
def test_pull_request__whose_title_is_edited_is_not_measured_and_stays_red(remote, images, tmp_path):
    remote.branch("change")
    head = remote.commit("Nothing")
    merge = remote.merge_into_main("change")
    remote.publish()
    sha256 = parse_thresholds(DEPLOYMENTS + BURST, "thresholds.yaml").sha256
    occasion = Occasion(
        event="pull_request",
        pull_number=1,
        head_sha=head,
        base_ref="main",
        base_sha=remote.base,
        run_id=7,
        run_attempt=1,
    )
    broken = scenario("burst-load", "FAIL", limits=[limit(outcome="FAIL", measured=900.0)])
    measured = verdict(
        scenario("concurrent-deployments"),
        broken,
        outcome="FAIL",
        thresholds_sha256=sha256,
        occasion=occasion,
    )
    payload = {"action": "edited", "changes": {"title": {"from": "x"}}, **pull_request(head)}
    with FakeGitHub() as github:
        github.state.pulls.append(Pull(number=1, sha=head, branch="change", merge_sha=merge))
        github.state.runs += [
            Run(id=7, head_sha=head, created_at="2026-11-24T09:00:00Z", conclusion="failure", workflow_id=3),
            Run(id=1, head_sha=head, created_at="2026-11-24T10:00:00Z", conclusion=None, workflow_id=3),
        ]
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("verdict.json", encode_verdict(measured))
        github.state.artifacts.append(
            Artifact(id=1, run_id=7, name="load-gate-verdict", content=packed.getvalue())
        )
        outcome = run_act(
            "pull_request",
            payload,
            **on(remote, images),
            folder=tmp_path / "act",
            environment={"GITHUB_API_URL": github.url, "no_proxy": "127.0.0.1,localhost"},
            token="token",
        )
        print(outcome.log[-30_000:])
        assert github.state.description.violations == []
    assert outcome.exit_code != 0
    assert outcome.verdict.outcome == "FAIL"
    assert "measured by run 7" in outcome.verdict.findings[-1].message
    assert not [*outcome.artifacts.glob("*evidence*")]
    assert (outcome.artifacts / "load-gate-report" / "report.html").exists()


def comment_on(outcome, remote, images, tmp_path, head, merge) -> None:
    """load-gate-comment.yml, run for that outcome against a GitHub that holds the two sides."""
    remote.return_to_main()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(outcome.artifacts / "load-gate-verdict" / "verdict.json", "verdict.json")
    run = {
        "id": 7,
        "event": "pull_request",
        "head_sha": head,
        "head_branch": "change",
        "head_repository": {"full_name": REPOSITORY},
        "html_url": f"https://github.com/{REPOSITORY}/actions/runs/7",
    }
    with FakeGitHub() as github:
        github.state.pulls.append(Pull(number=1, sha=head, branch="change", merge_sha=merge))
        github.state.parents[merge] = (remote.base, head)
        github.state.artifacts.append(
            Artifact(id=1, run_id=7, name="load-gate-verdict", content=packed.getvalue())
        )
        for commit in (remote.base, merge):
            for path, content in remote.read_files(commit).items():
                github.state.files[commit, path] = content
        commented = run_act(
            "workflow_run",
            {"action": "completed", "workflow_run": run},
            **on(remote, images),
            folder=tmp_path / "comment",
            workflow="load-gate-comment.yml",
            environment={"GITHUB_API_URL": github.url, "no_proxy": "127.0.0.1,localhost"},
            token="token",
        )
        print(commented.log[-10_000:])
        assert commented.exit_code == 0
        assert github.state.description.violations == []
        (comment,) = github.state.comments[1]
    assert comment.author == "github-actions[bot]"
    assert "concurrent-deployments" in comment.body
    assert "FAIL" in comment.body


@one_of_many
def test_dispatch__with_inputs(remote, images, tmp_path):
    inputs = {"scenario": "burst-load", "profile": "quick", "users": "15", "base": ""}
    outcome = run("workflow_dispatch", {"inputs": inputs}, remote, images, tmp_path)
    assert outcome.exit_code == 0
    (burst,) = outcome.verdict.scenarios
    assert (burst.name, burst.users, burst.outcome) == ("burst-load", 15, "PASS")
    assert burst.comparison is None
    assert outcome.verdict.profile == "quick"
