"""What becomes a release: a tag that is the version, with something to say of it."""

from __future__ import annotations

import importlib.util
import tomllib
from pathlib import Path

import pytest
import yaml

import ci_gate

ROOT = Path(__file__).parents[2]
JOBS = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())["jobs"]
CHANGELOG = """\
# Changelog

## Unreleased
### Added
- Something newer.

## 1.2.0 - 2026-11-26
### Added
- A thing.

## [1.1.0]
- An older thing.
"""


@pytest.fixture(scope="module")
def notes():
    spec = importlib.util.spec_from_file_location("release_notes", ROOT / ".ci" / "release_notes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_notes__are_the_section_of_the_version(notes):
    assert notes.find_notes(CHANGELOG, "1.2.0") == "### Added\n- A thing."
    assert notes.find_notes(CHANGELOG, "1.1.0") == "- An older thing."


@pytest.mark.parametrize("version", ["1.2", "1.3.0", "1.2.00", "2.0"])
def test_notes__of_a_version_without_a_section(notes, version):
    assert notes.find_notes(CHANGELOG, version) == ""


@pytest.mark.parametrize(
    ("tag", "text", "why"),
    [
        ("v1.2.0", "text", ""),
        ("1.2.0", "text", "is not v1.2.0"),
        ("v1.3.0", "text", "is not v1.2.0"),
        ("v1.2.0", "", "no section"),
    ],
)
def test_tag__must_be_the_version_and_the_version_must_have_notes(notes, tag, text, why):
    found = notes.explain_misfit(tag, "1.2.0", text)
    assert why in found
    assert bool(found) is bool(why)


def test_version__of_this_commit_is_one_and_has_notes(notes):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == ci_gate.__version__
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert notes.find_notes(changelog, project["version"])


def test_jobs__publish_only_what_was_checked_and_move_the_tag_last():
    assert [(name, job.get("needs")) for name, job in JOBS.items()] == [
        ("build", None),
        ("check", "build"),
        ("pypi", "check"),
        ("github", "pypi"),
    ]
    assert JOBS["check"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert JOBS["github"]["steps"][-1]["name"] == "Move the tag of the major version"


def test_jobs__that_may_write_run_no_code_of_the_repository():
    for name in ("pypi", "github"):
        assert not any("checkout" in step.get("uses", "") for step in JOBS[name]["steps"])
    assert JOBS["pypi"]["environment"]["name"] == "pypi"
