"""What a workflow is to measure: scenarios, and base as a commit. Written down once, for all of its jobs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ci_gate.errors import UsageError
from ci_gate.git import run_git

NO_DOCKERFILE: Final = "none"
_TIMEOUT_S: Final = 60.0
_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SEPARATORS: Final = re.compile(r"[\s,]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """``base`` is a commit, empty where nothing is compared; ``dockerfile`` is empty where none is built.

    ``compared`` are those scenarios that have a tolerance, and so are to be compared with base.
    """

    scenarios: tuple[str, ...]
    compared: frozenset[str]
    profile: str
    base: str
    dockerfile: str
    users: int | None


def render_outputs(matrix: Matrix) -> str:
    """Lines for the file at GITHUB_OUTPUT; ``matrix`` is what a strategy includes."""
    jobs = [
        {"scenario": name, "base": matrix.base if name in matrix.compared else ""}
        for name in matrix.scenarios
    ]
    outputs = {
        "matrix": json.dumps(jobs),
        "scenarios": json.dumps(matrix.scenarios),
        "profile": matrix.profile,
        "base": matrix.base,
        "dockerfile": matrix.dockerfile,
        "users": "" if matrix.users is None else str(matrix.users),
    }
    for name, value in outputs.items():
        if not value.isprintable():
            raise UsageError(f"{name} holds characters that no output of a job may hold: {value!a}")
    return "".join(f"{name}={value}\n" for name, value in outputs.items())


def split_names(text: str) -> tuple[str, ...]:
    """Names between commas or white space, each once."""
    return tuple(dict.fromkeys(name for name in _SEPARATORS.split(text) if name))


def find_base(event_name: str, payload: Mapping[str, Any], asked: str, repository: Path) -> str:
    """The commit to compare with; empty where the event names none and nobody ``asked`` for one.

    A pull request is its test merge, and base that merge's first parent: what the event calls base may be
    older. A merge group names its own base, several pull requests back if need be.
    Raises UsageError for a revision that is not in ``repository``.
    """
    if asked:
        return _find_commit((asked, f"origin/{asked}"), repository)
    if event_name == "pull_request":
        return _find_commit(("HEAD^1",), repository)
    if event_name == "merge_group":
        return _find_commit((str(payload.get("merge_group", {}).get("base_sha", "")),), repository)
    return ""


def has_file(commit: str, path: str, repository: Path) -> bool:
    """Whether ``path``, relative to ``repository``, is a file of ``commit``."""
    return run_git(repository, "cat-file", "-e", f"{commit}:./{path}").returncode == 0


def _find_commit(revisions: Sequence[str], repository: Path) -> str:
    for revision in revisions:
        found = run_git(
            repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"
        )
        if found.returncode == 0 and _COMMIT.fullmatch(commit := found.stdout.strip()):
            return commit
    raise UsageError(f"there is no commit {revisions[0]!a} in this checkout")
