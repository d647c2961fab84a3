"""Which branches a workflow's filter lets through, by GitHub's patterns. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any


def find_filtered_out(filters: Mapping[str, Any], branch: str) -> str:
    """The name of the filter that keeps events of ``branch`` out; empty where none does."""
    if "branches" in filters and not lets_through(listed(filters["branches"]), branch):
        return "branches"
    ignored = listed(filters.get("branches-ignore"))
    return "branches-ignore" if lets_through(ignored, branch) else ""


def is_of_named_branches(filters: Mapping[str, Any]) -> bool:
    """Whether only pushes to branches of these names pass: no pattern, and no tag."""
    names = listed(filters.get("branches"))
    return bool(names) and all(re.fullmatch(r"[\w./-]+", name) for name in names) and "tags" not in filters


def lets_through(patterns: Sequence[str], branch: str) -> bool:
    """Whether the last pattern that matches is none with ``!``; nothing passes where none matches."""
    is_through = False
    for pattern in patterns:
        if _compile(pattern.removeprefix("!")).fullmatch(branch):
            is_through = not pattern.startswith("!")
    return is_through


def listed(value: object) -> list[str]:
    """What a workflow may write as one name or as a list of them."""
    if isinstance(value, list):
        return [str(item) for item in value]
    return [value] if isinstance(value, str) else []


def _compile(pattern: str) -> re.Pattern[str]:
    """``*`` stands for anything but ``/``, ``**`` for anything; ``?`` and ``+`` are of what stands before.

    A pattern that makes no sense matches only itself.
    """
    words = re.findall(r"\*\*|\\.|\[[^\]]+\]|.", pattern, re.DOTALL)
    special = {"**": ".*", "*": "[^/]*", "?": "?", "+": "+"}
    parts = [special.get(word) or (word if _is_class(word) else re.escape(word[-1])) for word in words]
    try:
        return re.compile("".join(parts), re.DOTALL)
    except re.error:
        return re.compile(re.escape(pattern))


def _is_class(word: str) -> bool:
    return len(word) > 1 and word.startswith("[")
