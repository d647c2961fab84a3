"""Files that get line after line, and of which no line is ever half there."""

from __future__ import annotations

import errno
import os


def append_line(file: int, line: bytes) -> None:
    """Append ``line`` and the end of a line to an open file. Raises OSError where there is no room for it.

    Then nothing of it is left: half of it would spoil the next one, once there is room again.
    """
    line += b"\n"
    written = os.write(file, line)
    if written < len(line):
        os.ftruncate(file, os.fstat(file).st_size - written)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
