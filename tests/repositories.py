"""Real git repositories for the tests."""

from __future__ import annotations

import subprocess
from pathlib import Path


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.invalid")
    allowed = ("-c", "protocol.file.allow=always")  # submodules of this machine
    return subprocess.run(
        ["git", *identity, *allowed, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def make_repository(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "-b", "main")
    commit_files(folder, files)
    return folder


def commit_base(folder: Path) -> None:
    """Make a repository of what lies there, in one commit."""
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "base")


def commit_files(folder: Path, files: dict[str, str]) -> str:
    """Write them, commit everything, and return the commit."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", "A commit")
    return git(folder, "rev-parse", "HEAD")
