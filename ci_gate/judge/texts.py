"""Error texts that differ by numbers and ids alone are one text, with a count."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from ci_gate.evidence.readings import ErrorCount
from ci_gate.wording import count

_ID: Final = re.compile(
    r"""
    (?P<status> \b (?:status|code|http(?:/[\d.]+)?|errno|error|got|answered|returned)
        \W{0,3} (?:code|is|was|of)? \W{0,3} [1-5]\d\d (?!\w) )  # 404 and 500 are two errors
    | (?P<id> [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}
        | (?<![^\W_]) (?=[a-z]*[0-9]) (?=[0-9]*[a-z]) [0-9a-z]{8,}
        | [0-9]+ (?:\.[0-9]+)? )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_VARIES: Final = "*"


def fold_texts(counted: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """Texts with how often each came, the most frequent first.

    Of texts that differ by numbers, UUIDs and other ids alone there is one, with a ``*`` for what differs. An
    HTTP status that is called one is no such number.
    """
    folded: dict[tuple[str, ...], tuple[tuple[str, ...], int]] = {}
    for text, times in counted:
        between, ids = _split(text)
        known, total = folded.get(between, (ids, 0))
        same = (one if one == other else _VARIES for one, other in zip(known, ids, strict=True))
        folded[between] = tuple(same), total + times
    texts = [(_join(between, ids), total) for between, (ids, total) in folded.items()]
    return sorted(texts, key=lambda pair: -pair[1])


def describe_errors(errors: Iterable[ErrorCount]) -> str:
    """The most frequent of them with how often it came, and how many more kinds there are."""
    (text, times), *others = fold_texts((each.error, each.count) for each in errors)
    more = f", and {count(len(others), 'other error')}" if others else ""
    return f"{times:,} x {text}{more}"


def _split(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What stands before, between and after the ids in a text, and the ids."""
    between, ids, end = [], [], 0
    for found in _ID.finditer(text):
        if found["id"]:
            between.append(text[end : found.start()])
            ids.append(found["id"])
            end = found.end()
    return (*between, text[end:]), tuple(ids)


def _join(between: tuple[str, ...], ids: tuple[str, ...]) -> str:
    return "".join(part for pair in zip(between, (*ids, ""), strict=True) for part in pair)
