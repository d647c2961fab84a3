"""The workflow of docs/history.md: clean, and no job of it can write."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from ci_gate.github.earlier_history import WORKFLOW
from ci_gate.github.key import DEFAULT_KEY, name_history_artifact
from tests.workflows.linters import actionlint, check_schema, zizmor
from tests.workflows.test_adopt import RELEASED

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "history.md").read_text(encoding="utf-8")
(BLOCK,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
CONTENT = yaml.safe_load(BLOCK)
ACTION = yaml.safe_load((ROOT / "history" / "action.yml").read_text())


def test_workflow__is_clean_to_every_linter(tmp_path):
    file = tmp_path / ".github" / "workflows" / WORKFLOW
    assert BLOCK.startswith(f"# .github/workflows/{file.name}\n")
    file.parent.mkdir(parents=True)
    file.write_text(re.sub(r"@v1$", f"@{'1' * 40} # v1.0.0", BLOCK, flags=re.MULTILINE))
    assert RELEASED.search(BLOCK)
    assert check_schema("github-workflows", file) == ""
    assert zizmor(tmp_path) == []
    assert actionlint(file) == []


def test_workflow__runs_for_pushes_alone_and_writes_nothing():
    assert CONTENT[True] == {"push": {"branches": ["main"]}}  # YAML 1.1 reads the key `on` as true
    assert CONTENT["permissions"] == {}
    assert CONTENT["concurrency"]["cancel-in-progress"] is False
    measure, keep = CONTENT["jobs"].values()
    assert measure["permissions"] == {"contents": "read"}
    assert keep["permissions"] == {"actions": "read", "contents": "read"}
    assert keep["if"] == "always()"


def test_workflow__hands_on_what_the_actions_take():
    _, keep = CONTENT["jobs"].values()
    measure, download, last = CONTENT["jobs"]["load-history"]["steps"][-1], *keep["steps"][-2:]
    assert download["with"]["name"] == f"{measure['with']['key']}-verdict"
    assert {*last["with"]} <= {*ACTION["inputs"]}
    assert ACTION["inputs"]["workflow"]["default"] == WORKFLOW


def test_own_workflow__is_the_same_but_for_what_measures():
    own = yaml.safe_load((ROOT / ".github" / "workflows" / WORKFLOW).read_text())
    called, keep = own["jobs"].values()
    documented = CONTENT["jobs"]["keep"]
    assert {name: own[name] for name in (True, "permissions", "concurrency")} == {
        name: CONTENT[name] for name in (True, "permissions", "concurrency")
    }
    assert called["with"]["key"] == CONTENT["jobs"]["load-history"]["steps"][-1]["with"]["key"]
    for measures in (called, CONTENT["jobs"]["load-history"]["steps"][-1]):
        assert "base" not in measures["with"], "what the push comes from is the base of a push"
    assert "write" not in called["permissions"].values()
    for name in ("permissions", "if", "timeout-minutes"):
        assert keep[name] == documented[name]
    assert keep["steps"][:-1] == documented["steps"][:-1]
    assert keep["steps"][-1]["with"] == documented["steps"][-1]["with"]


def test_action__leaves_the_artifact_that_is_read():
    steps = ACTION["runs"]["steps"]
    assert steps[-1]["with"]["name"] == name_history_artifact("${{ inputs.key }}")
    assert ACTION["inputs"]["key"]["default"] == DEFAULT_KEY
    assert steps[-2]["env"]["KEY"] == "${{ inputs.key }}"
    assert {"--from-github", '--key "$KEY"'} <= {*re.findall(r"--from-github|--key \S+", steps[-2]["run"])}
