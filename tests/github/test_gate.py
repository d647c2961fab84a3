from __future__ import annotations

import json

import msgspec
import pytest
from click.testing import CliRunner

from ci_gate.cli.ci import gate_command
from ci_gate.errors import Problem, UsageError
from ci_gate.evidence.recording import CONFIRMED_LATER
from ci_gate.github.gate_job import (
    gather,
    gather_timelines,
    parse_needs,
    parse_scenarios,
    plan_confirmations,
)
from ci_gate.github.problems import parse_problems, render_problems
from ci_gate.judge.occasion import Occasion
from ci_gate.judge.timeline.run_timeline import (
    TIMELINE_SCHEMA,
    RunTimeline,
    ScenarioTimeline,
    decode_timeline,
    encode_timeline,
)
from ci_gate.judge.verdict import MAX_VERDICT_BYTES, decode_verdict, encode_verdict
from tests.github.repositories import THRESHOLDS, run_verdict
from tests.report.verdicts import change, confirm, duet, scenario, verdict

WELL = {"scenario": "success"}
NEEDS = json.dumps(
    {"plan": {"result": "success", "outputs": {"base": "x"}}, "scenario": {"result": "failure"}}
)


def write(folder, name, outcome="PASS"):
    path = folder / f"verdict-{name}" / "verdict.json"
    path.parent.mkdir(parents=True)
    made = verdict(scenario(name, outcome=outcome), outcome=outcome)
    path.write_bytes(encode_verdict(msgspec.structs.replace(made, blocks=outcome != "PASS")))
    return path


def test_gather__every_verdict_below_the_folder(tmp_path):
    write(tmp_path, "a")
    write(tmp_path, "b")
    (tmp_path / "verdict-b" / "other.json").write_text("{}")
    assert gather(tmp_path, ["a", "b"], WELL).outcome == "PASS"


def test_gather__a_folder_that_is_not_there(tmp_path):
    assert gather(tmp_path / "missing", ["a"], WELL).outcome == "INVALID"


@pytest.mark.parametrize("content", [b"", b"{}", b"[" * 9999, b"\xff", b" " * (MAX_VERDICT_BYTES + 1)])
def test_gather__what_is_no_verdict(tmp_path, content):
    write(tmp_path, "a")
    write(tmp_path, "b").write_bytes(content)
    merged = gather(tmp_path, ["a", "b"], WELL)
    assert merged.outcome == "INVALID"
    assert merged.findings[0].message.startswith("verdict-b/verdict.json: ")


def test_gather__says_why_nothing_was_compared_and_changes_no_verdict(tmp_path):
    write(tmp_path, "a")
    merged = gather(tmp_path, ["a"], WELL, "base c0ffee has no Dockerfile")
    assert (merged.outcome, merged.blocks) == ("PASS", False)
    assert [(finding.code, finding.severity) for finding in merged.findings] == [("nothing-compared", "info")]
    assert "base c0ffee has no Dockerfile" in merged.findings[0].message


def write_red(folder, name, compared):
    path = folder / f"verdict-{name}" / "verdict.json"
    path.parent.mkdir(parents=True)
    one = scenario(name, outcome=compared.outcome, comparison=compared)
    path.write_bytes(encode_verdict(verdict(one, outcome=compared.outcome)))


FAILED = duet(change(size=0.3), outcome="FAIL")
LEFT = confirm(FAILED, failure=CONFIRMED_LATER)
UNCLEAR = confirm(
    duet(change(size=0.1, outcome="INCONCLUSIVE"), outcome="INCONCLUSIVE"), ("all", "p95", 0.3, -0.1)
)
OF_REDS = {"scenario": "failure", "reds": "success", "confirm": "success"}


def test_gather__a_red_that_a_fresh_runner_did_not_confirm_blocks_no_more(tmp_path):
    write_red(tmp_path / "in", "a", LEFT)
    write(tmp_path / "in", "b")
    write_red(tmp_path / "confirmed", "a", UNCLEAR)
    merged = gather(tmp_path / "in", ["a", "b"], OF_REDS, confirmed=tmp_path / "confirmed")
    assert (merged.outcome, merged.blocks) == ("INCONCLUSIVE", False)


@pytest.mark.parametrize(("content", "outcome"), [(None, "FAIL"), (b"{}", "FAIL")])
def test_gather__a_red_whose_confirmation_is_missing_or_damaged_stands(tmp_path, content, outcome):
    write_red(tmp_path / "in", "a", LEFT)
    write_red(tmp_path / "confirmed", "a", UNCLEAR)
    file = tmp_path / "confirmed" / "verdict-a" / "verdict.json"
    file.unlink() if content is None else file.write_bytes(content)
    merged = gather(tmp_path / "in", ["a"], OF_REDS, confirmed=tmp_path / "confirmed")
    assert (merged.outcome, merged.exit_code) == (outcome, 1)


