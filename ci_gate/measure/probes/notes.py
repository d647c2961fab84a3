"""What could not be had, noted once."""

from __future__ import annotations

from collections.abc import Callable


class NotesOnce:
    """Notes each line about one probe only once, however often it is read or connects again."""

    def __init__(self, probe: str, note: Callable[[str], None]) -> None:
        self._probe = probe
        self._note = note
        self._noted: set[str] = set()

    def __call__(self, line: str) -> None:
        if line not in self._noted:
            self._noted.add(line)
            self._note(f"{self._probe}: {line}")
