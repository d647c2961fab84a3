"""Events that bring no new commit: measured again, or the last verdict on the same head published again."""

from __future__ import annotations

import json

import msgspec
import pytest
from click.testing import CliRunner

from ci_gate.cli.repeat import last_verdict_command, repeat_command
from ci_gate.judge.occasion import Occasion
from ci_gate.judge.timeline.run_timeline import TIMELINE_SCHEMA, RunTimeline, encode_timeline
from ci_gate.judge.verdict import decode_verdict, encode_verdict
from ci_gate.thresholds import parse_thresholds
from tests.github.fake_state import Artifact, Run
from tests.github.repositories import FILE, LOOSE, THRESHOLDS, run_verdict
from tests.github.test_archive import pack
from tests.report.verdicts import finding

HEAD, BASE = "a" * 40, "b" * 40
NEEDS = {"plan": "success", "image": "skipped", "scenario": "skipped"}


def measured(*, p95=212.4, thresholds=THRESHOLDS, **changes):
    """verdict.json as the gate job of a measuring run leaves it."""
    of = {
        "event": "pull_request",
        "pull_number": 7,
        "head_sha": HEAD,
        "base_ref": "main",
        "base_sha": BASE,
        "run_id": 41,
        "run_attempt": 1,
    }
    verdict = decode_verdict(run_verdict(p95, thresholds=thresholds))
    sha256 = parse_thresholds(thresholds, FILE).sha256
    occasion = Occasion(**(of | {name: value for name, value in changes.items() if name in of}))
    rest = {name: value for name, value in changes.items() if name not in of}
    return encode_verdict(
        msgspec.structs.replace(
            verdict,
            **{"profile": "pull_request", "thresholds_sha256": sha256, "occasion": occasion, **rest},
        )
    )


class Jobs:
    """The plan and the gate job of a run for a pull request, against the fake GitHub."""

    def __init__(self, github, folder):
        self.github, self.folder, self.reused = github, folder, folder / "reused" / "verdict.json"
        (folder / FILE).write_text(THRESHOLDS)
        self.environ = {
            "GITHUB_EVENT_NAME": "pull_request",
            "GITHUB_EVENT_PATH": str(folder / "event.json"),
            "GITHUB_REPOSITORY": "shop/shop",
            "GITHUB_RUN_ID": "42",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_API_URL": github.url,
            "GITHUB_TOKEN": "token",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }
        self.run_before()
        github.state.runs.append(
            Run(
                id=42, head_sha=HEAD, created_at="2026-11-24T10:00:00Z", status="in_progress", conclusion=None
            )
        )
        self.why = ""

    def run_before(self, content=None, **changes):
        """The run before this one, and the verdict that it left."""
        told = {"id": 41, "head_sha": HEAD, "created_at": "2026-11-24T09:00:00Z"} | changes
        self.github.state.runs.append(Run(**told))
        self.leave("verdict", measured() if content is None else content, told["id"])

    def leave(self, what, content, run=41):
        """An artifact of a run that came before."""
        number, packed = len(self.github.state.artifacts) + 1, pack((f"{what}.json", content))
        artifact = Artifact(id=number, run_id=run, name=f"load-gate-{what}", content=packed)
        self.github.state.artifacts.append(artifact)

    def look(self, action="edited", *, base="main", changes=None, head=HEAD, **environ):
        """What plan's job says is reused."""
        pull = {"number": 7, "head": {"sha": head, "ref": "topic"}, "base": {"sha": BASE, "ref": base}}
        payload = {"action": action, "number": 7, "pull_request": pull, "changes": changes or {}}
        (self.folder / "event.json").write_text(json.dumps(payload))
        self.environ |= environ
        arguments = [
            "--thresholds",
            str(self.folder / FILE),
            "--out",
            str(self.folder / "reused/verdict.json"),
        ]
        done = CliRunner().invoke(last_verdict_command, arguments, env=self.environ, standalone_mode=False)
        assert done.exception is None, done.exception
        self.why = done.stderr
        return done.stdout

    def gate(self, needs=None):
        """The gate job's exit code and verdict."""
        written = json.dumps({job: {"result": result} for job, result in (needs or NEEDS).items()})
        arguments = [
            str(self.folder / "reused/verdict.json"),
            "--scenarios",
            '["checkout"]',
            "--needs",
            written,
        ]
        out = self.folder / "verdict.json"
        done = CliRunner().invoke(
            repeat_command, [*arguments, "--out", str(out)], env=self.environ, standalone_mode=False
        )
        return done.return_value, decode_verdict(out.read_bytes())


