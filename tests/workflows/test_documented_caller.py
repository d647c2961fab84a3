"""docs/workflows.md: the workflow that calls ours, and the tables of what it may hand over."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import yaml

from tests.workflows.linters import actionlint, check_schema, zizmor

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "workflows.md").read_text(encoding="utf-8")
CALLED = yaml.safe_load((ROOT / ".github/workflows/load-gate.yml").read_text())[True]["workflow_call"]
OWN = yaml.safe_load((ROOT / ".github/workflows/own-load-gate.yml").read_text())
(BLOCK,) = (
    textwrap.dedent(text)
    for _, text in re.findall(r"^( *)```yaml\n(.*?)^ *```$", PAGE, re.DOTALL | re.MULTILINE)
)
CALLER = yaml.safe_load(BLOCK)
(JOB,) = CALLER["jobs"].values()


def test_caller__is_clean_to_every_linter(tmp_path):
    file = tmp_path / ".github" / "workflows" / "load-gate.yml"
    file.parent.mkdir(parents=True)
    file.write_text(BLOCK.replace("@COMMIT", f"@{'1' * 40} # v1.0.0"))
    assert check_schema("github-workflows", file) == ""
    assert zizmor(tmp_path) == []
    assert actionlint(file) == []


def test_caller__hands_over_what_the_workflow_takes():
    assert {*JOB["with"]} <= {*CALLED["inputs"]}
    assert {*JOB["secrets"]} <= {*CALLED["secrets"]}
    assert JOB["permissions"] == OWN["jobs"]["load-gate"]["permissions"]


def test_caller__starts_as_our_own_does():
    by_hand = "workflow_dispatch"
    assert {name: each for name, each in CALLER[True].items() if name != by_hand} == {
        name: each for name, each in OWN[True].items() if name != by_hand
    }
    inputs = CALLER[True][by_hand]["inputs"]
    assert {*inputs} == {*OWN[True][by_hand]["inputs"]}
    assert all(JOB["with"][name] == f"${{{{ inputs.{name} }}}}" for name in inputs)


def test_caller__shares_no_group_with_the_workflow_that_it_calls():
    """GitHub ends a run whose workflow and job wait for each other."""
    own = yaml.safe_load((ROOT / ".github/workflows/load-gate.yml").read_text())["concurrency"]["group"]
    assert own.startswith("ci-gate-")
    assert not CALLER["concurrency"]["group"].startswith("ci-gate-")


def test_tables__say_what_the_workflow_says():
    told = re.findall(r"^\| `([a-z-]+)` \| (?:`([^`]*)` )?\| (.+) \|$", PAGE, re.MULTILINE)
    assert told == [(name, each["default"], each["description"]) for name, each in CALLED["inputs"].items()]
    for table in ("secrets", "outputs"):
        for name, each in CALLED[table].items():
            assert f"\n| `{name}` | {each['description']} |\n" in PAGE
