"""Base: the version that head is compared with, made startable beside it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from ci_gate.errors import BadInputError, OutsideError, UsageError
from ci_gate.git import run_git
from ci_gate.thresholds import Service, Thresholds, parse_thresholds

_PREFIX = "ci-gate-base-"
_OURS = re.compile(rf"{_PREFIX}(\d+)-.+")


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseVersion:
    """How base is started: its service, from its repository; ``name`` is what people read."""

    name: str
    service: Service
    repository: Path


@contextlib.contextmanager
def open_base(base: str, thresholds: Thresholds, repository: Path) -> Iterator[BaseVersion]:
    """Make base startable for as long as the context lasts.

    ``base`` is a URL, an image for a service that is one, else a git revision: that is checked out into a
    worktree of its own, and its own thresholds.yaml says how it is started. Raises UsageError for a revision
    that git does not know, OutsideError if git fails otherwise.
    """
    service = thresholds.service
    if "://" in base:
        changed = dataclasses.replace(service, kind="url", target=base)
        yield BaseVersion(name=base, service=changed, repository=repository)
    elif service.kind == "image":
        yield BaseVersion(name=base, service=dataclasses.replace(service, target=base), repository=repository)
    else:
        with _checked_out(base, repository) as (worktree, commit):
            own = _own_service(worktree / Path(thresholds.file).name) or service
            if "url" in {own.kind, service.kind}:
                raise UsageError(
                    f"{base}: a service that is a URL is compared with another URL, not a revision"
                )
            yield BaseVersion(name=f"{base} ({commit[:12]})", service=own, repository=worktree)


@contextlib.contextmanager
def _checked_out(revision: str, repository: Path) -> Iterator[tuple[Path, str]]:
    commit = _git(repository, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    root = Path(_git(repository, "rev-parse", "--show-toplevel"))
    _remove_orphans(repository)
    with tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-") as folder:
        worktree = Path(folder) / "base"
        _git(repository, "worktree", "add", "--detach", str(worktree), commit)
        try:
            yield worktree / repository.resolve().relative_to(root.resolve()), commit
        finally:
            # It must not take a finished run with it: the next run removes what is left.
            with contextlib.suppress(OutsideError):
                _git(repository, "worktree", "remove", "--force", str(worktree))


def _remove_orphans(repository: Path) -> None:
    """Remove the worktrees of runs that were killed before they could."""
    for line in _git(repository, "worktree", "list", "--porcelain").splitlines():
        path = Path(line.removeprefix("worktree "))
        found = _OURS.fullmatch(path.parent.name)
        if found and not psutil.pid_exists(int(found[1])):
            with contextlib.suppress(OutsideError):
                _git(repository, "worktree", "remove", "--force", str(path))
            shutil.rmtree(path.parent, ignore_errors=True)


def _own_service(path: Path) -> Service | None:
    """None where base has no thresholds.yaml, or one that this version cannot read."""
    try:
        return parse_thresholds(path.read_text(encoding="utf-8"), str(path)).service
    except (OSError, UnicodeDecodeError, BadInputError):
        return None


def _git(repository: Path, *arguments: str) -> str:
    done = run_git(repository, *arguments)
    if done.returncode:
        kind = UsageError if arguments[0] == "rev-parse" else OutsideError
        raise kind(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()