def occasion(attempt, run=42):
    return Occasion(
        event="pull_request",
        pull_number=7,
        head_sha="a" * 40,
        base_ref="main",
        base_sha="b" * 40,
        run_id=run,
        run_attempt=attempt,
    )


def stamp(folder, name, attempt):
    """As the job of an attempt leaves it."""
    path = folder / f"verdict-{name}" / "verdict.json"
    left = decode_verdict(path.read_bytes())
    path.write_bytes(encode_verdict(msgspec.structs.replace(left, occasion=occasion(attempt))))


@pytest.mark.parametrize(
    ("a", "b", "confirmed", "confirm_job", "exit_code"),
    [
        pytest.param(2, 2, 2, "success", 0, id="all of this attempt"),
        pytest.param(1, 1, 1, "failure", 3, id="scenario and confirm died in set-up"),
        pytest.param(1, 1, 1, "success", 3, id="the gate's job alone was run again"),
        pytest.param(1, 1, 2, "success", 3, id="A died in set-up, its old evidence was confirmed"),
        pytest.param(2, 1, 2, "success", 3, id="B may have died in set-up"),
        pytest.param(1, 2, 2, "success", 3, id="B was run again, A may have died"),
        pytest.param(2, 2, 1, "success", 3, id="the confirmation is left over"),
        pytest.param(2, 2, 2, "failure", 3, id="confirm of another scenario died, say"),
        pytest.param(2, 2, None, "failure", 1, id="confirm died and left nothing"),
    ],
)
def test_gather__failed_job_is_excused_by_this_attempt_alone(
    tmp_path, a, b, confirmed, confirm_job, exit_code
):
    """The artifacts of earlier attempts are still there where a job dies before it measures."""
    write_red(tmp_path / "in", "a", LEFT)
    write(tmp_path / "in", "b")
    stamp(tmp_path / "in", "a", a)
    stamp(tmp_path / "in", "b", b)
    if confirmed:
        write_red(tmp_path / "confirmed", "a", UNCLEAR)
        stamp(tmp_path / "confirmed", "a", confirmed)
    jobs = OF_REDS | {"confirm": confirm_job}
    merged = gather(tmp_path / "in", ["a", "b"], jobs, "", tmp_path / "confirmed", occasion(2))
    assert merged.exit_code == exit_code
    assert {each.code for each in merged.findings} == ({"job-not-successful"} if exit_code == 3 else set())


def test_gather__red_of_this_attempt_explains_its_job_whatever_is_left_over(tmp_path):
    """The usual run of failed jobs: what was green is not measured again."""
    write(tmp_path, "a", "FAIL")
    write(tmp_path, "b")
    stamp(tmp_path, "a", 2)
    stamp(tmp_path, "b", 1)
    jobs = {"scenario": "failure"}
    merged = gather(tmp_path, ["a", "b"], jobs, occasion=occasion(2))
    assert (merged.outcome, merged.findings) == ("FAIL", ())
    merged = gather(tmp_path, ["a", "b"], jobs, occasion=occasion(3))
    assert (merged.outcome, [each.code for each in merged.findings]) == ("FAIL", ["job-not-successful"])
    assert "no verdict of this attempt says why" in merged.findings[0].message


def test_gather__failed_jobs_run_again_and_green_are_green(tmp_path):
    write(tmp_path, "a")
    write(tmp_path, "b")
    stamp(tmp_path, "a", 2)
    stamp(tmp_path, "b", 1)
    assert gather(tmp_path, ["a", "b"], WELL, occasion=occasion(2)).outcome == "PASS"


@pytest.mark.parametrize(("measured_in", "exit_code"), [("2", 0), ("1", 3)])
def test_command__knows_of_which_attempt_it_is(tmp_path, monkeypatch, measured_in, exit_code):
    write_red(tmp_path / "in", "a", LEFT)
    write_red(tmp_path / "confirmed", "a", UNCLEAR)
    for folder in ("in", "confirmed"):
        stamp(tmp_path / folder, "a", int(measured_in))
    monkeypatch.setenv("GITHUB_EVENT_NAME", "pull_request")
    monkeypatch.setenv("GITHUB_RUN_ID", "42")
    monkeypatch.setenv("GITHUB_RUN_ATTEMPT", "2")
    needs = json.dumps({job: {"result": result} for job, result in OF_REDS.items()})
    arguments = [str(tmp_path / "in"), "--confirmed", str(tmp_path / "confirmed"), "--needs", needs]
    arguments += ["--scenarios", '["a"]', "--out", str(tmp_path / "out.json")]
    assert CliRunner().invoke(gate_command, arguments, standalone_mode=False).return_value == exit_code


