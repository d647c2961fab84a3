"""Texts that no UTF-8 is, and terminals that know ASCII alone: nothing of that is a bug in ci-gate."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ci_gate.evidence.readings import EndpointTotal
from ci_gate.evidence.recording import LineWriter, write_json
from ci_gate.evidence.strict_json import read_json, read_lines
from ci_gate.judge.verdict import encode_verdict
from tests.report.examples import HOSTILE_NAMES
from tests.report.verdicts import verdict

NO_TEXT = b"\\xff\\xfe prices in \\xa3"
PRINTS = f"import os\nos.write(1, b'{NO_TEXT.decode()}')\nos.write(2, b'{NO_TEXT.decode()}')\n"


def call_on(encoding, *arguments):
    command = [sys.executable, "-m", "ci_gate", *map(str, arguments)]
    env = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(command, env=env, capture_output=True, check=False, timeout=60)
    return done.returncode, done.stdout.decode(encoding, "replace"), done.stderr.decode(encoding, "replace")


def test_check__of_a_locustfile_that_prints_bytes(repository, call):
    path = repository.thresholds.parent / "visits.py"
    path.write_text(f"{PRINTS}{path.read_text()}")
    code, printed, errors = call("check", "--thresholds", repository.thresholds)
    assert code == 0, errors
    assert "no problem" in printed


def test_check__of_a_locustfile_that_prints_bytes_and_ends(repository, call):
    path = repository.thresholds.parent / "visits.py"
    path.write_text(f"{PRINTS}os._exit(7)\n")
    code, _, errors = call("check", "--thresholds", repository.thresholds)
    assert code == 2
    assert "prices in \N{REPLACEMENT CHARACTER}" in errors


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_report__on_any_terminal(tmp_path, encoding):
    path = tmp_path / "verdict.json"
    path.write_bytes(encode_verdict(verdict(HOSTILE_NAMES)))
    for form in ("markdown", "text"):
        code, printed, errors = call_on(encoding, "report", path, "--format", form)
        assert code == 0, errors
        assert HOSTILE_NAMES.name.encode(encoding, "backslashreplace").decode(encoding)[:8] in printed


def test_judge__names_a_file_that_is_no_utf_8(tmp_path):
    code, _, errors = call_on("utf-8", "judge", os.fsdecode(os.fsencode(tmp_path / "out") + b"\xff"))
    assert code == 2, errors
    assert "/out" in errors


def test_evidence__keeps_what_is_half_a_character_as_a_question_mark(tmp_path):
    total = EndpointTotal(endpoint=os.fsdecode(b"GET /\xff"), requests=1, failures=0)
    write_json(tmp_path / "one.json", total)
    with LineWriter(tmp_path / "lines.jsonl") as lines:
        lines.write(total)
    assert read_json(tmp_path / "one.json", EndpointTotal).endpoint == "GET /?"
    assert read_lines(tmp_path / "lines.jsonl", EndpointTotal)[0].endpoint == "GET /?"
