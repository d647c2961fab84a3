from __future__ import annotations

import io
import json

import msgspec
import pytest
import requests

from ci_gate.errors import EvidenceError, UsageError
from ci_gate.github.api.comments import ACTIONS_AUTHOR, make_marker
from ci_gate.github.api.reply import GitHubError
from ci_gate.github.api.transport import open_transport
from ci_gate.github.publication import PublishOptions
from ci_gate.github.publish import publish
from ci_gate.judge.gate.untouched import make_untouched_verdict
from ci_gate.judge.occasion import Occasion
from ci_gate.judge.verdict import decode_verdict, encode_verdict
from tests.github.fake_state import Actor, Artifact, Pull
from tests.github.repositories import (
    APPROVED,
    FILE,
    LOOSE,
    THRESHOLDS,
    WORKFLOW,
    files,
    run_verdict,
    write_files,
)
from tests.github.test_archive import pack
from tests.github.test_earlier_history import LINE
from tests.github.test_earlier_history import leave as leave_history
from tests.judge.histories import EPYC

SHA, OTHER, BASE, MERGE = "a" * 40, "c" * 40, "b" * 40, "d" * 40
FORK = "mallory/shop"


def _open_session():
    session = requests.Session()
    session.trust_env = False
    return session


class Job:
    """One workflow job on a temporary folder, against the fake GitHub."""

    def __init__(self, github, clock, folder):
        self.github, self.clock, self.folder = github, clock, folder
        self.head = folder / "head"
        self.head.mkdir()
        self.summary = folder / "summary.md"
        self.log = ""
        self.environ = {
            "GITHUB_REPOSITORY": "shop/shop",
            "GITHUB_RUN_ID": "42",
            "GITHUB_API_URL": github.url,
            "GITHUB_TOKEN": "token",
            "GITHUB_STEP_SUMMARY": str(self.summary),
        }

    def publish(self, event, payload, **options):
        (self.folder / "event.json").write_text(json.dumps(payload))
        environ = self.environ | {
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": str(self.folder / "event.json"),
        }
        out = io.StringIO()

        try:
            with open_transport(environ, self.clock.patience(), _open_session) as transport:
                return publish(
                    PublishOptions(**{"thresholds_file": FILE, "repository": self.head} | options),
                    environ=environ,
                    transport=transport,
                    out=out,
                )
        finally:
            self.log = out.getvalue()

    def own_run(
        self, content=None, *, head=THRESHOLDS, base=None, event="pull_request", payload=None, **options
    ):
        """Publish as the job that measured; ``base`` is the text of base's thresholds.yaml."""
        write_files(self.head, files(head))
        (self.head / "verdict.json").write_bytes(content or run_verdict())
        if base is not None:
            options["base"] = write_files(self.folder / "base", files(base))
        payload = payload or {
            "pull_request": {"number": 7, "head": {"sha": SHA, "ref": "topic", "repo": None}, "labels": []}
        }
        return self.publish(event, payload, verdict_file=self.head / "verdict.json", **options)

    def other_run(
        self,
        members=None,
        *,
        sha=SHA,
        event="pull_request",
        conclusion="success",
        run_attempt=1,
        head_repository=FORK,
        **options,
    ):
        """Publish as the job that follows the run of a fork; no ``members``: it left no artifact."""
        members = {"verdict.json": run_verdict()} if members is None else members
        archive = pack(*members.items()) if isinstance(members, dict) else members
        left = [Artifact(id=1, run_id=99, name="load-gate-verdict", content=archive)] if members else []
        others = [each for each in self.github.state.artifacts if each.run_id != 99]
        self.github.state.artifacts = [*others, *left]
        run = {
            "id": 99,
            "event": event,
            "head_sha": sha,
            "head_branch": "topic",
            "head_repository": {"full_name": head_repository} if head_repository else None,
            "conclusion": conclusion,
            "run_attempt": run_attempt,
            "html_url": "https://github.example/shop/shop/actions/runs/99",
        }
        return self.publish("workflow_run", {"workflow_run": run}, **options)

    @property
    def comments(self):
        return [each.body for each in self.github.state.comments.get(7, []) if each.author == ACTIONS_AUTHOR]


@pytest.fixture
def job(github, clock, tmp_path):
    github.state.pulls.append(Pull(number=7, sha=SHA))
    return Job(github, clock, tmp_path)


