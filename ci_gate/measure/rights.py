"""What it takes to look into the processes of a service."""

from __future__ import annotations

import os
import shutil
import subprocess

from ci_gate.errors import OutsideError


def become_root(why: str | None) -> tuple[str, ...]:
    """What comes before a command that takes root for this reason; nothing where it takes none, or we are it.

    Raises OutsideError where root cannot be had.
    """
    if why is None or os.geteuid() == 0:
        return ()
    sudo = shutil.which("sudo")
    if sudo is None or subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode != 0:
        raise OutsideError(f"to look into the service takes root here, or sudo without a password ({why})")
    return (sudo, "-n")
