"""What it takes to look into the processes of a service."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from ci_gate.errors import OutsideError

_SUDO_S: Final = 10.0  # it may ask a directory of users on another machine
_MOUNT: Final = 'mount -t proc proc /proc && exec "$@"'


def why_root(setting: Path, most: int, *, is_container: bool) -> str | None:
    """Why looking into a service takes root; None where it does not.

    It does for a container, and where the number in this file of /proc/sys is above ``most``.
    """
    if is_container:
        return "a container"
    with contextlib.suppress(OSError, ValueError):
        if int(setting.read_text()) > most:
            return f"{'.'.join(setting.parts[3:])} is above {most}"
    return None


def become_root(why: str | None) -> tuple[str, ...]:
    """What comes before a command that takes root for this reason; nothing where it takes none, or we are it.

    Raises OutsideError where root cannot be had.
    """
    if why is None or os.geteuid() == 0:
        return ()
    sudo = shutil.which("sudo")
    if sudo is None or not _asks_nothing(sudo):
        raise OutsideError(f"to look into the service takes root here, or sudo without a password ({why})")
    return (sudo, "-n")


def _asks_nothing(sudo: str) -> bool:
    """Whether it gives root without a password; not where it takes long to say so."""
    try:
        done = subprocess.run([sudo, "-n", "true"], capture_output=True, check=False, timeout=_SUDO_S)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def enter_processes(pid: int, as_root: tuple[str, ...]) -> tuple[tuple[str, ...], int]:
    """What comes before a command that looks into a process, and the process's number there.

    A container numbers its processes and threads anew. Only where both are counted alike is it known which of
    its threads are on a CPU. Where its numbers cannot be had, the process is looked into from here.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return as_root, pid
    numbers = next((line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:")), [])
    if len(numbers) < 2 or not (as_root or os.geteuid() == 0):  # noqa: PLR2004 - ours, and its own
        return as_root, pid
    words = (*as_root, "nsenter", "--target", str(pid), "--pid", "--", "unshare", "--mount", "--")
    words += ("sh", "-c", _MOUNT, "sh")
    try:
        subprocess.run([*words, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return as_root, pid
    return words, int(numbers[-1])
