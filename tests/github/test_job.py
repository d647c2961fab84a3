"""The steps of action.yml, one after another, as a job runs them: review, measure, publish."""

from __future__ import annotations

import json
import os
import sys

import pytest

from ci_gate.github import publish
from ci_gate.github.job_plan import Asked, Beside, choose_beside
from ci_gate.github.review import decode_review
from ci_gate.judge.occasion import Occasion
from ci_gate.judge.timeline.run_timeline import TIMELINE_SCHEMA, RunTimeline, encode_timeline
from ci_gate.judge.verdict import decode_verdict, encode_verdict
from ci_gate.thresholds import parse_thresholds
from tests.github.fake_state import Artifact, Pull, Run
from tests.github.test_archive import pack
from tests.report.verdicts import limit, scenario, verdict
from tests.repositories import commit_files, git

BASE_OF_EVENT = "0" * 40  # older than the merge's first parent, and not in the checkout


class Job:
    """A job for pull request 7 whose checkout is the test merge, with no token unless it is given one."""

    def __init__(self, repository, call, monkeypatch, folder):
        self.repository, self.call, self.monkeypatch = repository, call, monkeypatch
        self.folder, self.outputs, self.summary = folder / "out", folder / "outputs", folder / "summary.md"
        root = repository.folder
        git(root, "init", "--quiet", "-b", "main")
        (root / ".gitignore").write_text("__pycache__/\n")
        self.base = commit_files(root, {})
        git(root, "checkout", "--quiet", "-b", "change")
        self.head = self.merge = ""
        self.set(
            GITHUB_EVENT_NAME="pull_request",
            GITHUB_EVENT_PATH=folder / "event.json",
            GITHUB_REPOSITORY="shop/shop",
            GITHUB_RUN_ID="42",
            GITHUB_RUN_ATTEMPT="1",
            GITHUB_OUTPUT=self.outputs,
            GITHUB_STEP_SUMMARY=self.summary,
            GITHUB_TOKEN="",
        )
        monkeypatch.chdir(root)

    def set(self, **environ):
        for name, value in environ.items():
            self.monkeypatch.setenv(name, str(value))

    def open_pull_request(self, action="synchronize", labels=(), **files):
        root = self.repository.folder
        self.head = commit_files(root, files)
        git(root, "checkout", "--quiet", "--detach", "main")
        git(root, "merge", "--quiet", "--no-ff", "-m", "Merge", "change")
        self.merge = git(root, "rev-parse", "HEAD")
        self.tell(action, labels)

    def tell(self, action="synchronize", labels=()):
        pull = {
            "number": 7,
            "labels": [{"name": name} for name in labels],
            "head": {"ref": "change", "sha": self.head, "repo": None},
            "base": {"ref": "main", "sha": BASE_OF_EVENT},
        }
        payload = {"action": action, "number": 7, "changes": {}, "pull_request": pull}
        (self.folder.parent / "event.json").write_text(json.dumps(payload))

    def review(self, *arguments):
        return self.call("review", "--folder", self.folder, *arguments)

    def measure(self, *arguments):
        return self.call("measure", "--folder", self.folder, *arguments)

    def publish(self, *arguments):
        # Each step has its own; the step before may have hidden them from what it ran.
        self.set(GITHUB_OUTPUT=self.outputs, GITHUB_STEP_SUMMARY=self.summary)
        review = ("--review", self.folder / "review.json")
        return self.call("publish", self.folder / "verdict.json", *review, *arguments)

    @property
    def verdict(self):
        return decode_verdict((self.folder / "verdict.json").read_bytes())


@pytest.fixture
def job(repository, call, monkeypatch, tmp_path):
    repository.edit("thresholds.yaml", "Visitor: 5", "Visitor: 20")  # a slow head, too, gives enough replies
    return Job(repository, call, monkeypatch, tmp_path)