@pytest.fixture
def fork_job(github, clock, tmp_path):
    """A pull request of a fork, with its test merge and both sides known to GitHub."""
    github.state.pulls.append(Pull(number=7, sha=SHA, head_repository=FORK, merge_sha=MERGE))
    github.state.parents[MERGE] = (BASE, SHA)
    put_side(github, MERGE, files())
    put_side(github, BASE, files())
    return Job(github, clock, tmp_path)


def put_side(github, ref, side):
    github.state.files |= {(ref, path): content for path, content in side.items()}


def test_own_run__is_said_in_comment_summary_and_log(job):
    assert job.own_run() == 0
    (comment,) = job.comments
    assert comment.startswith(f"{make_marker('load-gate')}\n## ✅ PASS: 1 scenario kept all 2 limits")
    assert "https://github.com/shop/shop/actions/runs/42" in comment
    assert job.summary.read_text().startswith("## ✅ PASS")
    assert (job.head / "report.md").read_text() == job.summary.read_text()
    assert job.log.endswith("PASS: 1 scenario kept all 2 limits\n")
    assert "::error" not in job.log


def test_own_run__leaves_a_page_with_what_became_of_the_thresholds(job):
    job.own_run(base=THRESHOLDS.replace("300ms", "200ms"))
    page = (job.head / "report.html").read_text()
    assert 'id="changes"' in page
    assert 'href="https://github.com/shop/shop/actions/runs/42"' in page


def test_own_run__with_a_damaged_timeline_is_published_all_the_same(job):
    job.head.mkdir(parents=True, exist_ok=True)
    (job.head / "timeline.json").write_text("{}")
    assert job.own_run() == 0
    assert "report.html has no charts: not a timeline" in job.log
    assert "No charts" in (job.head / "report.html").read_text()


@pytest.mark.parametrize(
    ("content", "code"), [(run_verdict(p95=350.0), 1), (run_verdict(outcome="INVALID"), 3)]
)
def test_own_run__ends_with_the_verdicts_own_code(job, content, code):
    assert job.own_run(content) == code
    assert len(job.comments) == 1


def test_breach__is_annotated_on_its_line(job):
    job.own_run(run_verdict(p95=350.0))
    assert (
        "::error file=thresholds.yaml,line=10,title=checkout%3A limit broken::all p95 was 350 ms" in job.log
    )


def test_second_run__updates_the_comment(job):
    job.own_run()
    job.own_run(run_verdict(p95=350.0))
    (comment,) = job.comments
    assert "❌ FAIL" in comment


@pytest.mark.parametrize(("content", "code"), [(run_verdict(), 0), (run_verdict(p95=350.0), 1)])
def test_read_only_token__falls_back_to_the_summary_with_the_verdicts_code(job, content, code):
    job.github.state.actors["token"] = Actor(may_write=False)
    assert job.own_run(content, status="load") == code
    assert "no comment, GitHub refuses it" in job.log
    assert "no status, GitHub refuses it" in job.log
    assert job.comments == []
    assert "## " in job.summary.read_text()


@pytest.mark.parametrize(("content", "code"), [(run_verdict(), 0), (run_verdict(p95=350.0), 1)])
def test_github_down__does_not_change_the_check(job, content, code):
    job.github.fail("GET", "", times=99, status=502)
    job.github.fail("POST", "", times=99, status=502)
    assert job.own_run(content) == code
    assert "the pull request cannot be read" in job.log
    assert job.summary.exists()


def test_no_token__writes_summary_and_annotations_only(job):
    del job.environ["GITHUB_TOKEN"]
    assert job.own_run(run_verdict(p95=350.0)) == 1
    assert job.github.requests == []
    assert "::error" in job.log


def test_newer_head__is_not_commented_on(job):
    job.github.state.pulls[0].sha = OTHER
    assert job.own_run() == 0
    assert "no comment: the pull request has moved on to cccccccccccc" in job.log
    assert job.comments == []


def test_no_comment__is_made_where_none_is_wanted(job):
    assert job.own_run(comment="never") == 0
    assert job.github.count("POST") == 0


