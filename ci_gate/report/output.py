"""Standard output and error, made safe: text of a fork shows itself there, and does nothing.

A runner takes a line of a log that begins with ``::``, or holds ``##[``, for a command of ours. Control and
bidirectional characters move a terminal's cursor, hide text or show it in another order.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
import unicodedata
from collections.abc import Iterator
from typing import Final, TextIO

from ci_gate.addresses import hide_credentials

_UNSAFE_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_KEPT: Final = frozenset("\n\t")
_SAFE: Final = re.compile(r"[\n\t\x20-\x7e]*")
_COMMAND: Final = re.compile(r"^([^\S\n]*):(?=:)", re.MULTILINE)
_OLD_COMMAND: Final = re.compile(r"##(?=\[)")
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
_MAX_BEGINNING: Final = 1000


def clean_output(text: str) -> str:
    """``text`` line by line without what a terminal or a runner would obey, and without secrets."""
    return _OLD_COMMAND.sub("## ", _COMMAND.sub(r"\1: ", _clean_characters(hide_credentials(text))))


def _clean_characters(text: str) -> str:
    if _SAFE.fullmatch(text):
        return text
    return "".join(_REPLACEMENT if _is_unsafe(each) else each for each in text)


def _is_unsafe(character: str) -> bool:
    return unicodedata.category(character) in _UNSAFE_CATEGORIES and character not in _KEPT


class CleanStream(io.TextIOBase):
    """Writes to ``stream`` what `clean_output` makes of a text; commands and documents have own ways."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self._line = ""  # what was written of the current line

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.stream.encoding

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self.stream.isatty()

    def fileno(self) -> int:
        return self.stream.fileno()

    def flush(self) -> None:
        self.stream.flush()

    def write(self, text: str) -> int:
        # A terminal's one line of progress is written over itself.
        begin, end = (text[:1] == "\r", text[1:][-1:] == "\r") if self.isatty() else (False, False)
        inner = text[begin : len(text) - end]
        # A command may come in pieces: what the line holds already decides what the text is.
        cleaned = clean_output(self._line + inner)[len(clean_output(self._line)) :]
        self.stream.write("\r" * begin + cleaned + "\r" * end)
        self._line = "" if begin or end else (self._line + inner).rpartition("\n")[2][-_MAX_BEGINNING:]
        return len(text)

    def write_command(self, line: str) -> None:
        """One line that the runner is to take for a command; its texts were escaped by who made it."""
        line = hide_credentials(line)
        cleaned = _OLD_COMMAND.sub("## ", _clean_characters(line.replace("\n", " ")))
        self.stream.write("\n" * bool(self._line) + cleaned + "\n")
        self._line = ""

    def write_document(self, text: str) -> None:
        """A whole file, made by one of our renderers, which escapes by the rules of its format."""
        self.stream.write(text)


def write_command(stream: TextIO, line: str) -> None:
    """Write a command of the workflow, such as an annotation."""
    if isinstance(stream, CleanStream):
        stream.write_command(line)
    else:
        stream.write(line + "\n")


def write_document(stream: TextIO, text: str) -> None:
    """Write a document that is escaped already."""
    if isinstance(stream, CleanStream):
        stream.write_document(text)
    else:
        stream.write(text)


@contextlib.contextmanager
def clean_streams() -> Iterator[None]:
    """While it lasts, all that is written to standard output and error is cleaned.

    What their encoding lacks is written as an escape: an old terminal must not end a run.
    """
    streams = sys.stdout, sys.stderr
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = (CleanStream(stream) for stream in streams)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams
