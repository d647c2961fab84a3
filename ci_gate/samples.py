"""samples.bin: every request as one fixed-size row, appended while the run goes on.

A row is exact (nothing rounded or bucketed) and costs the generator one system call. Texts (endpoint, error,
user class) stand once in strings.jsonl; rows hold their line numbers.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from ci_gate.errors import EvidenceError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

MAGIC: Final = b"ci-gate-rows-1\0\0"
_ROW = struct.Struct("<dddQIIIHHBB")
SAMPLE_DTYPE: Final = np.dtype(
    [
        ("start_s", "<f8"),  # Unix time at which the request was sent, from the monotonic clock
        ("intended_s", "<f8"),  # when it should have been sent; equals start_s in a closed workload
        ("response_ms", "<f8"),  # as Locust measured it, neither rounded nor bucketed
        ("bytes", "<u8"),
        ("endpoint", "<u4"),  # id of "METHOD name"
        ("error", "<u4"),  # id of the error text; 0 is none
        ("body_crc", "<u4"),  # CRC-32 of the first BODY_PREFIX bytes of the body; 0 for no body
        ("user_class", "<u2"),  # id of the class name; 0 is unknown
        ("status", "<u2"),  # HTTP status; 0 no reply; NOT_HTTP where the client has none
        ("ending", "<u1"),  # one of the ENDED_* values
        ("flags", "<u1"),  # FLAG_* bits
    ]
)

NOT_HTTP: Final = 0xFFFF
ENDED_WELL: Final = 0  # Locust counted a success
ENDED_BY_STATUS: Final = 1  # Locust counted a failure because of the status alone
ENDED_BY_CHECK: Final = 2  # the scenario's own check failed it
ENDED_WITHOUT_REPLY: Final = 3  # connection error, time-out, unreadable reply
ENDED_NEVER: Final = 4  # still waiting when the run was stopped; response_ms is the time waited
ENDED_UNREPORTED: Final = 5  # a reply came, but the scenario never reported it to Locust (catch_response)
FLAG_HTML: Final = 1
FLAG_RETRY_AFTER: Final = 2

BODY_PREFIX: Final = 4096
MAX_STRINGS: Final = 50_000
MAX_STRING_LENGTH: Final = 500
_MAX_BYTES: Final = 8 * 1024**3


class SampleWriter:
    """Appends rows to samples.bin and texts to strings.jsonl, each with one unbuffered write.

    An unbuffered write leaves the row in the kernel, where a kill -9 of this process cannot lose it.
    """

    def __init__(self, folder: Path) -> None:
        self._rows = os.open(folder / "samples.bin", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        self._strings = os.open(folder / "strings.jsonl", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        self._ids: dict[str, int] = {}
        os.write(self._rows, MAGIC)
        self.string_id("")

    def string_id(self, text: str) -> int:
        """The id of ``text``, written out when first seen. Past MAX_STRINGS, new texts share the last id."""
        known = self._ids.get(text)
        if known is not None:
            return known
        if len(self._ids) >= MAX_STRINGS:
            return MAX_STRINGS - 1
        self._ids[text] = len(self._ids)
        os.write(self._strings, msgspec.json.encode(text[:MAX_STRING_LENGTH]) + b"\n")
        return self._ids[text]

    def write(self, *row: float) -> None:
        """Append the fields of SAMPLE_DTYPE in their order. Raises OSError where the disk is full."""
        os.write(self._rows, _ROW.pack(*row))


def read_samples(path: Path, *, first_row: int = 0) -> tuple[NDArray[np.void], int]:
    """The complete rows from ``first_row`` on, and the bytes of a last row cut short.

    Raises EvidenceError where the file is missing, of another version, or holds an impossible time.
    """
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise EvidenceError(f"{path} is larger than {_MAX_BYTES} bytes")
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise EvidenceError(f"{path} is no file of samples of this version")
            rows, rest = divmod(size - len(MAGIC), SAMPLE_DTYPE.itemsize)
            file.seek(len(MAGIC) + first_row * SAMPLE_DTYPE.itemsize)
            samples = np.fromfile(file, dtype=SAMPLE_DTYPE, count=max(rows - first_row, 0))
    except OSError as error:
        raise EvidenceError(f"{path}: {error.strerror}") from error
    for name in ("start_s", "intended_s", "response_ms"):
        if not np.isfinite(samples[name]).all() or (samples[name] < 0).any():
            raise EvidenceError(f"{path}: a {name} is negative or no number")
    return samples, rest
