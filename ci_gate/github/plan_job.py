"""What a workflow is to measure: scenarios, and base as a commit. Written down once, for all of its jobs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ci_gate.errors import UsageError
from ci_gate.run.git import find_commit, find_merge_base, find_parents, has_file

_PARENTS_OF_A_MERGE: Final = 2
_NO_COMMIT: Final = re.compile(r"0*")  # as a push names the one before it, where the branch is new
_SEPARATORS: Final = re.compile(r"[\s,]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """What the other jobs are to do.

    ``base`` is the commit whose thresholds.yaml head's is compared with, ``measured_base`` the one that head
    is measured beside; each is empty where there is none. ``not_compared`` says why nothing is measured
    beside head though the event has a base. ``dockerfile`` and ``context`` are paths in the repository, and
    empty where no image is built. ``compared`` are those scenarios that have a tolerance.
    """

    scenarios: tuple[str, ...]
    compared: frozenset[str]
    profile: str
    base: str
    measured_base: str
    not_compared: str
    dockerfile: str
    context: str
    users: int | None


def render_outputs(matrix: Matrix) -> str:
    """Lines for the file at GITHUB_OUTPUT; ``matrix`` is what a strategy includes."""
    jobs = [
        {"scenario": name, "base": matrix.measured_base if name in matrix.compared else ""}
        for name in matrix.scenarios
    ]
    outputs = {
        "matrix": json.dumps(jobs),
        "scenarios": json.dumps(matrix.scenarios),
        "profile": matrix.profile,
        "base": matrix.base,
        "measured_base": matrix.measured_base,
        "not_compared": matrix.not_compared,
        "dockerfile": matrix.dockerfile,
        "context": matrix.context,
        "users": "" if matrix.users is None else str(matrix.users),
    }
    for name, value in outputs.items():
        if not value.isprintable():
            raise UsageError(f"{name} holds characters that no output of a job may hold: {value!a}")
    return "".join(f"{name}={value}\n" for name, value in outputs.items())


def split_names(text: str) -> tuple[str, ...]:
    """Names between commas or white space, each once."""
    return tuple(dict.fromkeys(name for name in _SEPARATORS.split(text) if name))


def find_reviewed_base(event_name: str, payload: Mapping[str, Any], repository: Path) -> str:
    """The commit that the event merges into; empty where it names none. Its thresholds.yaml judges head's.

    A pull request is checked out as its test merge, and base is that merge's first parent: what the event
    calls base may be older. Checked out at its own head, base is what that head comes from. A merge group
    names its own base, several pull requests back if need be. A push has the commit before it; a new branch
    has none, nor has a push that replaced its history (`explain_lost_base`).
    Raises UsageError for a checkout that is not the pull request's, OutsideError where git fails.
    """
    if event_name in {"pull_request", "pull_request_target"}:
        return _find_base_of_pull(payload, repository)
    if event_name == "merge_group":
        return find_commit((_read(payload, "merge_group", "base_sha"),), repository)
    return _find_commit_before(payload, repository) if event_name == "push" else ""


def explain_lost_base(event_name: str, payload: Mapping[str, Any], base: str) -> str:
    """Why a push that has a commit before it has no ``base``; empty where there is nothing to explain."""
    before = _read(payload, "before")
    if event_name != "push" or base or _NO_COMMIT.fullmatch(before):
        return ""
    return f"the push replaced {before[:12]!a}, which is no part of the history any more"


def find_measured_base(asked: str, reviewed: str, repository: Path) -> str:
    """The commit that head is measured beside: what was ``asked`` for, or the reviewed one."""
    return find_commit((asked, f"origin/{asked}"), repository) if asked else reviewed


def explain_missing_dockerfile(commit: str, dockerfile: str, repository: Path) -> str:
    """Why head cannot be compared with ``commit``; empty where that has ``dockerfile``."""
    return "" if has_file(commit, dockerfile, repository) else f"base {commit[:12]} has no {dockerfile}"


def _find_commit_before(payload: Mapping[str, Any], repository: Path) -> str:
    before = _read(payload, "before")
    if _NO_COMMIT.fullmatch(before):
        return ""
    try:
        return find_commit((before,), repository)
    except UsageError:
        if payload.get("forced") is True:
            return ""
        raise


def _find_base_of_pull(payload: Mapping[str, Any], repository: Path) -> str:
    head = find_commit(("HEAD",), repository)
    parents = find_parents(head, repository)
    pull_head = _read(payload, "pull_request", "head", "sha")
    merge = _read(payload, "pull_request", "merge_commit_sha")
    if len(parents) == _PARENTS_OF_A_MERGE and (parents[1] == pull_head or head == merge):
        return parents[0]
    named = find_commit((_read(payload, "pull_request", "base", "sha"),), repository)
    base = find_merge_base(head, named, repository)
    if base is None:
        raise UsageError(f"HEAD ({head[:12]}) and base ({named[:12]}) have no commit in common")
    if base == head:
        raise UsageError(
            f"HEAD ({head[:12]}) is base's own: check out the pull request's merge, as actions/checkout does"
        )
    return base


def _read(payload: object, *keys: str) -> str:
    """The text at these keys; empty for what is not there, which no commit is called."""
    for key in keys:
        payload = payload.get(key) if isinstance(payload, dict) else None
    return payload if isinstance(payload, str) else ""