@pytest.mark.parametrize(
    ("when", "content", "head", "is_made"),
    [
        ("always", run_verdict(), THRESHOLDS, True),
        ("on-change", run_verdict(), THRESHOLDS, False),
        ("on-change", run_verdict(), LOOSE, True),
        ("on-change", run_verdict(p95=350.0), THRESHOLDS, True),
        ("on-failure", run_verdict(), THRESHOLDS, False),
        ("on-failure", run_verdict(), LOOSE, True),
        ("on-failure", run_verdict(p95=350.0), THRESHOLDS, True),
    ],
)
def test_comment__is_made_when_it_is_wanted(job, when, content, head, is_made):
    job.own_run(content, head=head, base=THRESHOLDS, comment=when)
    assert bool(job.comments) is is_made
    assert (f"no comment: there is nothing to say ({when})" in job.log) is not is_made


@pytest.mark.parametrize("when", ["on-change", "on-failure"])
def test_red_comment__does_not_outlive_its_failure(job, when):
    job.own_run(run_verdict(p95=350.0), comment=when)
    assert "❌ FAIL" in job.comments[0]
    job.own_run(comment=when)
    (text,) = job.comments
    assert "✅ PASS" in text


def test_status__is_set_on_the_head_commit(job):
    job.own_run(run_verdict(p95=350.0), status="load-gate")
    (status,) = job.github.state.statuses
    assert (status["sha"], status["context"], status["state"]) == (SHA, "load-gate", "failure")
    assert status["description"] == "FAIL: checkout broke 1 limit"


def test_unknown_author__is_said(job):
    job.own_run(author="my-app[bot]")
    assert "the comment's author is github-actions[bot]" in job.log


@pytest.mark.parametrize("event", ["workflow_dispatch", "push", "schedule"])
def test_run_by_hand__has_nothing_to_comment_on_or_approve(job, event):
    assert job.own_run(event=event, payload={"ref": "refs/heads/main"}, head=LOOSE, base=THRESHOLDS) == 0
    assert job.github.requests == []
    assert "Threshold changes: 1 loosened" in job.summary.read_text()


@pytest.mark.parametrize(
    ("labels", "code", "words"),
    [
        ((), 1, "FAIL: thresholds are loosened without approval"),
        ((APPROVED,), 0, f"approved by the label `{APPROVED}`"),
        (("thresholds-approved",), 1, "The label `thresholds-approved` approved something else"),
        ((f"thresholds-approved:{'a' * 26}",), 1, "approved something else"),
        ((), 1, "`checkout` `all` `p95`: `300ms` → `400ms`"),
    ],
)
def test_loosening__fails_until_it_is_approved(job, labels, code, words):
    job.github.state.pulls[0].labels = labels
    assert job.own_run(head=LOOSE, base=THRESHOLDS) == code
    assert words in job.comments[0]
    assert "Threshold changes: 1 loosened" in job.comments[0]
    assert ("loosened without approval" in job.log) is (code == 1)


def test_approval__of_one_push_is_none_of_the_next(job):
    """400ms is approved; then 2s is pushed, and the label still stands there."""
    job.github.state.pulls[0].labels = (APPROVED,)
    assert job.own_run(head=LOOSE, base=THRESHOLDS) == 0
    assert job.own_run(head=THRESHOLDS.replace("300ms", "2s"), base=THRESHOLDS) == 1
    assert f"The label `{APPROVED}` approved something else" in job.comments[0]
    assert "`300ms` → `2s`" in job.comments[0]


def test_loosening_that_hides_a_breach__shows_both_verdicts(job):
    assert job.own_run(run_verdict(p95=350.0, thresholds=LOOSE), head=LOOSE, base=THRESHOLDS) == 1
    rows = [
        line.replace("\u00a0", " ")
        for line in job.comments[0].splitlines()
        if line.startswith("| `checkout`")
    ]
    assert any("❌ FAIL | ✅ PASS | `all p95` was **350 ms**" in row for row in rows)


def test_tightening__needs_no_approval(job):
    assert job.own_run(head=THRESHOLDS, base=LOOSE) == 0
    assert "Threshold changes: 1 tightened" in job.comments[0]


def test_label__that_only_head_names_does_not_count(job):
    own_label = LOOSE + "changes: {loosening: {label: please}}\n"
    job.github.state.pulls[0].labels = ("please",)
    assert job.own_run(head=own_label, base=THRESHOLDS) == 1
    assert "thresholds-approved" in job.comments[0]


def test_label__is_read_from_the_event_where_github_does_not_answer(job):
    job.github.fail("GET", "/pulls/7", status=403)
    pull = {"number": 7, "head": {"sha": SHA, "ref": "topic"}, "labels": [{"name": APPROVED}]}
    assert job.own_run(head=LOOSE, base=THRESHOLDS, payload={"pull_request": pull}) == 0


