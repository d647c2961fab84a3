"""The files beside a locustfile: the same on all machines, for no code travels."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Final

from ci_gate.errors import OutsideError, UsageError
from ci_gate.measure.target import MAX_FILES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_MAX_BYTES: Final = 256 * 1024**2
_OURS: Final = "ci-gate-out"
_NOT_COMPARED: Final = {"__pycache__", "node_modules", _OURS}


def hash_files(repository: Path, locustfiles: Iterable[str]) -> dict[str, str]:
    """SHA-256 by path, of every file in the folders of these locustfiles and below.

    Without what begins with a dot, caches, and evidence. Raises UsageError for too many, OutsideError for one
    that cannot be read.
    """
    folders = sorted({_folder_of(repository, each) for each in locustfiles})
    found: dict[str, str] = {}
    size = 0
    for folder in folders:
        for path in _list_files(folder):
            name = path.relative_to(repository.resolve()).as_posix()
            try:
                size += path.stat().st_size
                if len(found) >= MAX_FILES or size > _MAX_BYTES:
                    raise UsageError(
                        f"{folder} has more than {MAX_FILES:,} files or {_MAX_BYTES // 1024**2} MiB: "
                        "workers on other machines compare all of them; put the locustfile into a folder of "
                        "its own"
                    )
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
            except OSError as error:
                raise OutsideError(f"{path}: {error.strerror}") from error
    return found


def _folder_of(repository: Path, locustfile: str) -> Path:
    path = (repository / locustfile).resolve()
    folder = path if path.is_dir() else path.parent
    if not folder.is_relative_to(repository.resolve()):
        raise UsageError(f"{locustfile} is not in the folder {repository}")
    return folder


def _list_files(folder: Path) -> Iterable[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not _is_skipped(each))
        for name in sorted(names):
            path = folder.__class__(root, name)
            if not _is_skipped(name) and path.is_file():
                yield path


def _is_skipped(name: str) -> bool:
    return name.startswith(".") or name in _NOT_COMPARED


def compare_files(here: Mapping[str, str], there: Mapping[str, str]) -> str:
    """What differs from the master's, in words; empty where nothing does.

    More files here are no matter, unless they are Python's: one that is imported in another's place.
    """
    for name, digest in there.items():
        if name not in here:
            return f"{name} is missing"
        if here[name] != digest:
            return f"{name} is another than the master's"
    more = [name for name in here if name not in there and name.endswith(".py")]
    return f"the master has no {more[0]}" if more else ""
