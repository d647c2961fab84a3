"""thresholds.yaml of one side and digests of the files that decide what it means; from a folder or GitHub."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

from ci_gate.errors import BadInputError, EvidenceError, Problem
from ci_gate.github.api.contents import list_folder, read_file
from ci_gate.github.api.transport import Transport
from ci_gate.github.deciding_files import Listing, find_deciding
from ci_gate.thresholds import Thresholds, parse_thresholds

_MAX_FILE_BYTES: Final = 1024**2
_PIECE_BYTES: Final = 1024**2
_MAX_REQUESTS: Final = 60  # to GitHub, for one side: a pull request decides how many folders it has


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdFiles:
    """``digests`` maps paths to git's digests, of the files that `deciding_files` finds."""

    thresholds: Thresholds
    digests: Mapping[str, str]


class NoThresholdsError(EvidenceError):
    """The side has no such file."""


def demand_side(side: ThresholdFiles | None) -> ThresholdFiles:
    """``side``. Raises NoThresholdsError where there is none."""
    if side is None:
        raise NoThresholdsError("it has no such file")
    return side


def read_side(repository: Path, file: str) -> ThresholdFiles | None:
    """The side checked out at ``repository``; None where it has no such file.

    Raises BadInputError, and EvidenceError where the file is none that is read.
    """
    path = repository / file
    if path.is_symlink() and not (path.is_file() and _is_inside(path, repository)):
        message = f"{file} is a symbolic link that leads to no file of the repository"
        raise EvidenceError(f"{message}: a plain file is allowed, or a link to one in the repository")
    if not path.is_file():
        return None
    thresholds = _parse(path.read_bytes(), file)
    return ThresholdFiles(
        thresholds=thresholds, digests=find_deciding(thresholds, file, partial(_list_local, repository))
    )


def fetch_side(transport: Transport, repository: str, file: str, ref: str) -> ThresholdFiles | None:
    """The same of a commit or branch on GitHub. Raises BadInputError, EvidenceError, GitHubError."""
    found = read_file(transport, repository, file, ref)
    if found is None:
        return None
    thresholds = _parse(found[0], file)

    def list_there(folder: str) -> Listing:
        return list_folder(transport, repository, folder, ref)

    return ThresholdFiles(
        thresholds=thresholds, digests=find_deciding(thresholds, file, list_there, _MAX_REQUESTS)
    )


def _is_inside(path: Path, repository: Path) -> bool:
    return path.resolve().is_relative_to(repository.resolve())


def _parse(content: bytes, file: str) -> Thresholds:
    if len(content) > _MAX_FILE_BYTES:
        raise EvidenceError(f"{file} is larger than {_MAX_FILE_BYTES:,} bytes")
    try:
        return parse_thresholds(content.decode("utf-8"), file)
    except UnicodeDecodeError as error:
        problem = Problem(file=file, line=1, column=1, message=f"not UTF-8 text: {error.reason}")
        raise BadInputError(problem) from error


def _list_local(repository: Path, folder: str) -> Listing:
    """As GitHub lists it; a folder is always looked into, so its own digest is not needed."""
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    place = repository / folder
    for found in sorted(place.iterdir()) if place.is_dir() and not place.is_symlink() else ():
        path = found.relative_to(repository).as_posix()
        if found.is_symlink():  # git's content of a link is where it leads
            target = os.fsencode(found.readlink())
            files[path] = _digest(io.BytesIO(target), len(target))
        elif found.is_file():
            with found.open("rb") as content:
                files[path] = _digest(content, found.stat().st_size)
        elif found.is_dir():
            folders[path] = ""
    return files, folders


def _digest(content: BinaryIO, size: int) -> str:
    """As git names a file's content; in pieces, for data may be large."""
    digest = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    while piece := content.read(_PIECE_BYTES):
        digest.update(piece)
    return digest.hexdigest()