def test_edited_locustfile__is_shown_and_needs_no_approval(job):
    write_files(job.folder / "base", {"load/checkout.py": b"other"})
    assert job.own_run(head=THRESHOLDS, base=THRESHOLDS) == 0
    assert "Threshold changes" not in job.comments[0]
    (job.folder / "base/load/checkout.py").write_bytes(b"other")
    options = {"verdict_file": job.head / "verdict.json", "base": job.folder / "base"}
    payload = {"pull_request": {"number": 7, "head": {"sha": SHA, "ref": "topic"}, "labels": []}}
    assert job.publish("pull_request", payload, **options) == 0
    assert "`file load/checkout.py`" in job.comments[0]


def test_base_without_thresholds__is_said_for_the_file_may_have_been_moved(job):
    """It stays green: else nobody could add the file."""
    said = (
        "what was loosened is not known, for base has no such file: it is new, or was moved, or the workflow"
    )
    moved = write_files(job.folder / "base", {"load/thresholds.yaml": THRESHOLDS.encode()})
    payload = {"pull_request": {"number": 7, "head": {"sha": SHA, "ref": "topic"}, "labels": []}}
    assert job.own_run() == 0  # a run that has no base, such as one by hand
    assert said not in job.comments[0]
    assert job.publish("pull_request", payload, verdict_file=job.head / "verdict.json", base=moved) == 0
    assert said in job.comments[0]
    assert "Threshold changes" not in job.comments[0]


def test_wrong_base_file__does_not_keep_anyone_from_mending_it(job):
    assert job.own_run(base="schema: 1\n") == 0
    assert "what was loosened is not known, for base's file is wrong" in job.comments[0]
    assert job.own_run(base=THRESHOLDS) == 0
    assert "cannot be told" not in job.comments[0]


WRONG = THRESHOLDS.replace("300ms", "300").replace("spawn_rate: 10", "spawn_rat: 10")


def test_wrong_head_file__is_a_verdict_with_every_mistake_at_its_place(job):
    job.own_run()
    assert job.own_run(head=WRONG) == 3
    (comment,) = job.comments
    assert "## 🚫 INVALID" in comment
    assert "PASS" not in comment.splitlines()[1]
    for text in (comment, job.summary.read_text(), (job.head / "report.md").read_text()):
        assert "`thresholds.yaml:10:18`" in text
        assert "`thresholds.yaml:8:5`" in text
    assert "::error file=thresholds.yaml,line=10,col=18,title=INVALID::" in job.log
    assert "::error file=thresholds.yaml,line=8,col=5,title=INVALID::" in job.log


def test_wrong_head_file__of_a_run_that_left_no_verdict_is_one_all_the_same(job):
    write_files(job.head, files("schema: 1\n"))
    payload = {"pull_request": {"number": 7, "head": {"sha": SHA, "ref": "topic"}, "labels": []}}
    assert job.publish("pull_request", payload, verdict_file=job.head / "verdict.json") == 3
    assert "INVALID: nothing was measured, for 3 mistakes, the first at thresholds.yaml:" in job.comments[0]


def test_head_file__that_is_a_link_out_of_the_repository_is_a_verdict(job):
    write_files(job.head, {"verdict.json": run_verdict()})
    (job.folder / "outside.yaml").write_text(THRESHOLDS)
    (job.head / FILE).symlink_to(job.folder / "outside.yaml")
    payload = {"pull_request": {"number": 7, "head": {"sha": SHA, "ref": "topic"}, "labels": []}}
    assert job.publish("pull_request", payload, verdict_file=job.head / "verdict.json") == 3
    assert "is a symbolic link that leads to no file of the repository" in job.comments[0]
    (job.head / FILE).unlink()
    write_files(job.head, {"load/mine.yaml": THRESHOLDS.encode()})
    (job.head / FILE).symlink_to("load/mine.yaml")
    assert job.publish("pull_request", payload, verdict_file=job.head / "verdict.json") == 0


@pytest.mark.parametrize(
    ("ref", "labels", "code"),
    [
        (f"refs/heads/gh-readonly-queue/main/pr-7-{BASE}", (APPROVED,), 0),
        (f"refs/heads/gh-readonly-queue/main/pr-7-{BASE}", (), 1),
        ("refs/heads/something-else", (APPROVED,), 1),
    ],
)
def test_merge_queue__asks_for_the_approval_of_its_pull_request(job, ref, labels, code):
    job.github.state.pulls[0].labels = labels
    payload = {"merge_group": {"head_ref": ref}}
    assert job.own_run(event="merge_group", payload=payload, head=LOOSE, base=THRESHOLDS) == code
    assert job.comments == []


