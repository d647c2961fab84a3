"""What thresholds.yaml means on both sides, read before any code of head's runs, and kept as one file."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from ci_gate.errors import BadInputError, EvidenceError, UsageError
from ci_gate.evidence.strict_json import decode_document
from ci_gate.github.problems import list_problems, missing_file, parse_problems, render_problems
from ci_gate.github.threshold_files import ThresholdFiles, demand_side, read_side
from ci_gate.run.base_checkout import check_out
from ci_gate.run.git import find_top
from ci_gate.thresholds import Thresholds, parse_thresholds

REVIEW_FILE: Final = "review.json"
MAX_REVIEW_BYTES: Final = 64 * 1024**2
_SCHEMA: Final = 1


class _Side(msgspec.Struct, frozen=True):
    text: str | None = None  # None: there is no such file, or it is wrong
    digests: dict[str, str] = {}
    problems: str = ""  # as `problems` writes them


class Review(msgspec.Struct, frozen=True):
    """``file`` is relative to the repository; ``base_commit`` and ``base`` are empty without a base."""

    schema: int
    file: str
    base_commit: str
    head: _Side
    base: _Side | None = None


def review_sides(repository: Path, file: str, base_commit: str) -> Review:
    """Read head as it lies at ``repository``, and base from git.

    A file that is wrong is kept as its problems. Raises OutsideError where git fails, BaseError where base
    cannot be checked out.
    """
    base = None
    if base_commit:
        with check_out(base_commit, repository) as folder:
            base = _keep_side(folder, file)
    return Review(
        schema=_SCHEMA, file=file, base_commit=base_commit, head=_keep_side(repository, file), base=base
    )


def find_repository(thresholds_file: Path) -> tuple[Path, str]:
    """The checkout that holds ``thresholds_file``, and the file's path in it; it need not be there.

    Raises UsageError for one outside of it, OutsideError where git fails.
    """
    folder = thresholds_file.parent
    top = find_top(folder if folder.is_dir() else Path())
    place = folder.resolve() / thresholds_file.name
    if not place.is_relative_to(top):
        raise UsageError(f"{thresholds_file} is not in the repository at {top}")
    return top, place.relative_to(top).as_posix()


def read_reviewed_head(review: Review) -> ThresholdFiles | None:
    """None where head has no thresholds.yaml. Raises BadInputError for one that is wrong."""
    return _read_side(review.head, review.file)


def read_reviewed_base(review: Review) -> ThresholdFiles | None:
    """None without a base. Raises BadInputError for a file that is wrong, NoThresholdsError for no file."""
    return None if review.base is None else demand_side(_read_side(review.base, review.file))


def demand_head(review: Review) -> ThresholdFiles:
    """Head's side. Raises BadInputError where it is wrong, or not there."""
    head = read_reviewed_head(review)
    if head is None:
        raise BadInputError(missing_file(review.file))
    return head


def check_unchanged(review: Review, thresholds: Thresholds) -> None:
    """Raises UsageError where ``thresholds`` are not those that were reviewed."""
    reviewed = review.head.text
    if reviewed is None or reviewed.splitlines() != thresholds.text.splitlines():
        raise UsageError(f"{review.file} was changed after it was reviewed: no step in between may edit it")


def encode_review(review: Review) -> bytes:
    """JSON, which `decode_review` reads."""
    return msgspec.json.encode(review)


def decode_review(content: bytes) -> Review:
    """Raises EvidenceError for what is none."""
    return decode_document(content, Review, name=REVIEW_FILE, schema=_SCHEMA, max_bytes=MAX_REVIEW_BYTES)


def _keep_side(repository: Path, file: str) -> _Side:
    try:
        side = read_side(repository, file)
    except (BadInputError, EvidenceError) as error:
        return _Side(problems=render_problems(list_problems(error, file)))
    return _Side() if side is None else _Side(text=side.thresholds.text, digests=dict(side.digests))


def _read_side(side: _Side, file: str) -> ThresholdFiles | None:
    if side.problems:
        raise BadInputError(*parse_problems(side.problems))
    if side.text is None:
        return None
    return ThresholdFiles(thresholds=parse_thresholds(side.text, file), digests=side.digests)