@pytest.fixture
def jobs(github, tmp_path):
    return Jobs(github, tmp_path)


@pytest.mark.parametrize("action", ["edited", "labeled", "unlabeled"])
def test_title_or_label__takes_the_last_verdict_again(jobs, action):
    assert jobs.look(action, changes={"title": {"from": "x"}}) == "reused=41\n"
    code, verdict = jobs.gate()
    assert (code, verdict.outcome) == (0, "PASS")
    assert "measured by run 41" in verdict.findings[-1].message
    assert verdict.occasion.run_id == 41


TIMELINE = encode_timeline(RunTimeline(schema=TIMELINE_SCHEMA, scenarios=()))


@pytest.mark.parametrize(("content", "kept"), [(None, None), (TIMELINE, TIMELINE), (b"no timeline", None)])
def test_charts__are_taken_again_with_the_verdict_where_they_can_be_had(jobs, content, kept):
    """What cannot be drawn again is worth no measurement."""
    if content is not None:
        jobs.leave("timeline", content)
    assert jobs.look("labeled") == "reused=41\n"
    assert jobs.gate()[0] == 0
    for folder in (jobs.reused.parent, jobs.folder):
        file = folder / "timeline.json"
        assert (file.read_bytes() if file.exists() else None) == kept


def test_red__stays_red_whatever_is_edited(jobs):
    jobs.run_before(measured(p95=350.0), id=40, created_at="2026-11-24T09:30:00Z", conclusion="failure")
    assert jobs.look() == "reused=41\n"  # as the verdict says who measured
    assert jobs.gate()[0] == 1
    assert jobs.gate()[1].outcome == "FAIL"


def test_verdict__that_was_taken_again_can_be_once_more(jobs):
    assert jobs.look() == "reused=41\n"
    jobs.gate()
    again = (jobs.folder / "verdict.json").read_bytes()
    jobs.github.state.runs[-1].status, jobs.github.state.runs[-1].conclusion = "completed", "success"
    jobs.run_before(again, id=43, created_at="2026-11-24T11:00:00Z")
    jobs.github.state.runs.append(
        Run(id=44, head_sha=HEAD, created_at="2026-11-24T12:00:00Z", status="queued")
    )
    assert jobs.look("labeled", GITHUB_RUN_ID="44") == "reused=41\n"
    notes = [each for each in jobs.gate()[1].findings if each.code == "measured-before"]
    assert len(notes) == 1


@pytest.mark.parametrize("action", ["opened", "synchronize", "reopened", "", "ready_for_review"])
def test_new_commit__is_measured(jobs, action):
    assert jobs.look(action) == "reused=\n"
    assert jobs.github.requests == []


def test_new_base_branch__is_measured_and_a_later_title_too_until_then(jobs):
    """Green against loose; then the base branch becomes main."""
    jobs.github.state.artifacts[0].content = pack(("verdict.json", measured(base_ref="loose")))
    assert jobs.look(changes={"base": {"ref": {"from": "loose"}}}) == "reused=\n"
    assert "the base branch has changed" in jobs.why
    assert jobs.look(changes={"title": {"from": "x"}}) == "reused=\n"
    assert "it was measured for the base branch loose" in jobs.why
    assert jobs.look(base="loose") == "reused=41\n"