def test_verdict__that_is_missing_or_none_is_an_error(job, tmp_path):
    with pytest.raises(UsageError, match=r"verdict\.json"):
        job.publish("push", {}, verdict_file=tmp_path / "verdict.json")
    with pytest.raises(UsageError, match="must name the file"):
        job.publish("push", {})
    with pytest.raises(EvidenceError, match="not a verdict"):
        job.own_run(b"{}")


def test_forks_run__is_commented_on_by_the_job_that_follows(fork_job):
    assert fork_job.other_run(status="load-gate") == 0
    (comment,) = fork_job.comments
    assert "## ✅ PASS" in comment
    assert "actions/runs/99" in comment
    assert fork_job.github.state.statuses[0]["sha"] == SHA
    assert "::error" not in fork_job.log


@pytest.mark.parametrize("content", [run_verdict(p95=350.0), run_verdict(outcome="INVALID")])
def test_forks_run__that_blocks_is_no_failure_of_the_job_that_says_so(fork_job, content):
    assert fork_job.other_run({"verdict.json": content}, status="load-gate") == 0
    assert fork_job.github.state.statuses[0]["state"] == "failure"


def test_outdated_run__is_dropped(fork_job):
    fork_job.github.state.pulls[0].sha = OTHER
    assert fork_job.other_run() == 0
    assert "nothing to comment on: aaaaaaaaaaaa is outdated" in fork_job.log
    assert fork_job.comments == []
    assert fork_job.github.count("GET", "artifacts") == 0


@pytest.mark.parametrize("event", ["merge_group", "workflow_dispatch", "push"])
def test_run_for_no_pull_request__is_not_commented_on(fork_job, event):
    assert fork_job.other_run(event=event) == 0
    assert fork_job.github.requests == []


def test_pull_request__is_never_taken_from_the_artifact(fork_job):
    fork_job.github.state.pulls.append(Pull(number=1, sha=OTHER))
    assert fork_job.other_run({"verdict.json": run_verdict(), "pr_number.txt": b"1"}) == 0
    assert list(fork_job.github.state.comments) == [7]


@pytest.mark.parametrize(
    "archive",
    [
        {"verdict.json": b"{}"},
        {"verdict.json": b'{"schema": 1}' + b" " * 1000},
        {"verdict.json": run_verdict()[:-20]},
        {"verdict.json": run_verdict().replace(b'"schema": 2', b'"schema": 1')},
        {"verdict.json": run_verdict().replace(b'"blocks"', b'"extra": 1, "blocks"')},
        {"verdict.json": b"\0" * (33 * 1024**2)},
        {"other.json": run_verdict()},
        {"../verdict.json": run_verdict()},
        b"not a zip",
    ],
)
def test_hostile_artifact__is_refused_and_the_older_comment_does_not_stand(fork_job, archive):
    fork_job.other_run()
    assert "✅ PASS" in fork_job.comments[0]
    assert fork_job.other_run(archive, conclusion="success", status="load") == 0
    (comment,) = fork_job.comments
    assert "## 🚫 INVALID: no verdict for aaaaaa\u200baaaaaa: the run ended well, and " in comment
    assert "actions/runs/99" in comment
    assert "✅" not in comment
    assert fork_job.github.state.statuses[-1]["state"] == "failure"


@pytest.mark.parametrize(
    ("conclusion", "words"),
    [
        ("cancelled", "the run was cancelled, and run 99 has no artifact load-gate-verdict: none"),
        ("startup_failure", "the run did not start"),
        ("timed_out", "the run ran out of time"),
        ("stale", "the run ended as stale"),
    ],
)
def test_run_without_an_artifact__overwrites_the_older_comment(fork_job, conclusion, words):
    fork_job.other_run()
    assert fork_job.other_run({}, conclusion=conclusion) == 0
    assert words in fork_job.comments[0]
    assert "PASS" not in fork_job.comments[0]


