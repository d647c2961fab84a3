"""thresholds.yaml of one side and digests of the files that decide what it means; from a folder or GitHub."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from ci_gate.errors import BadInputError, EvidenceError, Problem
from ci_gate.github.contents import list_digests, read_file
from ci_gate.github.transport import Transport
from ci_gate.thresholds import Thresholds, parse_thresholds

WORKFLOWS: Final = ".github/workflows"
_MAX_FILE_BYTES: Final = 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdFiles:
    """``digests`` maps paths to git's digests: what stands beside a locustfile, and the workflows."""

    thresholds: Thresholds
    digests: Mapping[str, str]


def read_side(repository: Path, file: str) -> ThresholdFiles | None:
    """The side checked out at ``repository``; None where it has no such file. Raises BadInputError."""
    path = repository / file
    if not path.is_file():
        return None
    thresholds = _parse(path.read_bytes(), file)
    digests = {
        f"{folder}/{found.name}".removeprefix("./"): _digest(found.read_bytes())
        for folder in _folders(thresholds)
        for found in sorted((repository / folder).glob("*"))
        if found.is_file() and found.stat().st_size <= _MAX_FILE_BYTES
    }
    return ThresholdFiles(thresholds=thresholds, digests=_relevant(digests, file))


def fetch_side(transport: Transport, repository: str, file: str, ref: str) -> ThresholdFiles | None:
    """The same of a commit or branch on GitHub. Raises BadInputError, GitHubError."""
    found = read_file(transport, repository, file, ref)
    if found is None:
        return None
    thresholds = _parse(found[0], file)
    digests: dict[str, str] = {}
    for folder in _folders(thresholds):
        digests |= list_digests(transport, repository, "" if folder == "." else folder, ref)
    return ThresholdFiles(thresholds=thresholds, digests=_relevant(digests, file))


def _parse(content: bytes, file: str) -> Thresholds:
    if len(content) > _MAX_FILE_BYTES:
        raise EvidenceError(f"{file} is larger than {_MAX_FILE_BYTES:,} bytes")
    try:
        return parse_thresholds(content.decode("utf-8"), file)
    except UnicodeDecodeError as error:
        problem = Problem(file=file, line=1, column=1, message=f"not UTF-8 text: {error.reason}")
        raise BadInputError(problem) from error


def _folders(thresholds: Thresholds) -> tuple[str, ...]:
    """Scenarios share code with what stands beside them, so an edit there counts too."""
    beside = {str(PurePosixPath(scenario.locustfile).parent) for scenario in thresholds.scenarios}
    return (*sorted(beside), WORKFLOWS)


def _relevant(digests: Mapping[str, str], file: str) -> dict[str, str]:
    """Without thresholds.yaml itself, whose changes are told setting by setting."""
    kinds = (".py", ".yml", ".yaml")
    return {path: digest for path, digest in digests.items() if path.endswith(kinds) and path != file}


def _digest(content: bytes) -> str:
    """As git names a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
