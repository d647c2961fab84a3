"""Keeps a log that grows without end within bounds, without standing in the way of who writes it.

Whoever writes to the log has the file itself, and never waits for ci-gate. While it grows, what lies between
its beginning and its end is given back to the disk: the file has a hole there. In the end that is cut out,
and a line says how much it was.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from typing import TYPE_CHECKING, Final

from ci_gate.service.masking import mask_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_gate.service.log import ServiceLog

KEPT_BYTES: Final = 4 * 1024**2
"""Of the beginning, and of the end, of each start."""

_LOOK_S: Final = 0.2
_PUNCH_HOLE: Final = 3  # FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE


@contextlib.contextmanager
def keep_bounded(log: ServiceLog) -> Iterator[None]:
    """While it lasts, and when it is left, the log of this start takes no more than about two KEPT_BYTES.

    When it is left, no secret that is kept stands in it.
    """
    bound = _Bound(log)
    ending = threading.Event()

    def watch() -> None:
        while not ending.wait(_LOOK_S):
            bound.hollow_out()

    thread = threading.Thread(target=watch, name="log bound", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()
        bound.cut_out()
        mask_file(log.path)


class _Bound:
    """Where the middle of one log begins, and how much of it is no longer in the file."""

    def __init__(self, log: ServiceLog) -> None:
        self._path = log.path
        self._begin = log.offset + KEPT_BYTES
        self._hollow_to = self._begin
        self._dropped = 0

    def hollow_out(self) -> None:
        """Give the middle back to the disk. A log that cannot be read or changed is left as it is."""
        with contextlib.suppress(OSError), self._path.open("r+b") as file:
            end = os.fstat(file.fileno()).st_size - KEPT_BYTES
            if end > self._hollow_to:
                try:
                    punch_hole(file.fileno(), self._hollow_to, end - self._hollow_to)
                    self._hollow_to = end
                except OSError:  # no holes in this file system: then the end begins anew
                    self._dropped += end + KEPT_BYTES - self._begin
                    file.truncate(self._begin)

    def cut_out(self) -> None:
        """Put what is left of the end behind the beginning. For when nobody writes any more."""
        with contextlib.suppress(OSError), self._path.open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            end = max(size - KEPT_BYTES, self._begin)
            left_out = self._dropped + end - self._begin
            if left_out > 0:
                file.seek(end)
                kept = file.read(KEPT_BYTES)
                file.truncate(self._begin)
                file.seek(self._begin)
                file.write(f"\n[ci-gate left out {left_out:,} bytes here]\n".encode() + kept)


def punch_hole(descriptor: int, begin: int, length: int) -> None:
    """Give a part of a file back to the disk; it reads as zeros then. Raises OSError where that cannot be."""
    fallocate = ctypes.CDLL(None, use_errno=True).fallocate
    fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long)
    if fallocate(descriptor, _PUNCH_HOLE, begin, length):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