@pytest.mark.parametrize("content", [run_verdict(), b"damaged"])
def test_comment__names_the_head_that_it_speaks_of_and_its_run(fork_job, content):
    """Not the test merge, which nobody has."""
    assert fork_job.other_run({"verdict.json": content}) == 0
    second = [line for line in fork_job.comments[0].splitlines() if line][2]
    assert second.startswith("[`aaaaaaa`](https://github.example/shop/shop/commit/aaaaaaa")
    assert "actions/runs/99" in second
    assert "0123456" not in second


def test_run_that_waits_for_approval__is_left_alone(fork_job):
    fork_job.other_run()
    assert fork_job.other_run({}, conclusion="action_required") == 0
    assert "✅ PASS" in fork_job.comments[0]
    assert "waits for somebody to approve it" in fork_job.log


@pytest.mark.parametrize("text", [WRONG, None])
def test_forks_thresholds__that_are_wrong_or_missing_are_a_verdict(fork_job, text):
    put_side(fork_job.github, MERGE, files(WRONG))
    if text is None:
        del fork_job.github.state.files[MERGE, FILE]
    assert fork_job.other_run() == 0
    assert "## 🚫 INVALID" in fork_job.comments[0]
    assert ("there is no such file" if text is None else "`thresholds.yaml:8:5`") in fork_job.comments[0]


def test_forks_thresholds__that_are_a_link_to_elsewhere_are_a_verdict(fork_job):
    fork_job.github.state.links[MERGE, FILE] = "../../secrets"
    assert fork_job.other_run() == 0
    assert "is a symbolic link that leads to no file of the repository" in fork_job.comments[0]


def measured_for(**values):
    """The verdict of a run whose jobs were told this by GitHub."""
    told = {
        "event": "pull_request",
        "pull_number": 7,
        "head_sha": SHA,
        "base_ref": "main",
        "base_sha": BASE,
        "run_id": 99,
        "run_attempt": 1,
    }
    verdict = decode_verdict(run_verdict())
    occasion = Occasion(**(told | values))
    return {"verdict.json": encode_verdict(msgspec.structs.replace(verdict, occasion=occasion))}


@pytest.mark.parametrize(
    ("head", "conclusion", "outcome"),
    [(THRESHOLDS, "success", "PASS"), (LOOSE, "success", "INVALID"), (THRESHOLDS, "failure", "INVALID")],
)
def test_forks_verdict__that_nothing_was_to_be_measured_stands_unless_something_contradicts(
    fork_job, head, conclusion, outcome
):
    put_side(fork_job.github, MERGE, files(head))
    fork_job.github.state.jobs = [job_of_run(conclusion)]
    untouched = encode_verdict(make_untouched_verdict(FILE, "1.0.0", ["backend"]))
    assert fork_job.other_run({"verdict.json": untouched}) == 0
    heading = fork_job.comments[0].splitlines()[1]
    assert "PASS: nothing was measured: the change touches none of backend" in heading or outcome != "PASS"
    assert ("PASS" in heading) is (outcome == "PASS")


@pytest.mark.parametrize("number", [7, 8])
def test_two_pull_requests_of_one_branch__each_get_their_own_comment(fork_job, number):
    state = fork_job.github.state
    state.pulls.append(Pull(number=8, sha=SHA, head_repository=FORK, base="release", merge_sha=MERGE))
    assert fork_job.other_run(measured_for(pull_number=number)) == 0
    assert list(state.comments) == [number]
    assert fork_job.other_run() == 0
    assert "#7 and #8 have this head, and the run does not say for which it was" in fork_job.log
    assert list(state.comments) == [number]


def test_run_for_a_closed_pull_request__is_not_commented_on_at_another_of_its_branch(fork_job):
    state = fork_job.github.state
    state.pulls.append(Pull(number=8, sha=SHA, head_repository=FORK, state="closed", merge_sha=MERGE))
    assert fork_job.other_run(measured_for(pull_number=8)) == 0
    assert "the run was for #8, which is not open" in fork_job.log
    assert state.comments == {}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"pull_number": 1}, "the verdict is of pull request 1"),
        ({"pull_number": 12345}, "the verdict is of pull request 12345"),
        ({"head_sha": OTHER}, "the verdict is of"),
    ],
)
def test_verdict__of_something_else_is_invalid(fork_job, values, words):
    fork_job.github.state.pulls.append(Pull(number=1, sha=OTHER))
    assert fork_job.other_run(measured_for(**values)) == 0
    assert list(fork_job.github.state.comments) == [7]
    assert "## 🚫 INVALID" in fork_job.comments[0]
    assert words in fork_job.comments[0]