def test_gather__reads_no_confirmation_where_none_was_asked_for(tmp_path):
    """Else head's code could leave one: the input of the workflow decides."""
    write_red(tmp_path / "in", "a", LEFT)
    write_red(tmp_path / "confirmed", "a", UNCLEAR)
    assert gather(tmp_path / "in", ["a"], OF_REDS).outcome == "FAIL"


def test_confirmations__are_those_jobs_of_the_plan_that_left_one(tmp_path):
    matrix = json.dumps([{"scenario": name, "base": "c0ffee"} for name in ("a", "b", "c")])
    write_red(tmp_path, "a", LEFT)
    write_red(tmp_path, "b", FAILED)
    write_red(tmp_path, "unplanned", LEFT)
    assert json.loads(plan_confirmations(tmp_path, matrix)) == [{"scenario": "a", "base": "c0ffee"}]
    assert plan_confirmations(tmp_path / "missing", matrix) == ""
    with pytest.raises(UsageError, match="no matrix of jobs"):
        plan_confirmations(tmp_path, "{}")


def write_timeline(folder, name):
    drawn = ScenarioTimeline(scenario=name, recordings={}, edges_ms=(), counts={})
    path = folder / f"timeline-{name}" / "timeline.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(encode_timeline(RunTimeline(schema=TIMELINE_SCHEMA, scenarios=(drawn,))))
    return path


def test_gather_timelines__of_what_was_planned_in_its_order(tmp_path):
    for name in ("a", "b", "unplanned"):
        write_timeline(tmp_path, name)
    write_timeline(tmp_path, "damaged").write_text("{}")
    gathered = gather_timelines(tmp_path, ["b", "damaged", "missing", "a"])
    assert [each.scenario for each in gathered.scenarios] == ["b", "a"]
    assert gather_timelines(tmp_path / "missing", ["a"]).scenarios == ()


def test_needs__as_github_writes_them():
    assert parse_needs(NEEDS) == {"plan": "success", "scenario": "failure"}


@pytest.mark.parametrize("text", ["", "[]", '{"plan": 1}', '{"plan": {}}', "{" * 9999])
def test_needs__anything_else(text):
    with pytest.raises(UsageError, match="needs context"):
        parse_needs(text)


def test_scenarios__a_plan_that_failed_has_none():
    assert parse_scenarios("") == ()
    assert parse_scenarios('["a", "b"]') == ("a", "b")
    with pytest.raises(UsageError, match="JSON list"):
        parse_scenarios('{"a": 1}')


@pytest.mark.parametrize(("more", "exit_code"), [("", 0), (", p50: 1s", 3)])
def test_command__demands_the_limits_of_heads_file(tmp_path, more, exit_code):
    write(tmp_path / "in", "checkout")
    file = tmp_path / "thresholds.yaml"
    limits = "limits: {all: {p95: 300ms, failures: 100%MORE}}".replace("MORE", more)
    file.write_text(THRESHOLDS[: THRESHOLDS.index("limits:")] + limits)
    verdict = tmp_path / "in/verdict-checkout/verdict.json"
    verdict.write_bytes(run_verdict())
    arguments = [str(tmp_path / "in"), "--scenarios", '["checkout"]', "--needs", "{}"]
    arguments += ["--repository", str(tmp_path), "--out", str(tmp_path / "out.json")]
    assert CliRunner().invoke(gate_command, arguments, standalone_mode=False).return_value == exit_code


def test_command__makes_a_verdict_of_what_kept_the_plan_from_being_made(tmp_path):
    problem = Problem(file="thresholds.yaml", line=3, column=5, message="unknown key 'x'", allowed="a, b")
    needs = json.dumps({"plan": {"result": "failure"}, "scenario": {"result": "skipped"}})
    arguments = [str(tmp_path), "--scenarios", "", "--needs", needs, "--out", str(tmp_path / "out.json")]
    arguments += ["--problems", render_problems([problem])]
    assert CliRunner().invoke(gate_command, arguments, standalone_mode=False).return_value == 3
    (finding,) = decode_verdict((tmp_path / "out.json").read_bytes()).findings
    assert (finding.code, finding.subject) == ("bad-input", "thresholds.yaml:3:5")
    assert (finding.message, finding.remedy) == ("unknown key 'x'", "use a, b")


