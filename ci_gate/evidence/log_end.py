"""The end of a log file, which may be long, and may be written by anybody."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

TAIL_BYTES = 64 * 1024
LINES = 20
LINE_LENGTH = 500


def read_log_end(
    path: Path, *, offset: int = 0, lines: int = LINES, clean: Callable[[str], str] = str
) -> tuple[str, ...]:
    """The last lines behind ``offset``, each cut at LINE_LENGTH; () where there is no such file.

    Control characters are made visible. ``clean`` takes secrets out, before a line is cut.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(offset, size - TAIL_BYTES))
            text = clean(file.read(TAIL_BYTES).decode(errors="replace"))
    except OSError:
        return ()
    return tuple(make_printable(line[:LINE_LENGTH]) for line in text.splitlines()[-lines:])


def make_printable(line: str) -> str:
    """The same line with a mark for each control character in it, tabs excepted."""
    return "".join(
        char if char.isprintable() or char == "\t" else "\N{REPLACEMENT CHARACTER}" for char in line
    )
