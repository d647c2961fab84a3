"""The second start by another job: only beside the evidence of the very run that it confirms."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import shutil
from types import SimpleNamespace

import msgspec
import pytest

from ci_gate.cli.options import make_options, read_thresholds
from ci_gate.errors import EvidenceError, UsageError
from ci_gate.evidence.recording import CONFIRM, CONFIRMED_LATER, read_run, write_json
from ci_gate.judge.verdict import decode_verdict
from ci_gate.run import scenarios
from ci_gate.run.confirming import confirm_red
from ci_gate.run.plan import plan_run
from ci_gate.run.progress import ProgressPrinter
from tests.conftest import LONG
from tests.run.duets import list_started, make_versions

ASKED = {"visits/confirm": CONFIRMED_LATER}


@pytest.fixture
def first(repository, tmp_path):
    """Options of a comparison, and the folder in which its first start has left run.json."""
    make_versions(repository)
    thresholds = read_thresholds(repository.thresholds)
    options = make_options(thresholds, (), "pull_request", base="HEAD", out=tmp_path / "out")
    options.out.mkdir()
    write_json(options.out / "run.json", msgspec.structs.replace(plan_run(options), failures=ASKED))
    return dataclasses.replace(options, seed=options.seed + 1)  # each job draws one of its own


def change_run(run, **values):
    info = read_run(run.out)
    write_json(run.out / "run.json", msgspec.structs.replace(info, **values))


def change_plans(options, **values):
    plans = read_run(options.out).recordings
    changed = [
        msgspec.structs.replace(plan, **values) if plan.recording in CONFIRM else plan for plan in plans
    ]
    change_run(options, recordings=tuple(changed))


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        (lambda options: change_run(options, git={"head": "f" * 40}), "commit"),
        (lambda options: change_run(options, profile="full"), "profile"),
        (lambda options: change_run(options, thresholds_text="schema: 1"), "thresholds.yaml"),
        (lambda options: change_run(options, options={"users": "1"}), "options"),
        (lambda options: change_plans(options, duration_s=1.0), "plan"),
        (lambda options: change_plans(options, users={"Visitor": 1}), "plan"),
        (lambda options: change_run(options, recordings=()), "plan"),
    ],
)
def test_evidence__of_another_run_is_refused(first, change, differs):
    """What ran head's code has written it."""
    change(first)
    with pytest.raises(EvidenceError, match=f"another run: it differs in .*{differs}"):
        confirm_red(first, ProgressPrinter(io.StringIO()))


def test_evidence__of_a_machine_with_other_cpus_is_of_the_same_run(first):
    change_plans(first, worker_cpus=(5, 6), other_cpus=(0, 1))
    with pytest.raises(UsageError, match="does not block"):
        confirm_red(first, ProgressPrinter(io.StringIO()))


def test_evidence__in_which_nothing_is_left_to_be_confirmed(first):
    change_run(first, failures={})
    with pytest.raises(UsageError, match="nothing of visits is left"):
        confirm_red(first, ProgressPrinter(io.StringIO()))


def test_evidence__that_does_not_block(first):
    with pytest.raises(UsageError, match="does not block"):
        confirm_red(first, ProgressPrinter(io.StringIO()))


def test_evidence__that_brings_a_second_start_along_is_refused(first):
    (first.out / "visits" / CONFIRM[1]).mkdir(parents=True)
    with pytest.raises(EvidenceError, match="second start is there already"):
        confirm_red(first, ProgressPrinter(io.StringIO()))


@pytest.mark.parametrize("profiles_code", [None, True])
@pytest.mark.parametrize(
    ("reds", "whys", "is_sampled"),
    [
        (["red", "red"], {}, True),
        (["red", None], {}, False),
        (["red", "red"], {"visits/confirm": "base did not start"}, False),
    ],
)
def test_code__is_sampled_once_a_second_start_has_confirmed(
    first, monkeypatch, profiles_code, reds, whys, is_sampled
):
    answers, order = iter(reds), []

    @contextlib.contextmanager
    def open_session(options, info, progress):
        yield SimpleNamespace(options=options, info=info, base=object())

    def start_again(session, scenario, base, plans, failures, lasts_s):
        order.append("second start")
        failures |= whys

    def sample_code(session, scenario, plans, start_side, failures):
        assert {"code-base", "code-head"} <= {*plans}
        order.append("code")

    def find_red(*_):
        return SimpleNamespace(duration_s=1.0) if next(answers) else None

    for made in (open_session, start_again, sample_code, find_red):
        monkeypatch.setattr(f"ci_gate.run.confirming.{made.__name__}", made)
    confirm_red(dataclasses.replace(first, profiles_code=profiles_code), ProgressPrinter(io.StringIO()))
    assert order == (["second start", "code"] if is_sampled else ["second start"])


