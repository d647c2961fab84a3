"""Base's commit as files on disk: a worktree without hooks, its submodules from what head's checkout has."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil

from ci_gate.errors import BaseError, OutsideError
from ci_gate.run.git import ask_git, find_top
from ci_gate.service.guard.watchdog import Watchdog

_PREFIX: Final = "ci-gate-base-"
_OURS: Final = re.compile(rf"{_PREFIX}(\d+)-.+")
# A hook belongs to the developer's own checkout: base needs none, and its failure would say nothing of base.
_NO_HOOKS: Final = ("-c", f"core.hooksPath={os.devnull}")
_ASK_DIRECTORY: Final = ("rev-parse", "--path-format=absolute", "--git-common-dir")
_PATH_KEY: Final = re.compile(r"submodule\.(.*)\.path", re.DOTALL)
_SUBMODULE: Final = "160000"


@contextlib.contextmanager
def check_out(commit: str, repository: Path, watchdog: Watchdog | None = None) -> Iterator[Path]:
    """The folder of a worktree at ``commit``, for as long as the context lasts.

    After a kill ``watchdog`` removes it, and the next run what git still knows of it. Raises BaseError, with
    git's own words, where git cannot make it (a filter fails, the disk is full) or a submodule is not on this
    machine.
    """
    _remove_orphans(repository)
    prefix = f"{_PREFIX}{os.getpid()}-"
    made = watchdog.temporary_folder(prefix) if watchdog else tempfile.TemporaryDirectory(prefix=prefix)
    with made as folder:
        worktree = Path(folder).resolve() / "base"
        try:
            ask_git(repository, *_NO_HOOKS, "worktree", "add", "--detach", str(worktree), commit)
            top = find_top(repository)
            _fill_submodules(worktree, top, Path(ask_git(repository, *_ASK_DIRECTORY)))
        except OutsideError as error:
            _remove(worktree, repository)
            raise BaseError(f"base could not be checked out: {error}") from error
        try:
            yield worktree
        finally:
            # It must not take a finished run with it: the next run removes what is left.
            _remove(worktree, repository)


def _fill_submodules(worktree: Path, head: Path, git_directory: Path) -> None:
    """Fetches nothing: a submodule's objects are those of the same submodule in head's checkout."""
    names = _read_names(worktree)
    for entry in filter(None, ask_git(worktree, "ls-tree", "-r", "-z", "HEAD").split("\0")):
        (mode, _, commit), path = entry.partition("\t")[0].split(" "), entry.partition("\t")[2]
        if mode != _SUBMODULE or path not in names:
            continue
        source = _find_submodule(git_directory / "modules" / names[path], head / path)
        if source is not None:
            _fill_submodule(worktree / path, commit, source)
            _fill_submodules(worktree / path, head / path, source)
        elif not (head / path).is_dir() or any((head / path).iterdir()):
            raise OutsideError(
                f"its submodule {path} is not on this machine: git submodule update --init --recursive,"
                " or submodules: recursive in actions/checkout"
            )  # else head does without it too


def _read_names(worktree: Path) -> dict[str, str]:
    """Path -> name of every submodule in .gitmodules."""
    if not (worktree / ".gitmodules").is_file():
        return {}
    listed = ask_git(worktree, "config", "-z", "--file", ".gitmodules", "--list")
    pairs = (entry.partition("\n") for entry in listed.split("\0"))
    return {path: found[1] for key, _, path in pairs if (found := _PATH_KEY.fullmatch(key))}


def _find_submodule(kept: Path, checked_out: Path) -> Path | None:
    """The git directory of a submodule: below head's own, or where an older git has left it."""
    if (kept / "objects").is_dir():
        return kept
    return Path(ask_git(checked_out, *_ASK_DIRECTORY)) if (checked_out / ".git").exists() else None


def _fill_submodule(folder: Path, commit: str, source: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    ask_git(folder, "init", "--quiet", "--template=")
    alternates = folder / ".git" / "objects" / "info" / "alternates"
    alternates.parent.mkdir(parents=True, exist_ok=True)
    alternates.write_text(f"{source / 'objects'}\n", encoding="utf-8")
    try:
        ask_git(folder, *_NO_HOOKS, "checkout", "--quiet", "--detach", commit)
    except OutsideError as error:
        hint = "where its history is cut off, fetch all of it"
        raise OutsideError(f"its submodule {folder.name} at {commit[:12]}: {error}; {hint}") from error


def _remove_orphans(repository: Path) -> None:
    """Remove the worktrees of runs that were killed before they could."""
    try:
        listed = ask_git(repository, "worktree", "list", "--porcelain")
    except OutsideError:
        return  # what is asked of git next says why
    for line in listed.splitlines():
        path = Path(line.removeprefix("worktree "))
        found = _OURS.fullmatch(path.parent.name)
        if found and not psutil.pid_exists(int(found[1])):
            _remove(path, repository)
            shutil.rmtree(path.parent, ignore_errors=True)


def _remove(worktree: Path, repository: Path) -> None:
    with contextlib.suppress(OutsideError):
        ask_git(repository, "worktree", "remove", "--force", str(worktree))
