"""actionlint, zizmor and the schemas find nothing in our workflows, and do find what is wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.workflows.linters import actionlint, check_schema, zizmor

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
PUBLIC_ACTIONS = [ROOT / each / "action.yml" for each in (".", "comment", "history")]
ACTIONS = [*sorted((GITHUB / "actions").glob("*/action.yml")), *PUBLIC_ACTIONS]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(GITHUB, tmp_path / ".github")
    return tmp_path / ".github"


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_actionlint__finds_nothing():
    assert actionlint(*WORKFLOWS) == []


def test_actionlint__finds_an_output_that_no_job_has(copy):
    file = copy / "workflows" / "load-gate.yml"
    edit(file, "needs.plan.outputs.scenarios", "needs.plan.outputs.scenario")
    assert 'property "scenario" is not defined' in "\n".join(actionlint(file))


def test_zizmor__finds_nothing_but_the_exceptions_with_a_reason():
    assert zizmor(GITHUB) == []


def test_zizmor__finds_nothing_at_all_in_the_actions_that_others_use():
    assert [zizmor(file) for file in PUBLIC_ACTIONS] == [[], [], []]


@pytest.mark.parametrize(
    ("old", "new", "audit"),
    [
        ("@043fb46d1a93c77aae656e7c1c64a875d1fc6a0a # v7.0.1", "@v7", "unpinned-uses"),
        ('--base "$BASE"', "--base ${{ inputs.base }}", "template-injection"),
    ],
)
def test_zizmor__finds_in_an_action(tmp_path, old, new, audit):
    file = tmp_path / "action.yml"
    shutil.copy(ROOT / "action.yml", file)
    edit(file, old, new)
    assert audit in zizmor(file)


@pytest.mark.parametrize(
    ("file", "old", "new", "audit"),
    [
        ("checks.yml", "@df4cb1c069e1874edd31b4311f1884172cec0e10 # v6.0.3", "@v6", "unpinned-uses"),
        ("checks.yml", "persist-credentials: false", "fetch-depth: 1", "artipacked"),
        (
            "load-gate.yml",
            '"$ROOT/.ci/requirements" "$REQUIREMENTS"',
            "echo ${{ github.head_ref }}",
            "template-injection",
        ),
        ("load-gate.yml", "permissions: {}\n", "permissions: write-all\n", "excessive-permissions"),
        ("own-load-gate.yml", "  pull_request:\n", "  pull_request_target:\n", "dangerous-triggers"),
    ],
)
def test_zizmor__finds(copy, file, old, new, audit):
    edit(copy / "workflows" / file, old, new)
    assert audit in zizmor(copy)


def test_schema__of_workflows():
    assert check_schema("github-workflows", *WORKFLOWS) == ""


def test_schema__of_actions():
    assert check_schema("github-actions", *ACTIONS) == ""


def test_schema__finds_an_unknown_key(copy):
    file = copy / "workflows" / "checks.yml"
    edit(file, "timeout-minutes: 90", "time-out-minutes: 90")
    assert "time-out-minutes" in check_schema("github-workflows", file)
