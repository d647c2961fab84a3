"""Which of the endpoints that were called may be meant by a name that was not."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

from ci_gate.wording import count

MAX_NAMES: Final = 5
_MIN_LIKENESS: Final = 0.4
_MAX_COMPARED: Final = 200  # where each path is a name of its own, none of them is the one


def describe_called(endpoint: str, called: Iterable[str]) -> str:
    """``called instead: GET /b, POST /a``: the nearest first, at most MAX_NAMES; none: says so."""
    names = sorted({*called})
    if not names:
        return "nothing else was called either"
    compared = names[:_MAX_COMPARED]
    near = difflib.get_close_matches(endpoint, compared, n=MAX_NAMES, cutoff=_MIN_LIKENESS)
    shown = [*near, *(name for name in names if name not in near)][:MAX_NAMES]
    more = f", and {count(len(names) - len(shown), 'other')}" if len(names) > len(shown) else ""
    return f"called instead: {', '.join(shown)}{more}"