@pytest.mark.parametrize("text", ["schema: 1", None])
def test_command__makes_a_verdict_of_a_wrong_or_missing_file(tmp_path, text):
    write(tmp_path / "in", "a")
    if text:
        (tmp_path / "thresholds.yaml").write_text(text)
    arguments = [str(tmp_path / "in"), "--scenarios", '["a"]', "--needs", "{}"]
    arguments += ["--repository", str(tmp_path), "--out", str(tmp_path / "out.json")]
    assert CliRunner().invoke(gate_command, arguments, standalone_mode=False).return_value == 3
    findings = decode_verdict((tmp_path / "out.json").read_bytes()).findings
    assert {each.code for each in findings} == {"bad-input"}


@pytest.mark.parametrize("letter", ["x", '"', "ü", "\N{PILE OF POO}"])
def test_problems__fit_into_an_environment_variable_also_inside_of_needs(letter):
    problem = Problem(file="t.yaml", line=1, column=2, message=letter * 9999, allowed=letter * 9999)
    line = render_problems([problem] * 300)
    needs = json.dumps({"plan": {"result": "failure", "outputs": {"problems": line}}}, indent=2)
    assert len(needs.encode()) < 128 * 1024
    assert parse_problems(line)[0].message == letter * 500


def test_problems__are_handed_on_as_one_short_line_of_ascii():
    problem = Problem(file="t.yaml", line=1, column=2, message="ü\n::add-mask::x" + "y" * 9999)
    line = render_problems([problem] * 5000)
    assert line.isascii()
    assert line.isprintable()
    assert len(line) < 128 * 1024
    read = parse_problems(line)
    assert read[0].message.startswith("ü\n::add-mask::x")
    assert read[-1].message == f"there are {5000 - len(read) + 1:,} mistakes more"
    short = Problem(file="t", line=1, column=2, message="x")
    assert len(parse_problems(render_problems([short] * 200))) == 101
    assert parse_problems("") == ()
    with pytest.raises(UsageError, match="no JSON list of problems"):
        parse_problems("{")


@pytest.mark.parametrize(("outcome", "exit_code"), [("PASS", 3), ("FAIL", 1), ("INVALID", 3)])
def test_command__exits_by_the_verdict_that_it_writes(tmp_path, outcome, exit_code):
    write(tmp_path / "in", "a", outcome)
    write_timeline(tmp_path / "in", "a")
    out = tmp_path / "new" / "verdict.json"
    arguments = [str(tmp_path / "in"), "--scenarios", '["a"]', "--needs", NEEDS, "--out", str(out)]
    assert CliRunner().invoke(gate_command, arguments, standalone_mode=False).return_value == exit_code
    assert decode_verdict(out.read_bytes()).outcome == ("INVALID" if outcome == "PASS" else outcome)
    (drawn,) = decode_timeline(out.with_name("timeline.json").read_bytes()).scenarios
    assert drawn.scenario == "a"


def test_command__writes_down_what_was_measured_for(tmp_path):
    write(tmp_path / "in", "a")
    pull = {"number": 7, "head": {"sha": "a" * 40, "ref": "topic"}, "base": {"sha": "b" * 40, "ref": "main"}}
    (tmp_path / "event.json").write_text(json.dumps({"action": "opened", "pull_request": pull}))
    environ = {
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
        "GITHUB_RUN_ID": "42",
        "GITHUB_RUN_ATTEMPT": "2",
    }
    out = tmp_path / "verdict.json"
    arguments = [str(tmp_path / "in"), "--scenarios", '["a"]', "--needs", NEEDS, "--out", str(out)]
    CliRunner().invoke(gate_command, [*arguments, "--base", "c" * 40], env=environ, standalone_mode=False)
    assert decode_verdict(out.read_bytes()).occasion == Occasion(
        event="pull_request",
        pull_number=7,
        head_sha="a" * 40,
        base_ref="main",
        base_sha="c" * 40,
        run_id=42,
        run_attempt=2,
    )


@pytest.mark.parametrize("payload", ["[", "[]", '{"pull_request": {"number": "7"}}'])
def test_command__refuses_a_payload_that_is_not_githubs(tmp_path, payload):
    write(tmp_path / "in", "a")
    (tmp_path / "event.json").write_text(payload)
    environ = {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(tmp_path / "event.json")}
    arguments = [str(tmp_path / "in"), "--scenarios", '["a"]', "--needs", NEEDS, "--out", str(tmp_path / "v")]
    done = CliRunner().invoke(gate_command, arguments, env=environ, standalone_mode=False)
    assert isinstance(done.exception, UsageError)
