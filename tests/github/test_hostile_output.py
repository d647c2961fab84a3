"""Text of a fork, planted wherever it can appear: nothing of it does anything in the log of a job."""

from __future__ import annotations

import json
import re
import unicodedata

import msgspec
import pytest

from ci_gate.judge.occasion import Occasion
from ci_gate.judge.verdict import decode_verdict, encode_verdict
from tests.github.fake_state import Artifact, Pull
from tests.github.repositories import FILE, THRESHOLDS, files, run_verdict, write_files
from tests.github.test_archive import pack
from tests.report.verdicts import change, diagnosis, duet, endpoint, finding, limit, not_compared, scenario

SHA, BASE, MERGE = "a" * 40, "b" * 40, "d" * 40
EVIL = "\r::add-mask::x\n::stop-commands::y\n ##[group]z\x1b[2J\x1b]8;;http://evil\x07\u202eabc\u2028::debug::q\u200b\x00\x9b"
BRANCH = "topic/\u202e\u200b\u2066"  # git allows no other control characters
OURS = re.compile(r"::(error|warning) ")


def assert_harmless(*texts):
    for text in texts:
        unsafe = {each for each in text if unicodedata.category(each) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}
        assert unsafe <= {"\n", "\t"}
        assert "##[" not in text
        for line in text.splitlines():
            assert not line.strip().startswith("::") or OURS.match(line)


def hostile_verdict(**more):
    """Every text of it is hostile but the metrics: a verdict of an unknown one is refused."""
    cause = diagnosis().causes
    one = scenario(
        f"checkout{EVIL}",
        "FAIL",
        endpoints=[endpoint(EVIL, statuses={EVIL: 1}), endpoint("all")],
        limits=[limit(EVIL, "p95", 400.0, EVIL, bound=300.0, outcome="FAIL")],
        findings=[finding(EVIL, "invalid", EVIL, EVIL, EVIL), finding(EVIL, "info", EVIL, EVIL, EVIL)],
        comparison=duet(
            change(EVIL, "p50"),
            not_compared=[not_compared(EVIL, outcome="INCONCLUSIVE")],
            findings=[finding(EVIL, "insufficient", EVIL, EVIL, EVIL)],
            outcome="FAIL",
        ),
        diagnosis=diagnosis(*cause, unknown=[EVIL]),
    )
    occasion = Occasion(
        event=EVIL,
        pull_number=7,
        head_sha=EVIL,
        base_ref=EVIL,
        base_sha=EVIL,
        run_id=1,
        run_attempt=1,
    )
    values = {
        "ci_gate_version": EVIL,
        "profile": EVIL,
        "started_at": EVIL,
        "thresholds_file": EVIL,
        "thresholds_sha256": EVIL,
        "git": {"head": EVIL, "base": EVIL, EVIL: EVIL},
        "findings": (
            finding(EVIL, "invalid", EVIL, EVIL, EVIL),
            finding("bad-input", "invalid", f"{EVIL}:1:2", EVIL),
        ),
        "scenarios": (one,),
        "outcome": "FAIL",
        "blocks": True,
        "occasion": occasion,
    }
    return encode_verdict(msgspec.structs.replace(decode_verdict(run_verdict()), **{**values, **more}))


ARCHIVES = [
    pack(("verdict.json", hostile_verdict())),
    pack((f"a{EVIL}", b"x"), ("verdict.json", run_verdict())),
    pack((f"..{EVIL}", b"x")),
    pack(("verdict.json", json.dumps({EVIL: EVIL}).encode())),
    pack(("verdict.json", json.dumps({"schema": EVIL, "outcome": EVIL}).encode())),
    EVIL.encode(),
]
HOSTILE_THRESHOLDS = [
    THRESHOLDS,
    THRESHOLDS.replace("checkout", '"check\\e]0;x\\a\\u202e"'),
    f"{THRESHOLDS}{EVIL}: 1\n",
    THRESHOLDS.replace("Buyer", json.dumps(EVIL)).replace("300ms", json.dumps(EVIL)),
]


