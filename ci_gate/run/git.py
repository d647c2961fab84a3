"""Asks git about a repository, so that "no" and "not known" are two answers."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ci_gate.errors import OutsideError, UsageError

_TIMEOUT_S: Final = 120.0
_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
# A git hook or an alias that starts ci-gate sets these: git would then answer for another repository.
_OTHER_REPOSITORY: Final = frozenset(
    {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX"}
)
_NEVER_ASK: Final = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}  # words that are known, and no prompt
_REMEDIES: Final = (
    ("dubious ownership", "let git trust it: git config --global --add safe.directory {repository}"),
    ("not a git repository", "run ci-gate in a checkout, made by git"),
    ("promisor", "fetch what the partial clone left out, or clone without --filter"),
    ("shallow", "fetch the whole history: fetch-depth: 0 in actions/checkout, or git fetch --unshallow"),
)


def run_git(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What git answered, with any exit code. Raises OutsideError where it cannot be run or does not end."""
    kept = {name: value for name, value in os.environ.items() if name not in _OTHER_REPOSITORY}
    try:
        return subprocess.run(
            ["git", *arguments],
            cwd=repository,
            env={**kept, **_NEVER_ASK},
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
            timeout=_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OutsideError(f"git {arguments[0]}: {error}") from error


def ask_git(repository: Path, *arguments: str) -> str:
    """What git printed. Raises OutsideError with git's own words, and a remedy, where it fails."""
    done = run_git(repository, *arguments)
    if done.returncode:
        raise OutsideError(_explain(repository, arguments, done))
    return done.stdout.strip()


def find_top(repository: Path) -> Path:
    """The checkout's own folder, which holds ``repository`` or is it. Raises OutsideError."""
    return Path(ask_git(repository, "rev-parse", "--show-toplevel")).resolve()


def find_commit(revisions: Sequence[str], repository: Path) -> str:
    """The commit that the first known of ``revisions`` names.

    Raises UsageError where git knows none of them, OutsideError where git fails.
    """
    for revision in revisions:
        arguments = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        found = run_git(repository, *arguments)
        if found.returncode == 0 and _COMMIT.fullmatch(commit := found.stdout.strip()):
            return commit
        if found.stderr.strip():  # --quiet says nothing of what is not there, and all other trouble
            raise OutsideError(_explain(repository, arguments, found))
    hint = ""
    if ask_git(repository, "rev-parse", "--is-shallow-repository") == "true":
        hint = "; its history is cut off: fetch all of it (fetch-depth: 0 in actions/checkout)"
    raise UsageError(f"there is no commit {revisions[0]!a} in this checkout (git rev-parse){hint}")


def has_file(commit: str, path: str, repository: Path) -> bool:
    """Whether ``path``, relative to ``repository``, is a file of ``commit``.

    Asks for the tree's entry, which a partial clone has. Raises OutsideError where git fails.
    """
    entry = ask_git(repository, "--literal-pathspecs", "ls-tree", "-z", commit, "--", path)
    return entry.partition("\t")[0].split(" ")[1:2] == ["blob"]


def has_changed(base: str, paths: Sequence[str], repository: Path) -> bool:
    """Whether HEAD differs from the commit ``base`` in any of ``paths``, git's pathspecs from ``repository``.

    Raises UsageError for a path in which nothing differs because there is no file of it, OutsideError where
    git fails.
    """
    arguments = ("diff-tree", "--quiet", "-r", "--ignore-submodules=none", base, "HEAD", "--", *paths)
    found = run_git(repository, *arguments)
    if found.returncode == 1:
        return True
    if found.returncode or found.stderr.strip():
        raise OutsideError(_explain(repository, arguments, found))
    for path in paths:
        if not ask_git(repository, "ls-files", "--", path):
            raise UsageError(f"no file of this checkout is in the path {path!a}")
    return False


def find_merge_base(commit: str, other: str, repository: Path) -> str | None:
    """The newest commit that both come from; None where there is none. Raises OutsideError."""
    arguments = ("merge-base", commit, other)
    found = run_git(repository, *arguments)
    if found.returncode == 0:
        return found.stdout.split("\n", 1)[0]
    if found.stderr.strip():
        raise OutsideError(_explain(repository, arguments, found))
    return None


def find_parents(commit: str, repository: Path) -> tuple[str, ...]:
    """The parents of a commit; none also where a shallow clone cuts them off. Raises OutsideError."""
    return tuple(ask_git(repository, "rev-list", "--parents", "--max-count=1", commit).split()[1:])


def _explain(repository: Path, arguments: Sequence[str], done: subprocess.CompletedProcess[str]) -> str:
    message = done.stderr.encode("utf-8", "replace").decode().strip() or f"exit status {done.returncode}"
    remedy = next((remedy for sign, remedy in _REMEDIES if sign in message.casefold()), "")
    hint = f"\nto fix it: {remedy.format(repository=repository)}" if remedy else ""
    command = next(argument for argument in arguments if re.fullmatch(r"[a-z][a-z-]*", argument))
    return f"git {command}: {message}{hint}"