@pytest.mark.slow
def test_job__a_head_that_keeps_its_limits_is_green(job):
    """Its python is the job's own, of which ci-gate's environment knows nothing."""
    bin_folder = job.folder.parent / "bin"
    bin_folder.mkdir()
    (bin_folder / "python").write_text(f'#!/bin/sh\necho job >> "$WHO"\nexec "{sys.executable}" "$@"\n')
    (bin_folder / "python").chmod(0o755)
    job.set(PATH=f"{bin_folder}{os.pathsep}{os.environ['PATH']}", WHO=job.folder.parent / "who")
    job.open_pull_request()
    code, out, _ = job.review()
    assert (code, out) == (0, "reused=\n")
    assert job.verdict.outcome == "INVALID"  # as long as nothing is measured
    assert job.measure()[0] == 0
    assert (job.folder.parent / "who").read_text().startswith("job\n")
    code, out, _ = job.publish("--comment", "never")
    assert code == 0, out
    measured = job.verdict
    assert (measured.outcome, measured.occasion.base_sha) == ("PASS", job.base)
    assert measured.occasion.head_sha == job.head
    assert job.outputs.read_text() == "outcome=PASS\n"
    assert "PASS" in job.summary.read_text()
    assert "visits" in (job.folder / "report.html").read_text()
    assert (job.folder / "evidence" / "run.json").exists()


def slow_service(job):
    return (
        (job.repository.folder / "service.py")
        .read_text()
        .replace(
            "with site.Server",
            "get = site.Handler.do_GET\n"
            "site.Handler.do_GET = lambda handler: time.sleep(0.6) or get(handler)\n"
            "with site.Server",
        )
    )


@pytest.mark.slow
def test_measure__that_decides_ends_as_the_verdict_does(job):
    """As in a job of the matrix workflow, which is run again by itself where it failed."""
    job.open_pull_request(**{"service.py": slow_service(job)})
    assert job.review()[0] == 0
    assert job.measure("--decide")[0] == 1
    assert job.verdict.outcome == "FAIL"


@pytest.mark.slow
def test_job__a_slow_head_is_red_though_it_could_be_measured(job):
    job.open_pull_request(**{"service.py": slow_service(job)})
    assert job.review()[0] == 0
    assert job.measure()[0] == 0
    assert job.publish()[0] == 1
    assert job.verdict.outcome == "FAIL"
    assert job.outputs.read_text() == "outcome=FAIL\n"


def test_review__a_loosening_is_red_whatever_the_checkout_holds_later(job):
    """What was read before head's code ran is what counts."""
    loose = (job.repository.folder / "thresholds.yaml").read_text().replace("500ms", "900ms")
    job.open_pull_request(**{"thresholds.yaml": loose})
    assert job.review()[0] == 0
    for file in (job.repository.folder / "thresholds.yaml", job.repository.folder / "visits.py"):
        file.unlink()
    kept = [limit(endpoint="GET /ok", metric="p50"), limit(metric="failures", text="1%", measured=0.0)]
    measured = verdict(scenario("visits", limits=kept))
    (job.folder / "verdict.json").write_bytes(encode_verdict(measured))
    code, out, _ = job.publish()
    assert code == 1, out
    assert "500ms" in job.summary.read_text(), job.summary.read_text()
    assert "outcome=FAIL" in job.outputs.read_text()


def test_review__without_a_loosening_needs_no_approval(job):
    job.open_pull_request()
    assert job.review()[0] == 0
    kept = [limit(endpoint="GET /ok", metric="p50"), limit(metric="failures", text="1%", measured=0.0)]
    (job.folder / "verdict.json").write_bytes(encode_verdict(verdict(scenario("visits", limits=kept))))
    assert job.publish()[0] == 0, job.summary.read_text()


def test_review__is_read_once(job, monkeypatch):
    """For both sides: it may be large."""
    test_review__without_a_loosening_needs_no_approval(job)
    read = []
    monkeypatch.setattr(publish, "decode_review", lambda content: read.append(1) or decode_review(content))
    assert job.publish()[0] == 0
    assert len(read) == 1


def test_review__that_is_gone_leaves_no_verdict_that_passes(job):
    job.open_pull_request()
    assert job.review()[0] == 0
    (job.folder / "review.json").unlink()
    (job.folder / "verdict.json").write_bytes(encode_verdict(verdict(scenario("visits"))))
    assert job.publish()[0] == 3
    assert "not reviewed" in job.summary.read_text()