@pytest.fixture
def publish(github, call, tmp_path, monkeypatch):
    """The real command, as the job that follows the run of a fork; returns all that left it."""
    github.state.pulls.append(
        Pull(number=7, sha=SHA, head_repository="mallory/shop", merge_sha=MERGE, labels=(EVIL,), base=EVIL)
    )
    github.state.parents[MERGE] = (BASE, SHA)
    for ref in (MERGE, BASE):
        github.state.files |= {(ref, path): content for path, content in files().items()}
    summary = tmp_path / "summary.md"
    values = {
        "GITHUB_REPOSITORY": "shop/shop",
        "GITHUB_RUN_ID": "42",
        "GITHUB_API_URL": github.url,
        "GITHUB_TOKEN": "token",
        "GITHUB_STEP_SUMMARY": str(summary),
        "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
        "NO_PROXY": "*",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "event.json").write_text("{}")

    def run(event, payload, *arguments):
        monkeypatch.setenv("GITHUB_EVENT_NAME", event)
        (tmp_path / "event.json").write_text(json.dumps(payload))
        return call("publish", "--author", "github-actions[bot]", *arguments)

    return run


def other_run(**values):
    told = {
        "id": 99,
        "event": "pull_request",
        "head_sha": SHA,
        "head_branch": BRANCH,
        "head_repository": {"full_name": "mallory/shop"},
        "conclusion": EVIL,
        "html_url": "https://github.example/shop/shop/actions/runs/99",
    }
    return {"workflow_run": told | values}


@pytest.mark.parametrize("archive", ARCHIVES)
def test_publish__of_a_forks_run(github, publish, archive):
    github.state.artifacts = [Artifact(id=1, run_id=99, name="load-gate-verdict", content=archive)]
    github.state.pulls[0].branch = BRANCH
    code, out, err = publish("workflow_run", other_run())
    assert (code, err) == (0, "")
    assert "comment created" in out
    assert_harmless(out)


@pytest.mark.parametrize("text", HOSTILE_THRESHOLDS)
@pytest.mark.parametrize("ref", [MERGE, BASE])
def test_publish__of_hostile_thresholds(github, publish, text, ref):
    github.state.artifacts = [Artifact(id=1, run_id=99, name="load-gate-verdict", content=ARCHIVES[0])]
    github.state.files[ref, FILE] = text.encode()
    code, out, err = publish("workflow_run", other_run(head_branch="topic"))
    assert (code, err) == (0, "")
    assert_harmless(out)


def test_publish__of_what_github_says_in_an_error(github, publish):
    github.fail("GET", "pulls", times=9, status=400, message=EVIL)
    code, out, err = publish("workflow_run", other_run(head_branch="topic"))
    assert (code, out) == (4, "")
    assert "add-mask" in err
    assert_harmless(err)
    code, out, err = publish("workflow_run", {"workflow_run": {"id": EVIL, EVIL: EVIL}})
    assert code == 2
    assert_harmless(out, err)


@pytest.mark.parametrize("text", HOSTILE_THRESHOLDS)
def test_publish_and_gate__of_an_own_run(publish, call, tmp_path, text):
    folder = write_files(tmp_path / "head", files(text))
    verdict = write_files(tmp_path / "in", {"verdict-a/verdict.json": hostile_verdict()})
    needs = json.dumps({EVIL: {"result": EVIL}})
    gathered = tmp_path / "gathered.json"
    arguments = ["--scenarios", json.dumps([EVIL, f"checkout{EVIL}"]), "--needs", needs]
    code, out, err = call("gate", verdict, *arguments, "--repository", folder, "--out", gathered)
    assert code in {1, 3}
    assert_harmless(out, err)
    for file in (gathered, verdict / "verdict-a/verdict.json"):
        payload = {"pull_request": {"number": 7, "head": {"sha": SHA, "ref": EVIL}, "labels": []}}
        code, out, err = publish("pull_request", payload, file, "--repository", folder)
        assert code in {1, 3}
        assert "::error" in out
        assert_harmless(out, err)
    code, out, err = call("report", gathered, "--format", "text")
    assert (code, err) == (0, "")
    assert_harmless(out)


@pytest.mark.parametrize("text", HOSTILE_THRESHOLDS[1:])
def test_plan__of_hostile_thresholds(call, tmp_path, text):
    write_files(tmp_path, files(text))
    code, out, err = call("plan", "--thresholds", tmp_path / FILE, "--scenario", EVIL)
    assert code == 2
    assert_harmless(out, err)
    assert len(out.splitlines()) == 1