def job_of_run(conclusion, name="load-gate / gate"):
    return {"id": 5, "run_id": 99, "name": name, "status": "completed", "conclusion": conclusion}


@pytest.mark.parametrize(
    ("p95", "conclusion", "outcome", "words"),
    [
        (212.4, "success", "PASS", ""),
        (350.0, "failure", "FAIL", ""),
        (350.0, "success", "FAIL", "stale: the check gate of attempt 2 passed, this verdict does not"),
        (212.4, "failure", "INVALID", "stale: the check gate of attempt 2 did not pass, this verdict does"),
        (212.4, "skipped", "INVALID", "stale: the check gate of attempt 2 did not pass, this verdict does"),
        (212.4, None, "PASS", ""),
    ],
)
def test_verdict__beside_a_check_that_ended_otherwise_is_stale(fork_job, p95, conclusion, outcome, words):
    fork_job.github.state.jobs = [job_of_run(conclusion), job_of_run("failure", "navigate")]
    assert fork_job.other_run({"verdict.json": run_verdict(p95)}, run_attempt=2) == 0
    assert f"{outcome}: " in fork_job.comments[0].splitlines()[1]
    assert ("stale" in fork_job.comments[0]) is bool(words)
    assert words in fork_job.comments[0]


@pytest.mark.parametrize(
    ("check", "outcome"), [("load-gate / gate", "PASS"), ("other / gate", "INVALID"), ("gate", "INVALID")]
)
def test_check__of_one_of_two_calls_of_the_workflow_is_named_with_its_caller(fork_job, check, outcome):
    """By the last part of the name alone, the other gate's would be taken for it."""
    fork_job.github.state.jobs = [job_of_run("success"), job_of_run("failure", "other / gate")]
    assert fork_job.other_run({"verdict.json": run_verdict(212.4)}, check=check) == 0
    assert f"{outcome}: " in fork_job.comments[0].splitlines()[1]


def test_deleted_fork__is_nothing_to_comment_on(fork_job):
    assert fork_job.other_run(head_repository=None) == 0
    assert "nothing to comment on: the repository or the branch that the run was for is gone" in fork_job.log
    assert fork_job.github.requests == []


def test_fork_deleted_since_the_run__is_nothing_to_comment_on(fork_job):
    fork_job.github.state.pulls[0].head_repository = None
    assert fork_job.other_run() == 0
    assert "nothing to comment on: no open pull request has" in fork_job.log


@pytest.mark.parametrize(
    ("thresholds", "words"),
    [
        (THRESHOLDS, "the verdict says what its own parts contradict: the outcome of checkout"),
        (LOOSE, "the figures break limits that the verdict says were kept: checkout"),
    ],
)
def test_verdict__that_contradicts_its_figures_is_invalid(fork_job, thresholds, words):
    content = run_verdict(p95=350.0, outcome="PASS", thresholds=thresholds)
    assert fork_job.other_run({"verdict.json": content}) == 0
    assert "## 🚫 INVALID" in fork_job.comments[0]
    assert words in fork_job.comments[0]


@pytest.mark.parametrize(("scenarios", "outcome"), [((), "INVALID"), (("checkout",), "PASS")])
def test_forks_verdict__without_a_scenario_that_head_names_is_invalid(fork_job, scenarios, outcome):
    second = THRESHOLDS[THRESHOLDS.index("  checkout:") :].replace("checkout:", "search:")
    put_side(fork_job.github, MERGE, files(THRESHOLDS + second))
    put_side(fork_job.github, BASE, files(THRESHOLDS + second))
    fork_job.other_run(scenarios=scenarios)
    assert f"{outcome}:" in fork_job.comments[0].splitlines()[1]
    assert "search" in fork_job.comments[0]


def test_own_verdict__without_a_limit_that_head_names_is_invalid(job):
    assert job.own_run(head=THRESHOLDS.replace("300ms", "300ms, p50: 1s")) == 3
    assert "the verdict lacks what thresholds.yaml names: checkout: all p50" in job.comments[0]