@pytest.mark.parametrize(
    ("change", "words"), [({"schema": 2}, "of schema 2"), ({"head": None}, "not a review.json")]
)
def test_review__that_is_none_leaves_no_verdict_that_passes(job, change, words):
    job.open_pull_request()
    assert job.review()[0] == 0
    path = job.folder / "review.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    (job.folder / "verdict.json").write_bytes(encode_verdict(verdict(scenario("visits"))))
    assert job.publish()[0] == 3
    assert words in job.summary.read_text()


def test_review__runs_no_code_of_heads(job):
    trap = 'open("ran", "w").close()\n'
    job.open_pull_request(**{"visits.py": trap, "click.py": trap, "service.py": trap, "ci_gate.py": trap})
    assert job.review()[0] == 0
    assert not (job.repository.folder / "ran").exists()


def test_review__of_pull_request_target_is_refused(job):
    job.open_pull_request()
    job.set(GITHUB_EVENT_NAME="pull_request_target")
    code, out, err = job.review()
    assert (code, out) == (2, "")
    assert "use pull_request" in err
    assert job.verdict.outcome == "INVALID"


def test_review__in_a_monorepo(job):
    root = job.repository.folder
    thresholds = (root / "thresholds.yaml").read_text()
    job.open_pull_request(**{"backend/thresholds.yaml": thresholds.replace("500ms", "1 ms")})
    code, _, err = job.review("--thresholds", "backend/thresholds.yaml")
    assert code == 0, err
    review = json.loads((job.folder / "review.json").read_text())
    assert (review["file"], review["base"]["text"]) == ("backend/thresholds.yaml", None)
    assert job.measure("--thresholds", "backend/thresholds.yaml")[0] == 2
    assert "backend/thresholds.yaml" in job.verdict.findings[0].subject


def test_untouched__is_green_and_says_that_nothing_was_measured(job):
    job.open_pull_request(**{"docs/page.md": "new"})
    code, out, _ = job.review("--paths", "service.py\n\n  thresholds.yaml  \n")
    assert (code, out) == (0, "reused=42\n")
    assert (job.verdict.outcome, job.verdict.blocks, job.verdict.scenarios) == ("PASS", False, ())
    code, out, _ = job.publish("--comment", "never")
    assert code == 0, out
    note = "nothing was measured: the change touches none of service.py, thresholds.yaml"
    assert f"PASS: {note}" in out
    assert "the change touches none of service.py" in (job.folder / "report.html").read_text()
    assert "PASS: nothing was measured" in job.summary.read_text()
    assert job.verdict.occasion.base_sha == job.base


@pytest.mark.parametrize(
    "changed",
    [
        {"service.py": "print(1)"},
        {"visits.py": "import locust"},
        {".github/workflows/load-gate.yml": "on: push"},
        {},
    ],
)
def test_untouched__is_nothing_that_decides(job, changed):
    if not changed:
        job.repository.edit("thresholds.yaml", "Visitor: 20", "Visitor: 21")
    job.open_pull_request(**changed)
    code, out, _ = job.review("--paths", "service.py")
    assert (code, out) == (0, "reused=\n")
    assert job.verdict.outcome == "INVALID"


def test_untouched__is_nothing_without_a_base(job):
    job.open_pull_request()
    job.set(GITHUB_EVENT_NAME="workflow_dispatch")
    assert job.review("--paths", "service.py")[1] == "reused=\n"


@pytest.mark.parametrize(
    ("scenario_job", "code", "outcome"), [("skipped", 0, "PASS"), ("failure", 3, "INVALID")]
)
def test_matrix__takes_what_touches_nothing_as_it_takes_a_verdict_again(job, scenario_job, code, outcome):
    """Its plan's job hands it on; the jobs that measure are skipped."""
    job.open_pull_request(**{"docs/page.md": "new"})
    file, made = job.folder / "reused" / "verdict.json", job.folder / "verdict.json"
    assert job.call("last-verdict", "--paths", "service.py", "--out", file)[:2] == (0, "reused=42\n")
    results = {"plan": "success", "image": "skipped", "scenario": scenario_job}
    needs = json.dumps({name: {"result": result} for name, result in results.items()})
    arguments = ("--scenarios", '["visits"]', "--needs", needs, "--out", made)
    assert job.call("repeat", file, *arguments)[0] == code
    assert job.verdict.outcome == outcome


