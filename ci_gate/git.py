"""Asks git about a repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ci_gate.errors import OutsideError

_TIMEOUT_S = 120.0


def run_git(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What git said, whatever its exit code. Raises OutsideError where it cannot be run or does not end."""
    try:
        return subprocess.run(
            ["git", *arguments],
            cwd=repository,
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OutsideError(f"git {arguments[0]}: {error}") from error
