"""Whether a change touches what is measured, by the paths that an adopter names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ci_gate.github.review import Review
from ci_gate.run.git import has_changed


def split_paths(text: str) -> tuple[str, ...]:
    """Git's pathspecs, one a line; () where none is named."""
    return tuple(filter(None, map(str.strip, text.splitlines())))


def touches_nothing(review: Review, paths: Sequence[str], repository: Path) -> bool:
    """Whether nothing differs from base in ``paths``, in thresholds.yaml and in the files beside it.

    Those are what locustfiles may read, workflows and actions. False without paths, without a base, and where
    thresholds.yaml is missing or wrong: then there is something to say. ``repository`` is the folder in which
    the paths begin. Raises UsageError for a path that is no file's, OutsideError where git fails.
    """
    if not paths or review.base is None or review.head.text is None:
        return False
    return not has_changed(review.base_commit, paths, repository) and review.head == review.base
