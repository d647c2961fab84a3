"""The exit codes that help, README and docs tell are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ci_gate import errors
from ci_gate.cli.github import doctor_command
from ci_gate.cli.main import EXIT_CODES
from ci_gate.errors import BadInputError, EvidenceError, OutsideError, ServiceError, UsageError
from tests.report.verdicts import scenario, verdict

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
NAMED = {
    "PASS": errors.EXIT_PASS,
    "FAIL": errors.EXIT_FAIL,
    "bad input": errors.EXIT_BAD_INPUT,
    "INVALID": errors.EXIT_INVALID,
    "outside": errors.EXIT_OUTSIDE_WORLD,
    "bug": errors.EXIT_OUR_BUG,
}


def test_help__names_every_code():
    documented = re.findall(r"^  (\d+) +(PASS|FAIL|bad input|INVALID|outside|bug) ", EXIT_CODES, re.MULTILINE)
    assert {name: int(code) for code, name in documented} == NAMED


def test_help__a_service_that_does_not_start_ends_as_the_run_does():
    lines = {
        line.split()[0]: line for line in re.split(r"\n(?=  \d)", EXIT_CODES) if line.strip()[:1].isdigit()
    }
    assert "did not start" in lines[str(errors.EXIT_INVALID)]
    assert "start" not in lines[str(errors.EXIT_OUTSIDE_WORLD)]


def test_readme__has_the_code_of_every_verdict():
    table = dict(re.findall(r"^\| ([A-Z]+) \| ([\d or]+) \|", README, re.MULTILINE))
    for outcome in ("PASS", "FAIL", "INVALID"):
        assert table[outcome] == str(verdict(scenario(outcome=outcome), outcome=outcome).exit_code)
    undecided = {
        verdict(scenario(outcome="INCONCLUSIVE"), outcome="INCONCLUSIVE", blocks=blocks).exit_code
        for blocks in (False, True)
    }
    assert {int(code) for code in table["INCONCLUSIVE"].split(" or ")} == undecided


def test_readme__has_the_other_codes():
    found = re.search(
        r"Exit code (\d+) is bad input, (\d+) a failure of something [^,]+, (\d+) a bug", README
    )
    assert found is not None
    assert [int(code) for code in found.groups()] == [NAMED["bad input"], NAMED["outside"], NAMED["bug"]]


@pytest.mark.parametrize(
    ("error", "name"),
    [
        *((BadInputError, "bad input"), (UsageError, "bad input"), (EvidenceError, "bad input")),
        *((OutsideError, "outside"), (ServiceError, "outside")),
    ],
)
def test_errors__end_as_help_says(error, name):
    assert error.exit_code == NAMED[name]


def test_doctor__says_what_it_ends_with():
    assert "Exit code 0 if it blocks, 1 if not" in (doctor_command.help or "")
    assert (errors.EXIT_PASS, errors.EXIT_FAIL) == (0, 1)
