"""The command line as its users meet it: in process, with a real service and a real Locust."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys

import psutil
import pytest

from ci_gate.errors import OutsideError
from ci_gate.evidence.recording import read_run
from ci_gate.judge.verdict import decode_verdict
from tests.service.services import await_true
from tests.steady import await_steady

EXIT = {"pass": 0, "fail": 1, "bad input": 2, "invalid": 3, "outside": 4, "bug": 70}

LONG_RUN = ("--profile", "long", "--out")


def test_run__passes_and_keeps_everything(repository, call, tmp_path):
    out = tmp_path / "out"
    code, table, progress = call("run", "--thresholds", repository.thresholds, "--out", out)
    assert code == EXIT["pass"], table + progress
    assert "visits" in table
    assert "PASS: 1 scenario kept all 2 limits (1 PASS; profile pull_request)" in table
    assert "visits: 5 users: about 2 s" in progress
    verdict = decode_verdict((out / "verdict.json").read_bytes())
    assert verdict.outcome == "PASS"
    assert verdict.scenarios[0].endpoints[0].requests > 100
    assert (out / "report.md").read_text().startswith("## ✅ PASS")
    assert '<div class="plot" data-chart="s0-latency">' in (out / "report.html").read_text()
    assert json.loads((out / "run.json").read_text())["ended_at"] is not None


def test_run__fails_when_a_limit_breaks(repository, call, tmp_path):
    repository.edit("thresholds.yaml", "{p50: 500ms}", "{p50: 0.001ms}")
    code, table, _ = call("run", "--quiet", "--thresholds", repository.thresholds, "--out", tmp_path / "out")
    assert code == EXIT["fail"]
    assert re.search(r"✗ GET /ok p50 +\d.* ms  at most 0.001ms +.* times the limit", table)
    assert re.search(r"✓ all failures +0 %  at most 1% \(default\) +0 % of the limit", table)


@pytest.mark.parametrize(
    ("pages", "code", "told"),
    [
        (["home"], "pass", "note    [page-beside-api] GET /page/home: all "),
        (["home", "about"], "pass", "note    [page-beside-api] GET /page/about: all "),
        (["login/a", "login/b"], "invalid", "[html-replies] GET /page/login/a: "),
    ],
)
def test_run__a_page_beside_an_api_is_one_and_a_page_for_several_endpoints_is_none(
    repository, call, tmp_path, pages, code, told
):
    calls = "".join(f'; self.client.get("/page/{page}")' for page in pages)
    more = 'self.client.get("/ok"); self.client.get("/status/200"); self.client.get("/size/9")'
    repository.edit("visits.py", 'self.client.get("/ok")', more + calls)
    done = call("run", "--quiet", "--thresholds", repository.thresholds, "--out", tmp_path / "out")
    assert done[0] == EXIT[code], done
    assert told in done[1]
    assert ("relax: {html-replies: " in done[1]) is (code != "pass")


def test_run__proves_nothing_when_a_named_endpoint_is_never_called(repository, call, tmp_path):
    repository.edit("thresholds.yaml", "GET /ok:", "GET /other:")
    code, table, _ = call("run", "--quiet", "--thresholds", repository.thresholds, "--out", tmp_path / "out")
    assert code == EXIT["invalid"]
    assert "[endpoint-never-called] GET /other" in table


def test_run__a_service_that_does_not_start_is_invalid_and_shows_its_log(repository, call, tmp_path):
    repository.write("service.py", "raise SystemExit('no database')")
    code, table, progress = call("run", "--thresholds", repository.thresholds, "--out", tmp_path / "out")
    assert code == EXIT["invalid"]
    assert "[not-measured]" in table
    assert "no database" in progress


def test_run__bad_arguments_and_files(repository, call, tmp_path):
    assert call("run", "--thresholds", tmp_path / "absent.yaml")[0] == EXIT["bad input"]
    assert call("run", "--thresholds", repository.thresholds, "--profile", "nightly")[0] == EXIT["bad input"]
    assert call("run", "--thresholds", repository.thresholds, "--scenario", "nope")[0] == EXIT["bad input"]
    assert call("run", "--no-such-option")[0] == EXIT["bad input"]
    assert call("judge", tmp_path)[0] == EXIT["bad input"]
    (tmp_path / "verdict.json").write_text("{}")
    assert call("report", tmp_path / "verdict.json")[0] == EXIT["bad input"]


def test_run__a_missing_thresholds_file_says_how_to_make_one(call, tmp_path):
    for command in ("check", "run", "calibrate"):
        code, _, err = call(command, "--thresholds", tmp_path / "absent.yaml")
        assert code == EXIT["bad input"]
        assert "`ci-gate init` writes a first one" in err


def test_check__a_command_for_a_shell_is_a_problem(repository, call):
    repository.edit("thresholds.yaml", "command: python service.py", "command: cd . && python service.py")
    code, _, err = call("check", "--thresholds", repository.thresholds)
    assert code == EXIT["bad input"]
    assert "there is no shell that would read `cd` (allowed: sh -c 'cd . && python service.py {port}')" in err


def test_check__a_locustfile_that_does_not_import_says_where(repository, call):
    (repository.folder / "helpers.py").write_text("import nothing_like_it")
    visits = repository.folder / "visits.py"
    visits.write_text(f"import helpers\n{visits.read_text()}")
    code, _, err = call("check", "--thresholds", repository.thresholds)
    assert code == EXIT["bad input"]
    assert "ModuleNotFoundError: No module named 'nothing_like_it' (helpers.py:1)" in err


def test_run__never_writes_over_evidence(repository, call, tmp_path):
    (tmp_path / "kept").write_text("evidence")
    code, _, err = call("run", "--thresholds", repository.thresholds, "--out", tmp_path)
    assert code == EXIT["bad input"]
    assert "is not empty" in err


def test_run__an_unexpected_error_is_our_bug(repository, call, tmp_path, monkeypatch):
    monkeypatch.setattr("ci_gate.run.scenarios.run_scenarios", lambda *_: 1 / 0)
    code, _, err = call("run", "--thresholds", repository.thresholds, "--out", tmp_path / "out")
    assert code == EXIT["bug"]
    assert "ZeroDivisionError" in err
    assert "please report" in err


def test_check__good(repository, call):
    code, out, _ = call("check", "--thresholds", repository.thresholds)
    assert code == EXIT["pass"]
    assert "visits: 5 users offer at most 100.0/s" in out


def test_check__reads_a_task_that_only_looks_at_its_user(repository, call):
    """50 users who wait 2 s offer 25/s, whatever they ask of themselves."""
    guard = 'if not hasattr(self, "seen"): self.seen = f"{self}"'
    repository.edit("visits.py", 'self.client.get("/ok")', f'{guard}\n        self.client.get("/ok")')
    repository.edit("visits.py", "constant(0.05)", "constant(2)")
    repository.edit("thresholds.yaml", "Visitor: 5", "Visitor: 50")
    repository.edit("thresholds.yaml", "{p50: 500ms}", "{p50: 500ms, rate: 80/s}")
    code, _, err = call("check", "--thresholds", repository.thresholds)
    assert code == EXIT["bad input"]
    assert "a rate of 80/s is beyond what the users can offer (allowed: at most 25.0/s" in err


def test_check__every_problem_at_once(repository, call):
    repository.edit("thresholds.yaml", "Visitor: 5", "Visitr: 5, Other: 1")
    code, _, err = call("check", "--thresholds", repository.thresholds)
    assert code == EXIT["bad input"]
    assert f"{repository.thresholds}:11:13: visits.py has no user class 'Visitr' (allowed: Visitor)" in err
    assert "'Other'" in err


def test_check__a_rate_beyond_the_users_and_a_percentile_beyond_the_time(repository, call):
    repository.edit("thresholds.yaml", "{p50: 500ms}", "{p50: 500ms, rate: 101/s}")
    code, _, err = call("check", "--thresholds", repository.thresholds)
    assert code == EXIT["bad input"]
    assert "a rate of 101/s is beyond what the users can offer (allowed: at most 100.0/s" in err
    repository.edit("thresholds.yaml", "rate: 101/s", "rate: 99/s, p99: 1s")
    code, out, _ = call("check", "--thresholds", repository.thresholds)
    assert code == EXIT["pass"]
    assert (
        "GET /ok p99 takes 1,000 successes, profile pull_request brings at most 200; a duration of 10s" in out
    )


def test_judge__again_without_load_gives_the_same_verdict(repository, call, tmp_path):
    out = tmp_path / "out"
    call("run", "--quiet", "--thresholds", repository.thresholds, "--out", out)
    first = (out / "verdict.json").read_bytes()
    (out / "verdict.json").unlink()
    code, _, _ = call("judge", out)
    assert code == EXIT["pass"]
    assert (out / "verdict.json").read_bytes() == first
    repository.edit("thresholds.yaml", "{p50: 500ms}", "{p50: 0.001ms}")
    assert call("judge", out, "--thresholds", repository.thresholds)[0] == EXIT["fail"]
    repository.edit("thresholds.yaml", "Visitor: 5", "Visitor: 6")
    code, table, _ = call("judge", out, "--thresholds", repository.thresholds)
    assert code == EXIT["invalid"]
    assert "[other-load]" in table


def test_report__renders_a_verdict(repository, call, tmp_path):
    out = tmp_path / "out"
    call("run", "--quiet", "--thresholds", repository.thresholds, "--out", out)
    assert call("report", out / "verdict.json")[1] == (out / "report.md").read_text()
    assert "visits" in call("report", out / "verdict.json", "--format", "text")[1]


def start_long_run(repository, out):
    process = subprocess.Popen(
        [sys.executable, "-m", "ci_gate", "run", "--thresholds", repository.thresholds, *LONG_RUN, out],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert await_steady(out / "visits" / "head", requests=50)
    assert process.poll() is None
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 3  # service, Locust, watchdog
    return process, children


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run__an_interrupt_ends_everything_and_leaves_readable_evidence(repository, tmp_path, call, number):
    out = tmp_path / "out"
    process, children = start_long_run(repository, out)
    os.kill(process.pid, number)
    _, err = process.communicate(timeout=90)
    assert process.returncode == EXIT["invalid"]
    assert "interrupted" in err
    assert "Traceback" not in err
    psutil.wait_procs(children, timeout=30)
    assert not [child for child in children if child.is_running()]
    code, table, _ = call("judge", out)
    assert code == EXIT["invalid"]
    assert "[run-not-finished]" in table
    assert decode_verdict((out / "verdict.json").read_bytes()).scenarios[0].endpoints[0].requests > 10


def test_run__that_fails_is_told_from_one_that_was_interrupted(repository, call, tmp_path, monkeypatch):
    def fill_the_disk(*_arguments, **_more):
        raise OutsideError("no space left on device")

    monkeypatch.setattr("ci_gate.run.scenarios.record", fill_the_disk)
    out = tmp_path / "out"
    assert call("run", "--thresholds", repository.thresholds, "--out", out)[0] == EXIT["outside"]
    run = read_run(out)
    assert (run.interrupted, run.failed) == (False, "no space left on device")
    code, table, _ = call("judge", out)
    assert code == EXIT["invalid"]
    assert "the run failed before its end: no space left on device" in table
    assert "interrupted" not in table


def test_run__kill_9_leaves_no_process_no_folder_and_readable_evidence(
    repository, tmp_path, call, monkeypatch
):
    out, temporary = tmp_path / "out", tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    process, children = start_long_run(repository, out)
    assert [path.name[:14] for path in temporary.glob("ci-gate*")] == ["ci-gate-state-"]
    process.kill()
    process.communicate(timeout=90)
    psutil.wait_procs(children, timeout=30)
    assert not [child for child in children if child.is_running()]
    assert await_true(lambda: not list(temporary.glob("ci-gate*")))
    code, table, _ = call("judge", out)
    assert code == EXIT["invalid"]
    assert "[run-not-finished]" in table
    assert decode_verdict((out / "verdict.json").read_bytes()).scenarios[0].endpoints[0].requests > 10


def test_help__teaches(call):
    code, out, _ = call("--help")
    assert code == EXIT["pass"]
    for word in ("check", "run", "judge", "report", "Exit codes", "INVALID"):
        assert word in out