@pytest.mark.parametrize(
    ("confirms_later", "profiles_code", "order"),
    [
        (False, None, ["second start", "code"]),
        (True, None, []),
        (True, True, ["code"]),
        (False, False, ["second start"]),
    ],
)
def test_code__of_a_red_that_another_job_confirms_is_left_to_it(
    first, monkeypatch, confirms_later, profiles_code, order
):
    """Else a comparison that passes after it would say which code of head is slow."""
    options = dataclasses.replace(first, confirms_later=confirms_later, profiles_code=profiles_code)
    (scenario,) = options.scenarios
    plans, done, failures = {plan.recording: plan for plan in plan_run(options).recordings}, [], {}
    monkeypatch.setattr(scenarios, "find_red", lambda *_: SimpleNamespace(duration_s=1.0))
    monkeypatch.setattr(scenarios, "start_again", lambda *_: done.append("second start"))
    monkeypatch.setattr(scenarios, "sample_code", lambda *_: done.append("code"))
    scenarios.follow_red(SimpleNamespace(options=options), scenario, object(), plans, failures)
    assert done == order
    assert failures == (ASKED if confirms_later else {})


def test_evidence__that_brings_sampled_code_along_is_refused(first):
    (first.out / "visits" / "code-head").mkdir(parents=True)
    with pytest.raises(EvidenceError, match="second start is there already"):
        confirm_red(first, ProgressPrinter(io.StringIO()))


def gate(call, folder, first, confirmed):
    """The exit code and the verdict of the last job."""
    needs = {"plan": "success", "scenario": "failure", "reds": "success", "confirm": "failure"}
    for name, job in (("firsts", first), ("confirmed", confirmed)):
        (folder / name / "visits").mkdir(parents=True)
        shutil.copy(job / "verdict.json", folder / name / "visits")
    code, out, _ = call(
        *("gate", folder / "firsts", "--confirmed", folder / "confirmed", "--scenarios", '["visits"]'),
        *("--needs", json.dumps({job: {"result": result} for job, result in needs.items()})),
        *("--out", folder / "verdict.json"),
    )
    return code, decode_verdict((folder / "verdict.json").read_bytes()), out


@LONG
@pytest.mark.slow
def test_red__is_confirmed_by_another_job(repository, call, tmp_path, monkeypatch):
    """Two jobs with a folder of their own each, and the gate: as load-gate.yml runs them."""
    write = make_versions(repository)
    write(0.013)
    monkeypatch.chdir(repository.folder)
    first, fresh = tmp_path / "first", tmp_path / "fresh"
    measured = ("--base", "HEAD", "--decide")
    assert call("review", "--folder", first)[0] == 0
    code, _, log = call("measure", "--folder", first, *measured, "--confirm-on", "fresh-runner")
    assert code == 1, log
    assert [*list_started(first / "evidence", "confirm")] == []
    assert [*list_started(first / "evidence", "code")] == []
    code, out, _ = call("reds", first, "--matrix", '[{"scenario": "visits", "base": "x"}]')
    assert (code, out) == (0, 'matrix=[{"scenario": "visits", "base": "x"}]\n')
    assert call("review", "--folder", fresh)[0] == 0
    shutil.copytree(first / "evidence", fresh / "evidence")
    code, table, log = call("confirm", "--folder", fresh, *measured)
    assert code == 1, log
    assert "confirmed on a second start" in table
    of_first, of_second = (list_started(fresh / "evidence", kind) for kind in ("duet", "confirm"))
    assert [name.split("-")[1] for name in of_second] == [name.split("-")[1] for name in of_first[::-1]]
    code, verdict, out = gate(call, tmp_path, first, fresh)
    (judged,) = verdict.scenarios
    assert (code, verdict.outcome, judged.comparison.is_confirmed, verdict.findings) == (
        1,
        "FAIL",
        True,
        (),
    ), out
