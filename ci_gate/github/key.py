"""The word that tells several gates of one repository apart: in artifacts, comments and groups."""

from __future__ import annotations

import re
from typing import Final

from ci_gate.errors import UsageError

DEFAULT_KEY: Final = "load-gate"
_KEY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}")


def check_key(key: str) -> str:
    """The key itself. Raises UsageError for one that can be no part of an artifact's name."""
    if not _KEY.fullmatch(key):
        raise UsageError(f"key takes 1 to 61 letters, digits, dots, hyphens and underscores, and not {key!a}")
    return key


def name_artifact(key: str) -> str:
    """The artifact that holds the verdict of this gate."""
    return f"{key}-verdict"


def name_timeline_artifact(key: str) -> str:
    """The artifact that holds what its charts are drawn from."""
    return f"{key}-timeline"


def name_history_artifact(key: str) -> str:
    """The artifact that holds the history of a branch, as this gate measures it."""
    return f"{key}-history"
