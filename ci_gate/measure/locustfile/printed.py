"""What a locustfile prints: kept out of the log where it is a secret, and the last of it remembered.

Runs inside Locust.
"""

from __future__ import annotations

import io
import logging
import sys
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TextIO

_KEPT_LINES: Final = 3
_LINE_LENGTH: Final = 300


class _Stream:
    """Hands text on to another stream, and to ``take``; all else is the other's."""

    def __init__(self, stream: TextIO, take: Callable[[str], str]) -> None:
        self._stream = stream
        self._take = take

    def write(self, text: str) -> int:
        self._stream.write(self._take(text))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def print_whatever_comes() -> None:
    """Let Python print what the encoding of its streams cannot say as an escape, instead of raising."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def filter_output(clean: Callable[[str], str]) -> None:
    """Let everything that Python prints in this process from now on go through ``clean``."""
    sys.stdout, sys.stderr = _Stream(sys.stdout, clean), _Stream(sys.stderr, clean)


class LastWords(logging.Handler):
    """Remembers the last lines that the locustfile printed or logged; what Locust says is not among them.

    ``clean`` takes secrets out of them, before they are cut.
    """

    def __init__(self, clean: Callable[[str], str]) -> None:
        super().__init__()
        self._clean = clean
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)

    def listen(self) -> None:
        """Attach to what is printed, and to Python's logging, once Locust has set that up."""
        logging.getLogger().addHandler(self)  # Locust's own loggers hand nothing on to it
        filter_output(self._keep)

    @property
    def lines(self) -> tuple[str, ...]:
        """The last ones, oldest first."""
        return tuple(self._lines)

    def emit(self, record: logging.LogRecord) -> None:
        self._keep(record.getMessage())

    def _keep(self, text: str) -> str:
        self._lines.extend(
            line.strip()[:_LINE_LENGTH] for line in self._clean(text).splitlines() if line.strip()
        )
        return text
