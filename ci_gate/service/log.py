"""The log of one start of a service: a file that is appended to as it happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_gate.addresses import hide_credentials
from ci_gate.errors import OutsideError
from ci_gate.evidence.log_end import read_log_end

if TYPE_CHECKING:
    from pathlib import Path

_MANY = 10_000
_PORT_IN_USE = ("address already in use", "eaddrinuse", "port is already allocated")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLog:
    """``offset`` is where this start begins: earlier starts may have written to the same file."""

    path: Path
    offset: int

    def tail(self, lines: int = 20) -> str:
        """The last lines of this start, each cut at 500 characters; control characters are made visible."""
        return "\n".join(read_log_end(self.path, offset=self.offset, lines=lines, clean=hide_credentials))

    def says_port_in_use(self) -> bool:
        text = "\n".join(read_log_end(self.path, offset=self.offset, lines=_MANY)).lower()
        return any(phrase in text for phrase in _PORT_IN_USE)


def open_log(path: Path) -> ServiceLog:
    """Makes the file and its folder. Raises OutsideError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        return ServiceLog(path=path, offset=path.stat().st_size)
    except OSError as error:
        raise OutsideError(f"cannot write the service's log {path}: {error.strerror}") from error
