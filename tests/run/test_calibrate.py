"""Base against base: what the summary counts, and rounds that `ci-gate judge` can judge again."""

from __future__ import annotations

import io
import json

import pytest

from ci_gate.evidence.recording import recording_folder
from ci_gate.evidence.workload import Workload
from ci_gate.judge.verdict import decode_verdict
from ci_gate.run.calibrate import judge_round, report_if_interrupted, summarise_comparisons
from ci_gate.run.plan import RunOptions, plan_duet
from ci_gate.run.progress import ProgressPrinter
from ci_gate.thresholds import parse_thresholds
from tests.judge.evidence_values import make_run
from tests.report.verdicts import change, duet, finding

# Two scenarios that are compared, one whose locustfile works only until the first service has started.
SCENARIOS = """\
scenarios:
  breaks:
    locustfile: breaks.py
    users: {Visitor: 10}
    spawn_rate: 100
    regression: {p50: 10%}
    limits:
      GET /ok: {p50: 500ms}
  again:
    locustfile: visits.py
    users: {Visitor: 10}
    spawn_rate: 100
    regression: {p50: 10%}
    limits:
      GET /ok: {p50: 500ms}
  never-compared:
    locustfile: visits.py
    users: {Visitor: 10}
    spawn_rate: 100
    limits:
      GET /ok: {p50: 500ms}
"""
BREAKS = "import pathlib\nif pathlib.Path('started').exists():\n    raise RuntimeError('out of order')\n"


@pytest.fixture
def comparing(repository):
    """A repository of three scenarios, of which the first breaks once a service was started."""
    text = repository.thresholds.read_text()
    repository.write("thresholds.yaml", text[: text.index("scenarios:")] + SCENARIOS)
    repository.edit("thresholds.yaml", "profiles:", "compare: {max_duration: 30s}\nprofiles:")
    repository.write("breaks.py", BREAKS + (repository.folder / "visits.py").read_text())
    service = (repository.folder / "service.py").read_text()
    repository.write("service.py", f"import pathlib\npathlib.Path('started').touch()\n{service}")
    return repository


def calibrate(call, repository, out, *arguments):
    return call("calibrate", "--thresholds", repository.thresholds, "--out", out, "--runs", "1", *arguments)


def rows_of(text):
    """Of the table, and the last line."""
    table, _, after = text.partition("\n\n")
    return [line.split() for line in table.splitlines()[2:]], after.splitlines()[-1]


def test_summary__counts_every_outcome_and_what_could_not_be_measured():
    outcomes = ("PASS", "PASS", "INCONCLUSIVE", "FAIL", "INVALID")
    compared = [("checkout", duet(outcome=outcome)) for outcome in outcomes]
    _, counts = rows_of(summarise_comparisons(compared, planned=5))
    assert counts == "5 comparisons: 2 PASS, 1 INCONCLUSIVE, 1 INVALID, 1 FAIL"
    _, counts = rows_of(summarise_comparisons(compared, planned=8))
    assert counts == "5 comparisons: 2 PASS, 1 INCONCLUSIVE, 1 INVALID, 1 FAIL; 3 of 8 not measured"


def test_summary__has_a_row_for_each_metric_of_each_scenario():
    compared = [
        ("a", duet(change("all", "p50", 0.02, outcome="PASS", mde=0.03), change("all", "p95", 0.3))),
        ("b", duet(change("all", "p50", 0.0, outcome="PASS"))),
        ("a", duet(change("all", "p50", 0.04, outcome="PASS", mde=0.05))),
    ]
    rows, _ = rows_of(summarise_comparisons(compared, planned=3))
    assert rows == [
        ["a", "all", "p50", "2", "0", "(0%", "to", "84%)", "1.4%", "4.0%"],
        ["a", "all", "p95", "1", "1", "(3%", "to", "100%)", "-", "6.2%"],
        ["b", "all", "p50", "1", "0", "(0%", "to", "98%)", "-", "6.2%"],
    ]


def test_summary__says_what_tolerances_the_comparisons_support():
    head = "schema: 1\nservice: {url: 'http://127.0.0.1:9'}\nprofiles: {long: {duration: 60s}}\n"
    scenarios = parse_thresholds(head + SCENARIOS, "thresholds.yaml").scenarios
    compared = [("again", duet(change("all", "p50", 0.01, outcome="PASS", mde=0.03)))] * 5
    lines = summarise_comparisons(compared, 5, scenarios).splitlines()
    assert lines[-2] == "again: tolerance of p50 10%: they support 4%"
    lines = summarise_comparisons(compared[:4], 5, scenarios).splitlines()
    assert lines[-2] == "again: tolerance of p50 10%: 1 comparison more would say what they support"


def test_summary__says_how_much_two_starts_differ_as_thresholds_are_written():
    sizes = [("a", size) for size in (-0.02, -0.01, 0.0, 0.01, 0.02)]
    sizes += [("b", size / 2) for _, size in sizes]
    compared = [
        (name, duet(change("all", "p50", size), change("GET /a", "p50", 0.3))) for name, size in sizes
    ]
    text = summarise_comparisons(compared, 10)
    key = next(line for line in text.splitlines() if "scatter" in line).partition("thresholds.yaml: ")[2]
    assert key == "compare: {scatter: {p50: 1.6%}}"
    head = (
        f"schema: 1\nservice: {{url: 'http://127.0.0.1:9'}}\nprofiles: {{long: {{duration: 60s}}}}\n{key}\n"
    )
    assert parse_thresholds(head + SCENARIOS, "thresholds.yaml").compare.scatter[0][1] == 0.016
    assert "scatter" not in summarise_comparisons(compared[:4], 10)


