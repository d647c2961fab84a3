"""The archive of a workflow's artifact, which a fork may have written, unpacked into memory."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from typing import Final

from ci_gate.errors import EvidenceError

MAX_ARCHIVE_BYTES: Final = 16 * 1024**2
MAX_MEMBERS: Final = 64
MAX_UNPACKED_BYTES: Final = 32 * 1024**2
_MAX_NAME: Final = 200
_ENCRYPTED: Final = 0x1
_DAMAGE: Final = (
    *(zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError),
    *(EOFError, IndexError, OverflowError, ValueError, OSError),
)  # zipfile lets many kinds of error through for bytes that are no archive
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


def read_artifact(archive: bytes) -> dict[str, bytes]:
    """Path -> content of every file. Nothing is written to disk.

    Raises EvidenceError for an archive that is too large, packed or unpacked, that holds too many files, or
    one that is not a plain file at a plain relative path, or that is no intact zip.
    """
    if len(archive) > MAX_ARCHIVE_BYTES:
        raise EvidenceError(f"the artifact is larger than {MAX_ARCHIVE_BYTES:,} bytes")
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            return _read_members(opened)
    except _DAMAGE as error:
        raise EvidenceError(f"the artifact is no intact zip archive: {error}") from error


def _read_members(opened: zipfile.ZipFile) -> dict[str, bytes]:
    members = [member for member in opened.infolist() if not member.filename.endswith("/")]
    if len(opened.infolist()) > MAX_MEMBERS:
        raise EvidenceError(f"the artifact holds more than {MAX_MEMBERS} files")
    files: dict[str, bytes] = {}
    left = MAX_UNPACKED_BYTES
    for member in members:
        _check_member(member, files)
        with opened.open(member) as file:
            content = file.read(left + 1)  # the size that the archive states is its own claim
        left -= len(content)
        if left < 0:
            raise EvidenceError(f"the artifact unpacks to more than {MAX_UNPACKED_BYTES:,} bytes")
        files[member.filename] = content
    return files


def _check_member(member: zipfile.ZipInfo, members: dict[str, bytes]) -> None:
    name, mode = member.filename, member.external_attr >> 16
    parts = name.split("/")
    # zipfile cuts a name at a NUL and turns backslashes round only on some systems: look at the raw one.
    raw = member.orig_filename
    is_plain = name == raw and name.isprintable() and not {"", ".", ".."} & set(parts)
    if not is_plain or "\\" in name or ":" in name or len(name) > _MAX_NAME:
        raise EvidenceError(f"the artifact holds a file at no plain relative path: {name[:_MAX_NAME]!a}")
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
        raise EvidenceError(f"the artifact holds {name!a}, which is no plain file")
    if member.flag_bits & _ENCRYPTED or member.compress_type not in _METHODS:
        raise EvidenceError(f"the artifact holds {name!a}, packed in a way that is not read")
    if name.casefold() in {other.casefold() for other in members}:
        raise EvidenceError(f"the artifact holds {name!a} twice")
