"""File systems that are soon full."""

from __future__ import annotations

import contextlib
import subprocess

from tests.servers import skip_or_fail


@contextlib.contextmanager
def mounted_disk(tmp_path, size):
    """A folder on a file system of its own, of ``size`` as mount has it, such as 2m."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=False)
    if mounted.returncode:
        skip_or_fail("mounting a small file system needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