def test_matrix__measures_what_touches_a_path(job):
    job.open_pull_request(**{"service.py": "print(1)"})
    file = job.folder / "verdict.json"
    code, out, err = job.call("last-verdict", "--paths", "service.py", "--out", file)
    assert (code, out, file.exists()) == (0, "reused=\n", False), err


def test_path__of_no_file_is_a_mistake(job):
    """A wrong name would never be touched, and the gate be green for ever."""
    job.open_pull_request(**{"docs/page.md": "new"})
    code, _, err = job.review("--paths", "service.py\nsrvice")
    assert (code, job.verdict.outcome) == (2, "INVALID")
    assert "no file of this checkout is in the path 'srvice'" in err


def test_mistake__is_a_verdict_and_exit_code_2(job):
    wrong = (job.repository.folder / "thresholds.yaml").read_text().replace("p50: 500ms", "p50: fast")
    job.open_pull_request(**{"thresholds.yaml": wrong})
    assert job.review()[0] == 0
    code, _, err = job.measure()
    assert code == 2
    assert "fast" in err
    assert "fast" in job.verdict.findings[0].message
    assert job.publish()[0] == 3
    assert "fast" in job.summary.read_text()


def test_file__that_a_step_edits_after_the_review_is_refused(job):
    job.open_pull_request()
    assert job.review()[0] == 0
    job.repository.edit("thresholds.yaml", "500ms", "900s")
    code, _, err = job.measure()
    assert code == 2
    assert "after it was reviewed" in err
    assert job.verdict.outcome == "INVALID"


def test_job__that_ends_before_it_measures_is_red(job):
    job.open_pull_request()
    assert job.review()[0] == 0
    assert job.publish()[0] == 3
    assert "before anything was measured" in job.summary.read_text()


def test_measure__gives_heads_code_neither_tokens_nor_the_files_that_instruct_the_runner(job):
    dump = "import json, os\njson.dump(dict(os.environ), open('seen.json', 'w'))\n"
    job.open_pull_request(**{"visits.py": dump})
    assert job.review()[0] == 0
    job.set(
        GITHUB_TOKEN="secret", GITHUB_ENV="/env", ACTIONS_RUNTIME_TOKEN="secret", DATABASE_URL="of the job"
    )
    assert job.measure()[0] == 2  # the locustfile has no class
    seen = json.loads((job.repository.folder / "seen.json").read_text())
    assert "secret" not in seen.values()
    assert not {"GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"} & {*seen}
    assert seen["DATABASE_URL"] == "of the job"
    assert seen["GITHUB_REPOSITORY"] == "shop/shop"


def test_measure__gives_heads_code_what_the_secret_holds_and_hides_it_from_logs(job):
    dump = "import json, os\njson.dump(dict(os.environ), open('seen.json', 'w'))\n"
    job.open_pull_request(**{"visits.py": dump})
    assert job.review()[0] == 0
    job.set(CI_GATE_SERVICE_ENV="API_KEY=se cret=\r\nEMPTY=\nDEBUG=12345\n", DATABASE_URL="of the job")
    _, _, err = job.measure()
    seen = json.loads((job.repository.folder / "seen.json").read_text())
    assert (seen["API_KEY"], seen["EMPTY"], seen["DATABASE_URL"]) == ("se cret=", "", "of the job")
    assert "CI_GATE_SERVICE_ENV" not in seen
    assert [line for line in err.splitlines() if "se cret" in line] == ["::add-mask::se cret="]
    assert err.count("::add-mask::") == 1, "short values are in too many words"


