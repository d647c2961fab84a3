"""action.yml and comment/action.yml, really run: by act, in a repository with a service of its own."""

from __future__ import annotations

import io
import os
import re
import zipfile

import pytest

from ci_gate.judge.verdict import decode_verdict
from tests.e2e.act import run_act
from tests.e2e.adopter import COMMENT, GATE, Adopter
from tests.e2e.images import Images
from tests.e2e.remote import copy_work_tree
from tests.github.fake_github import FakeGitHub
from tests.github.fake_state import REPOSITORY, Artifact, Pull

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.skipif(
        os.environ.get("CI_GATE_ACT") != "all", reason="takes minutes: set CI_GATE_ACT=all for every case"
    ),
]


@pytest.fixture(scope="module")
def images() -> Images:
    return Images()


class Job:
    """Runs the adopter's workflows, with this repository as it stands in place of the released action."""

    def __init__(self, folder, images):
        self.folder, self.images = folder, images
        self.adopter = Adopter(folder / "adopter")
        self.gate = folder / "ci-gate"
        copy_work_tree(self.gate)
        self.github = FakeGitHub()
        self.head = self.merge = ""

    def open_pull_request(self):
        self.head = self.adopter.commit("Change")
        self.merge = self.adopter.merge_into_main("change")
        self.adopter.publish()
        self.github.state.pulls.append(Pull(number=1, sha=self.head, branch="change", merge_sha=self.merge))
        self.github.state.parents[self.merge] = (self.adopter.base, self.head)
        for commit in (self.adopter.base, self.merge):
            for path, content in self.adopter.read_files(commit).items():
                self.github.state.files[commit, path] = content

    def run(self, event, payload, name, workflow):
        outcome = run_act(
            event,
            payload,
            remote=self.adopter,
            runner=self.images.adopter,
            folder=self.folder / name,
            actions={GATE: self.gate, COMMENT.replace("/comment", ""): self.gate},
            workflow=workflow,
            environment={"GITHUB_API_URL": self.github.url, "no_proxy": "127.0.0.1,localhost"},
            token="token",
        )
        print(outcome.log[-30_000:])  # shown where the test fails
        assert self.github.state.description.violations == []
        return outcome

    def measure(self):
        sides = {"head": {"ref": "change", "sha": self.head}, "base": {"ref": "main", "sha": "0" * 40}}
        payload = {"action": "synchronize", "number": 1, "pull_request": {"number": 1, "labels": [], **sides}}
        outcome = self.run("pull_request", payload, "gate", "ci.yml")
        content = (outcome.artifacts / "shop-verdict" / "verdict.json").read_bytes()
        return outcome, decode_verdict(content), content

    def comment(self, content):
        """As the workflow that follows the run, which left ``content`` as its verdict."""
        self.adopter.return_to_main()
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("verdict.json", content)
        artifact = Artifact(id=1, run_id=7, name="shop-verdict", content=packed.getvalue())
        self.github.state.artifacts.append(artifact)
        run = {
            "id": 7,
            "event": "pull_request",
            "head_sha": self.head,
            "head_branch": "change",
            "head_repository": {"full_name": REPOSITORY},
            "html_url": f"https://github.com/{REPOSITORY}/actions/runs/7",
        }
        return self.run(
            "workflow_run", {"action": "completed", "workflow_run": run}, "comment", "comment.yml"
        )


@pytest.fixture
def job(tmp_path, images):
    started = Job(tmp_path, images)
    with started.github:
        yield started


def test_action__a_change_that_slows_nothing_is_green_and_commented(job):
    job.adopter.branch("change")
    job.open_pull_request()
    outcome, verdict, content = job.measure()
    assert outcome.exit_code == 0
    assert verdict.outcome in {"PASS", "INCONCLUSIVE"}  # a busy machine may leave the comparison open
    assert verdict.scenarios[0].comparison is not None
    assert verdict.occasion.base_sha == job.adopter.base
    assert (outcome.artifacts / "shop-report" / "evidence" / "run.json").exists()
    assert "orders" in (outcome.artifacts / "shop-report" / "report.html").read_text()
    assert re.search(r"outputs: (PASS|INCONCLUSIVE) \S+, python: /usr/local/bin/python", outcome.log)
    (comment,) = job.github.state.comments[1]
    assert comment.body.startswith("<!-- ci-gate:shop -->")
    assert "[report](https://github.com/artifacts/shop.html)" in comment.body
    assert "orders" in (outcome.artifacts / "shop.html" / "shop.html").read_text()

    # The same comment, by the action of the workflow that follows: it finds the one that is there.
    commented = job.comment(content)
    assert commented.exit_code == 0
    (comment,) = job.github.state.comments[1]
    assert "orders" in comment.body
    assert "/actions/runs/7" in comment.body


def test_action__a_slow_head_is_red_and_commented(job):
    job.adopter.branch("change")
    job.adopter.edit("shop/service.py", r"^DELAY_S = 0\.0$", "DELAY_S = 0.5")
    job.open_pull_request()
    outcome, verdict, _ = job.measure()
    assert outcome.exit_code != 0
    (orders,) = verdict.scenarios
    assert (verdict.outcome, orders.outcome) == ("FAIL", "FAIL")
    assert orders.comparison.outcome == "FAIL"
    assert "outputs: FAIL " in outcome.log
    assert (outcome.artifacts / "shop-report" / "report.html").exists()
    (comment,) = job.github.state.comments[1]
    assert "FAIL" in comment.body
