"""The files beside a verdict, and the commands that render them again."""

from __future__ import annotations

import msgspec
import pytest

from ci_gate.errors import EXIT_BAD_INPUT, EXIT_PASS
from ci_gate.judge.timeline.run_timeline import TIMELINE_SCHEMA, RunTimeline
from ci_gate.report.files import REPORT_FILE, TIMELINE_FILE, VERDICT_FILE, read_timeline, write_reports
from tests.report.verdicts import scenario, verdict

NOTHING_DRAWN = RunTimeline(schema=TIMELINE_SCHEMA, scenarios=())


def write_run(folder, **changes):
    folder.mkdir(parents=True)
    write_reports(folder, msgspec.structs.replace(verdict(scenario("checkout")), **changes), NOTHING_DRAWN)
    return folder


def test_reports__are_all_beside_the_verdict(tmp_path):
    folder = write_run(tmp_path / "run")
    assert {path.name for path in folder.iterdir()} == {
        *(VERDICT_FILE, TIMELINE_FILE, REPORT_FILE, "report.md", "junit.xml")
    }
    assert read_timeline(folder) == NOTHING_DRAWN


def test_report__renders_the_same_page_again(tmp_path, call):
    folder = write_run(tmp_path / "run")
    code, out, _ = call("report", "--format", "html", folder / VERDICT_FILE)
    assert (code, out) == (EXIT_PASS, (folder / REPORT_FILE).read_text(encoding="utf-8"))


def test_report__without_a_timeline_has_no_charts_and_says_so(tmp_path, call):
    folder = write_run(tmp_path / "run")
    (folder / TIMELINE_FILE).unlink()
    code, out, _ = call("report", "--format", "html", folder / VERDICT_FILE)
    assert code == EXIT_PASS
    assert "No charts" in out


def test_report__of_a_damaged_timeline_says_what_is_wrong(tmp_path, call):
    folder = write_run(tmp_path / "run")
    (folder / TIMELINE_FILE).write_text("{}")
    code, _, err = call("report", "--format", "html", folder / VERDICT_FILE)
    assert code == EXIT_BAD_INPUT
    assert "not a timeline" in err


def test_report__of_no_file_is_bad_input(tmp_path, call):
    code, _, err = call("report", tmp_path / "missing.json")
    assert code == EXIT_BAD_INPUT
    assert "No such file" in err


def test_overview__joins_runs_and_leads_to_their_reports(tmp_path, call):
    write_run(tmp_path / "runs" / "one & two", started_at="2026-11-22T10:00:00Z")
    write_run(tmp_path / "runs" / "three", started_at="2026-11-23T10:00:00Z")
    page = tmp_path / "site" / "index.html"
    code, out, _ = call("overview", tmp_path / "runs", "--out", page)
    assert (code, out) == (EXIT_PASS, f"2 runs: {page}\n")
    text = page.read_text(encoding="utf-8")
    assert "1 scenario in 2 runs: 1 PASS" in text
    for name in ("one%20%26%20two", "three"):
        assert f'href="../runs/{name}/report.html"' in text


def test_overview__names_a_run_given_alone_by_its_folder_and_each_once(tmp_path, call):
    folder = write_run(tmp_path / "nightly")
    (folder / REPORT_FILE).unlink()
    call("overview", folder, tmp_path, "--out", tmp_path / "overview.html")
    text = (tmp_path / "overview.html").read_text(encoding="utf-8")
    assert "1 scenario in 1 run" in text
    assert 'class="tight">nightly<' in text
    assert "report.html" not in text


def test_overview__of_a_folder_without_a_run_says_what_is_wanted(tmp_path, call):
    code, _, err = call("overview", tmp_path)
    assert code == EXIT_BAD_INPUT
    assert "holds no verdict.json" in err


@pytest.mark.parametrize("arguments", [(), ("--out", "x.html")])
def test_overview__needs_a_run(call, arguments):
    assert call("overview", *arguments)[0] == EXIT_BAD_INPUT
