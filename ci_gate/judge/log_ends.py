"""The end of a log in a few words: the lines that decide are the last ones, and not a stack's frames."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

LAST_LINES: Final = re.compile(r"\n--- last lines of (?P<log>[^\n]*) ---\n")
_MAX_LENGTH: Final = 320  # characters: with what failed before it, a finding is shown up to 600
_MAX_BEFORE: Final = 240


def shorten_failure(text: str) -> str:
    """What failed, in a line: the first words, and the last lines of the log that stands below them."""
    found = LAST_LINES.search(text)
    if not found:
        return text
    failed = " ".join(text[: found.start()].split())
    failed = failed if len(failed) <= _MAX_BEFORE else f"{failed[: _MAX_BEFORE - 1]}…"
    return f"{failed}{describe_end(found['log'], text[found.end() :].splitlines())}"


def describe_end(log: str, lines: Sequence[str]) -> str:
    """``; service.log ends: no such table: shop``; empty where the log is.

    Lines that are indented are left out where others are there: they are frames of a stack, or code.
    """
    written = [line.rstrip() for line in lines if line.strip()]
    shown = [line for line in written if not line[:1].isspace()] or written
    kept: list[str] = []
    for line in reversed(shown):
        cut = line if len(line) <= _MAX_LENGTH else f"{line[: _MAX_LENGTH - 1]}…"
        if kept and sum(map(len, kept)) + len(cut) > _MAX_LENGTH:
            break
        kept.insert(0, cut.strip())
    return f"; {log} ends: {' / '.join(kept)}" if kept else ""
