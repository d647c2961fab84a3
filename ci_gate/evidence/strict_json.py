"""Reads JSON that is exactly of one type, or refuses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from ci_gate.errors import EvidenceError
from ci_gate.evidence.ranges import Version

if TYPE_CHECKING:
    from pathlib import Path

_MAX_JSON_BYTES: Final = 64 * 1024**2
_T = TypeVar("_T")


class _Header(msgspec.Struct, frozen=True):
    schema: Version


def read_json(path: Path, kind: type[_T]) -> _T:
    """One strictly typed JSON file. Raises EvidenceError where it is missing or not exactly ``kind``."""
    return decode(read_bounded(path), kind, str(path))


def read_lines(path: Path, kind: type[_T]) -> tuple[_T, ...]:
    """Every complete line of a .jsonl file; () where there is no file. Raises EvidenceError on a bad line."""
    text = read_bounded(path) if path.exists() else b""
    complete = text[: text.rfind(b"\n") + 1].splitlines()
    return tuple(decode(line, kind, f"{path}:{number}") for number, line in enumerate(complete, start=1))


def decode_document(text: bytes, kind: type[_T], *, name: str, schema: int, max_bytes: int) -> _T:
    """A versioned JSON document called ``name``, of text that may be hostile.

    Raises EvidenceError for anything but exactly ``kind``, in that version and size.
    """
    if len(text) > max_bytes:
        raise EvidenceError(f"the {name} is larger than {max_bytes} bytes")
    check_schema(text, schema, f"not a {name}", f"a {name} of")
    return decode(text, kind, f"not a {name}")


def check_schema(text: bytes, schema: int, where: str, what: str) -> None:
    """Before the rest is read, which another schema need not have."""
    found = decode(text, _Header, where).schema
    if found != schema:
        raise EvidenceError(f"{what} schema {found}; this version reads {schema}")


def decode(text: bytes, kind: type[_T], where: str) -> _T:
    """Raises EvidenceError, which begins with ``where``, for anything but exactly ``kind``."""
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EvidenceError(f"{where}: {error}") from error


def read_bounded(path: Path, max_bytes: int = _MAX_JSON_BYTES) -> bytes:
    """The content of a file. Raises EvidenceError where it cannot be read, or is too large to be ours."""
    try:
        if path.stat().st_size > max_bytes:
            raise EvidenceError(f"{path} is larger than {max_bytes} bytes")
        return path.read_bytes()
    except OSError as error:
        raise EvidenceError(f"{path}: {error.strerror}") from error