def test_summary__of_comparisons_in_doubt_without_a_change():
    rows, counts = rows_of(
        summarise_comparisons([("a", duet(outcome="INCONCLUSIVE", findings=[finding()]))], planned=1)
    )
    assert rows == []
    assert counts.startswith("1 comparison: 0 PASS, 1 INCONCLUSIVE")


@pytest.mark.slow
def test_calibrate__a_scenario_that_breaks_does_not_stop_the_others_and_the_round_is_judgeable(
    comparing, call, tmp_path
):
    out = tmp_path / "out"
    code, text, said = calibrate(call, comparing, out)
    assert code == 0, text + said
    rows, counts = rows_of(text.rstrip())
    assert {row[0] for row in rows} == {"again"}
    assert counts.startswith("2 comparisons: ")
    assert "001 breaks: head: scenario: no request was sent" in said, said
    run = json.loads((out / "001" / "run.json").read_text())
    planned = {(plan["scenario"], plan["recording"]) for plan in run["recordings"]}
    assert planned == {(name, side) for name in ("breaks", "again") for side in ("duet-base", "duet-head")}
    assert run["ended_at"] is not None

    code, table, _ = call("judge", out / "001")
    verdict = decode_verdict((out / "001" / "verdict.json").read_bytes())
    compared = {scenario.name: scenario.comparison for scenario in verdict.scenarios}
    assert {row[2] for row in rows} == {change.metric for change in compared["again"].changes}
    assert [duet.outcome for duet in compared.values()].count("PASS") == int(counts.split()[2])
    assert compared["breaks"].outcome == "INCONCLUSIVE"
    # No limit was judged, so nothing of it may pass.
    assert (code, verdict.outcome) == (3, "INVALID")
    assert "no limit was judged: this is a calibration" in table

    is_usable = all(found.severity != "invalid" for found in compared["again"].findings)
    code, diff, remarks = call("suggest", out, "--thresholds", comparing.thresholds, "--replace")
    assert (code, diff) == (0 if is_usable else 3, "")
    few = "again: kept: tolerance of p50: 10%; 4 comparisons more of equal versions would support one"
    assert (few in remarks) is is_usable
    assert "not used: breaks of " in remarks


def test_round__without_its_recordings_is_said_and_not_counted(tmp_path):
    head = "schema: 1\nservice: {url: 'http://127.0.0.1:9'}\nprofiles: {long: {duration: 60s}}\n"
    thresholds = parse_thresholds(head + SCENARIOS, "thresholds.yaml")
    scenarios = thresholds.scenarios[:2]
    workload = Workload(locustfile="visits.py", classes=(), error=None)
    duets = [
        plan_duet(scenario, thresholds.profiles[0], workload, thresholds.compare) for scenario in scenarios
    ]
    info = make_run(thresholds, recordings=tuple(plan for duet in duets for plan in duet))
    options = RunOptions(
        thresholds=thresholds,
        profile=thresholds.profiles[0],
        scenarios=scenarios,
        workloads={},
        out=tmp_path / "003",
        repository=tmp_path,
        environ={},
        base="itself",
        seed=1,
    )
    output = io.StringIO()
    assert judge_round(options, info, ProgressPrinter(output)) == []
    lines = output.getvalue().splitlines()
    assert lines == [
        f"003 {scenario.name}: base and head: base and head were to be compared, and were not measured"
        for scenario in scenarios
    ]
    damaged = recording_folder(options.out, info.recordings[0])
    damaged.mkdir(parents=True)
    (damaged / "samples.bin").write_bytes(b"no samples at all")
    assert judge_round(options, info, ProgressPrinter(output)) == []
    assert "is no file of samples" in output.getvalue()


def test_calibrate__tells_what_it_has_if_interrupted():
    output = io.StringIO()
    compared = [("checkout", duet(change("all", "p50", 0.02, outcome="PASS", mde=0.03)))]
    with pytest.raises(KeyboardInterrupt), report_if_interrupted(compared, 3, ProgressPrinter(output)):
        raise KeyboardInterrupt
    rows, counts = rows_of(output.getvalue().rstrip())
    assert rows[0][:3] == ["checkout", "all", "p50"]
    assert counts == "1 comparison: 1 PASS, 0 INCONCLUSIVE, 0 INVALID, 0 FAIL; 2 of 3 not measured"
    with pytest.raises(KeyboardInterrupt), report_if_interrupted([], 3, ProgressPrinter(output)):
        raise KeyboardInterrupt


def test_calibrate__a_service_that_does_not_start_is_said_and_nothing_is_made_up(comparing, call, tmp_path):
    comparing.write("service.py", "raise SystemExit('no database')")
    code, text, said = calibrate(call, comparing, tmp_path / "out", "--scenario", "again")
    assert (code, text) == (4, "")
    assert "no database" in said
    assert "no comparison could be measured" in said
    run = json.loads((tmp_path / "out" / "001" / "run.json").read_text())
    assert "no database" in run["failures"]["again/duet"]


def test_calibrate__without_a_tolerance_there_is_nothing_to_compare(comparing, call, tmp_path):
    code, _, said = calibrate(call, comparing, tmp_path / "out", "--scenario", "never-compared")
    assert code == 2
    assert "no regression tolerance" in said
    assert not (tmp_path / "out").exists()