@pytest.mark.parametrize("text", ["API_KEY", "API_KEY=a\nse cret", "1A=secret", "A B=secret", "=secret"])
def test_measure__of_a_secret_of_another_form_shows_none_of_it(job, text):
    job.open_pull_request()
    assert job.review()[0] == 0
    job.set(CI_GATE_SERVICE_ENV=text)
    code, out, err = job.measure()
    assert code == 2
    assert "of the secret service-env is not NAME=value" in err
    assert "cret" not in (out + err).replace("secret service-env", "")


@pytest.mark.parametrize(("key", "reused"), [("a", "41"), ("another", "")])
def test_label__takes_the_last_verdict_of_the_same_key_again(job, github, key, reused):
    job.open_pull_request(action="labeled")
    text = (job.repository.folder / "thresholds.yaml").read_text()
    occasion = Occasion(
        event="pull_request",
        pull_number=7,
        head_sha=job.head,
        base_ref="main",
        base_sha=job.base,
        run_id=41,
        run_attempt=1,
    )
    measured = verdict(
        scenario("visits", "FAIL", limits=[limit(outcome="FAIL", measured=900.0)]),
        outcome="FAIL",
        profile="pull_request",
        thresholds_sha256=parse_thresholds(text, "thresholds.yaml").sha256,
        occasion=occasion,
    )
    github.state.pulls.append(Pull(number=7, sha=job.head, branch="change", merge_sha=job.merge))
    for number, hour in ((41, 9), (42, 10)):
        github.state.runs.append(
            Run(id=number, head_sha=job.head, created_at=f"2026-11-24T{hour:02}:00:00Z", conclusion="failure")
        )
    packed = pack(("verdict.json", encode_verdict(measured)))
    github.state.artifacts.append(Artifact(id=1, run_id=41, name="a-verdict", content=packed))
    charts = pack(("timeline.json", encode_timeline(RunTimeline(schema=TIMELINE_SCHEMA, scenarios=()))))
    github.state.artifacts.append(Artifact(id=2, run_id=41, name="a-timeline", content=charts))
    job.set(GITHUB_API_URL=github.url, GITHUB_TOKEN="token", no_proxy="127.0.0.1,localhost")
    code, out, err = job.review("--key", key)
    assert (code, out) == (0, f"reused={reused}\n"), err
    assert job.verdict.outcome == ("FAIL" if reused else "INVALID")
    assert (job.folder / "timeline.json").exists() is bool(reused)
    assert job.publish("--comment", "never")[0] == (1 if reused else 3)


COMMAND = parse_thresholds(
    """\
schema: 1
service: {command: 'python service.py {port}'}
profiles: {pull_request: {duration: 2s}}
scenarios:
  visits:
    locustfile: visits.py
    users: {Visitor: 5}
    spawn_rate: 1
    limits: {all: {p50: 1s}}
    regression: {p50: 10%}
""",
    "thresholds.yaml",
)
URL = parse_thresholds(
    COMMAND.text.replace("command: 'python service.py {port}'", "url: 'http://x'"), "t.yaml"
)


@pytest.mark.parametrize(
    ("thresholds", "asked", "reviewed", "expected"),
    [
        (COMMAND, Asked(), "c" * 40, Beside(base="c" * 40)),
        (COMMAND, Asked(), "", Beside()),
        (COMMAND, Asked(base="none"), "c" * 40, Beside()),
        (COMMAND, Asked(image="shop:1", base_image="shop:0"), "c" * 40, Beside(base="shop:0")),
        (COMMAND, Asked(image="shop:1"), "", Beside()),
        (URL, Asked(base="http://y"), "c" * 40, Beside(base="http://y")),
    ],
)
def test_beside(thresholds, asked, reviewed, expected, tmp_path):
    assert choose_beside(asked, thresholds, thresholds.scenarios, reviewed, tmp_path) == expected


@pytest.mark.parametrize(
    ("thresholds", "asked", "why"), [(COMMAND, Asked(image="shop:1"), "base-image"), (URL, Asked(), "URL")]
)
def test_beside__says_why_nothing_is_compared(thresholds, asked, why, tmp_path):
    beside = choose_beside(asked, thresholds, thresholds.scenarios, "c" * 40, tmp_path)
    assert beside.base == ""
    assert why in beside.not_compared