@pytest.mark.parametrize(
    ("environ", "why"),
    [
        ({"GITHUB_EVENT_NAME": "merge_group"}, "something new"),
        ({"GITHUB_EVENT_NAME": "workflow_dispatch"}, "something new"),
        ({"GITHUB_RUN_ATTEMPT": "2"}, "all jobs are run again"),
        ({"GITHUB_TOKEN": ""}, "no GITHUB_TOKEN"),
        ({"GITHUB_RUN_ID": "99"}, "HTTP 404"),
    ],
)
def test_run__that_cannot_or_must_not_take_again_measures(jobs, environ, why):
    assert jobs.look(**environ) == "reused=\n"
    assert why in jobs.why


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"conclusion": "cancelled"}, "run 41 before it is cancelled"),
        ({"status": "in_progress", "conclusion": None}, "run 41 before it is in_progress"),
        ({"conclusion": "timed_out"}, "is timed_out"),
        ({"conclusion": "startup_failure"}, "is startup_failure"),
        ({"workflow_id": 2}, "no run has measured this commit before"),
        ({"head_sha": "c" * 40}, "no run has measured this commit before"),
        ({"event": "workflow_dispatch"}, "no run has measured this commit before"),
        ({"pulls": (8,)}, "no run has measured this commit before"),
        ({"created_at": "2026-11-24T11:00:00Z"}, "no run has measured this commit before"),
    ],
)
def test_run_before__that_has_no_verdict_to_stand(jobs, changes, why):
    for name, value in changes.items():
        setattr(jobs.github.state.runs[0], name, value)
    assert jobs.look() == "reused=\n"
    assert why in jobs.why


def test_run_before__that_was_cancelled_hides_the_older_ones(jobs):
    """It may have been about to measure what they did not: another base branch."""
    jobs.run_before(id=40, created_at="2026-11-24T09:30:00Z", conclusion="cancelled")
    assert jobs.look() == "reused=\n"
    assert "run 40 before it is cancelled" in jobs.why


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"pull_number": 8}, "another pull request"),
        ({"head_sha": "c" * 40}, "another pull request or commit"),
        ({"event": "merge_group"}, "another pull request"),
        ({"occasion": None}, "does not say what it was measured for"),
        ({"profile": "quick"}, "of the profile quick"),
        ({"thresholds": LOOSE}, "another thresholds.yaml"),
        ({"scenarios": ()}, "on other scenarios"),
        (
            {"outcome": "INVALID", "blocks": True, "findings": (finding("job-not-successful", "invalid"),)},
            "its measurement was not completed",
        ),
    ],
)
def test_verdict__that_does_not_fit_is_measured_again(jobs, changes, why):
    jobs.github.state.artifacts[0].content = pack(("verdict.json", measured(**changes)))
    assert jobs.look() == "reused=\n"
    assert why in jobs.why or "not a verdict" in jobs.why


@pytest.mark.parametrize("content", [b"{}", b"[" * 999])
def test_verdict__that_is_none_is_measured_again(jobs, content):
    jobs.github.state.artifacts[0].content = pack(("verdict.json", content))
    assert jobs.look() == "reused=\n"
    jobs.github.state.artifacts[0].expired = True
    assert jobs.look() == "reused=\n"
    assert "only expired ones" in jobs.why


def test_thresholds__that_cannot_be_read_are_left_to_the_plan(jobs):
    (jobs.folder / FILE).write_text("schema: 1\n")
    assert jobs.look() == "reused=\n"


def test_github__that_does_not_answer_is_no_verdict(jobs):
    jobs.github.fail("GET", "/actions", times=99, status=404)
    assert jobs.look() == "reused=\n"
    assert "HTTP 404" in jobs.why


@pytest.mark.parametrize(
    "needs",
    [
        NEEDS | {"plan": "failure"},
        NEEDS | {"plan": "skipped"},
        NEEDS | {"scenario": "success"},
        NEEDS | {"scenario": "cancelled"},
        NEEDS | {"image": "failure"},
        {"image": "skipped", "scenario": "skipped"},
    ],
)
def test_gate__is_red_where_jobs_ended_otherwise(jobs, needs):
    jobs.look()
    code, verdict = jobs.gate(needs)
    assert (code, verdict.outcome) == (3, "INVALID")


def test_gate__is_red_where_the_verdict_does_not_fit_or_is_none(jobs):
    jobs.look()
    jobs.reused.write_bytes(measured(pull_number=8))
    assert jobs.gate()[0] == 3
    jobs.reused.write_bytes(b"{}")
    assert jobs.gate()[0] == 3
    jobs.reused.unlink()
    assert jobs.gate()[0] == 3