@pytest.mark.parametrize(("labels", "approved"), [((), False), ((APPROVED,), True)])
def test_forks_loosening__is_compared_on_github_and_needs_the_label(fork_job, labels, approved):
    put_side(fork_job.github, MERGE, files(LOOSE))
    fork_job.github.state.pulls[0].labels = labels
    fork_job.other_run({"verdict.json": run_verdict(p95=350.0, thresholds=LOOSE)}, status="load")
    assert ("not approved" in fork_job.comments[0]) is not approved
    assert "Threshold changes: 1 loosened" in fork_job.comments[0]
    assert (fork_job.github.state.statuses[0]["state"] == "success") is approved


def test_forks_workflow_edit__is_shown(fork_job):
    put_side(fork_job.github, MERGE, files() | {WORKFLOW: b"on: push\n"})
    fork_job.other_run()
    assert f"`file {WORKFLOW}`" in fork_job.comments[0]


def test_forks_comment__that_is_refused_is_no_failure(fork_job):
    fork_job.github.state.actors["token"] = Actor(may_write=False)
    assert fork_job.other_run() == 0
    assert "no comment, GitHub refuses it" in fork_job.log


def test_forks_comment__that_fails_is_one(fork_job):
    fork_job.github.fail("POST", "comments", times=99, status=502)
    with pytest.raises(GitHubError, match="HTTP 502"):
        fork_job.other_run()


def test_workflow_run__without_a_token_is_a_usage_error(fork_job):
    del fork_job.environ["GITHUB_TOKEN"]
    with pytest.raises(UsageError, match="GITHUB_TOKEN"):
        fork_job.other_run()


@pytest.mark.parametrize(("base_ref", "code"), [("main", 0), ("loose", 3)])
def test_run_of_before_the_base_branch_changed__is_not_green_when_it_is_run_again(job, base_ref, code):
    """Green against loose, then into main; GitHub runs the old run again with the event of its time."""
    (content,) = measured_for(base_ref=base_ref).values()
    assert job.own_run(content) == code
    assert ("measured for the base branch loose, and it is main now" in job.summary.read_text()) is bool(code)


@pytest.mark.parametrize(("base_ref", "outcome"), [("main", "PASS"), ("loose", "INVALID")])
def test_comment__does_not_praise_what_was_measured_for_another_base_branch(fork_job, base_ref, outcome):
    assert fork_job.other_run(measured_for(base_ref=base_ref)) == 0
    assert f"{outcome}: " in fork_job.comments[0].splitlines()[1]


@pytest.mark.parametrize("path", [".github/actions", "load"])
def test_fork__that_puts_a_file_in_the_place_of_a_folder_still_gets_its_comment(fork_job, path):
    state = fork_job.github.state
    for key in [key for key in state.files if key[0] == MERGE and key[1].startswith(f"{path}/")]:
        del state.files[key]
    state.files[MERGE, path] = b"x"
    assert fork_job.other_run() == 0
    assert f"`file {path}`" in fork_job.comments[0]


def test_only_the_comment__leads_to_the_page_that_was_uploaded_before(job):
    page = "https://github.example/shop/shop/actions/runs/42/artifacts/7"
    assert job.own_run(run_verdict(p95=350.0), comment="never") == 1
    (job.head / "report.html").unlink()
    summary = job.summary.read_text()
    assert job.comments == []
    assert job.own_run(run_verdict(p95=350.0), only_comment=True, page_url=page, status="load") == 0
    assert f"[report]({page})" in job.comments[0]
    assert job.summary.read_text() == summary
    assert not (job.head / "report.html").exists()
    assert "::error" not in job.log
    assert job.github.state.statuses == []


def test_own_run__tells_the_trend_of_its_base_below_the_verdict(job):
    leave_history(job.github, 1)
    assert job.own_run() == 0
    (comment,) = job.comments
    assert comment.splitlines()[1].startswith("## ✅ PASS")
    assert LINE in comment.rpartition("</details>")[2]
    assert LINE in job.summary.read_text()


def test_page__has_the_machines_of_the_last_run_of_base(job):
    leave_history(job.github, 1)
    job.own_run()
    page = (job.head / "report.html").read_text()
    assert "last run of base&#39;s branch" in page
    assert EPYC.cpu_model in page


def test_own_run__tells_no_trend_of_a_branch_that_it_is_not_for(job):
    leave_history(job.github, 1)
    job.github.state.pulls[0].base = "release"
    job.own_run()
    assert "whatever this change does" not in job.comments[0]


def test_other_run__tells_the_trend_too(fork_job):
    leave_history(fork_job.github, 1)
    assert fork_job.other_run() == 0
    assert LINE in fork_job.comments[0]
