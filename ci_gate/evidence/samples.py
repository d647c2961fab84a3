"""samples.bin: every request as one fixed-size row, appended while the run goes on.

A row is exact: nothing is rounded or bucketed. The file is mapped into memory and reserved in blocks, so a
row costs the generator a fifth of a microsecond and no system call, survives a kill -9 of the writer, and a
full disk is an error when a block is reserved rather than a signal when it is touched. Texts (endpoint,
error, user class) stand once in strings.jsonl; rows hold their line numbers. `sample_table` reads
them with numpy, which Locust has no use for, and says what each field is.
"""

from __future__ import annotations

import mmap
import os
import struct
from typing import TYPE_CHECKING, Final

import msgspec

from ci_gate.evidence.lines import append_line

if TYPE_CHECKING:
    from pathlib import Path

MAGIC: Final = b"ci-gate-rows-1\0\0"
_ROW: Final = struct.Struct("<dddQIIIHHBB")
_ROW_BYTES: Final = _ROW.size
pack_row: Final = _ROW.pack_into
_BLOCK_BYTES: Final = 4 * 1024**2

NOT_HTTP: Final = 0xFFFF
ENDED_WELL: Final = 1  # Locust counted a success
ENDED_BY_STATUS: Final = 2  # Locust counted a failure because of the status alone
ENDED_BY_CHECK: Final = 3  # the scenario's own check failed it
ENDED_WITHOUT_REPLY: Final = 4  # connection error, time-out, unreadable reply
ENDED_NEVER: Final = 5  # still waiting when the run was stopped; response_ms is the time waited
ENDED_UNREPORTED: Final = 6  # a reply came, but the scenario never reported it to Locust (catch_response)
ENDED_DAMAGED: Final = 7  # never written: what is read in the place of a row that cannot be; all else is 0
KEPT_ALIVE_CLOSED: Final = "the service closed a kept-alive connection without a reply"
"""Stands in the error text of a request that was sent over a connection by which others had been answered."""
UNSENT: Final = "(not sent)"  # endpoint of an arrival that brought no request
FLAG_HTML: Final = 1
FLAG_RETRY_AFTER: Final = 2
THROTTLING_STATUSES: Final = (403, 429, 503)
"""Only of such replies is it recorded whether they have a Retry-After header."""

BODY_PREFIX: Final = 4096
MAX_STRINGS: Final = 50_000
MAX_STRING_LENGTH: Final = 500
TOO_MANY_STRINGS: Final = "(too many different texts)"


def storable(text: str) -> str:
    """``text`` as evidence keeps it: cut, and with a ? for what is half a character (a lone surrogate)."""
    return text[:MAX_STRING_LENGTH].encode(errors="replace").decode()


class SampleWriter:
    """Appends rows to samples.bin and texts to strings.jsonl."""

    def __init__(self, folder: Path) -> None:
        self._ids: dict[str, int] = {}
        self._open(folder)
        self.string_id("")

    def move_to(self, folder: Path) -> None:
        """Write into another folder from now on, the texts so far too: for a process that was forked."""
        self._map.close()
        os.close(self._file)
        os.close(self._strings)
        self._open(folder)
        for text in self._ids:
            self._write_text(text)

    def _open(self, folder: Path) -> None:
        self._file = os.open(folder / "samples.bin", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        self._strings = os.open(folder / "strings.jsonl", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        self._reserved = 0
        self._offset = len(MAGIC)
        os.write(self._file, MAGIC)  # before the first block, for who reads it meanwhile
        self._map = self._reserve()

    def _reserve(self) -> mmap.mmap:
        os.posix_fallocate(self._file, self._reserved, _BLOCK_BYTES)
        self._reserved += _BLOCK_BYTES
        return mmap.mmap(self._file, self._reserved)

    def string_id(self, text: str) -> int:
        """The id of ``text``, written out when first seen. Past MAX_STRINGS all new texts are one."""
        known = self._ids.get(text)
        if known is not None:
            return known
        if len(self._ids) >= MAX_STRINGS - 1:
            return self._ids.get(TOO_MANY_STRINGS) or self._add(TOO_MANY_STRINGS)
        return self._add(text)

    def _add(self, text: str) -> int:
        self._write_text(text)
        self._ids[text] = len(self._ids)  # not before: a text that was not written has no line number
        return self._ids[text]

    def _write_text(self, text: str) -> None:
        append_line(self._strings, msgspec.json.encode(storable(text)))

    def texts(self) -> tuple[str, ...]:
        """Every text so far, by its id."""
        return tuple(map(storable, self._ids))

    def write(self, *row: float) -> None:
        """Append the fields of SAMPLE_DTYPE in their order. Raises OSError where the disk is full."""
        packed = _ROW.pack(*row)  # what cannot be packed takes no place
        place, offset = self.take_row()
        place[offset : offset + _ROW_BYTES] = packed

    def take_row(self) -> tuple[mmap.mmap, int]:
        """Where the next row belongs, for a caller that packs it there itself by ``pack_row``."""
        offset = self._offset
        if offset + _ROW_BYTES > self._reserved:
            self._map = self._reserve()
        self._offset = offset + _ROW_BYTES
        return self._map, offset

    def close(self) -> None:
        """Give back the space reserved beyond the last row."""
        self._map.close()
        os.ftruncate(self._file, self._offset)
        os.close(self._file)
        os.close(self._strings)
