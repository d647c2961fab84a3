"""What the service's own log says most often went wrong, for failures whose reason only the service knows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from ci_gate.addresses import HIDDEN, hide_credentials
from ci_gate.evidence.log_errors import LogErrors
from ci_gate.judge.texts import fold_texts
from ci_gate.wording import count

OF_THE_LOG: Final = "service.log, "
"""What the sentence begins with, among the numbers of a cause."""
_MAX_LENGTH: Final = 200
_EXCEPTION_WEIGHT: Final = 2  # it says what happened; other lines of one error often only say where
_SECRET: Final = re.compile(
    r"""( (?:password | passwd | pwd | secret | token | api[_-]?key | session[_-]?id | cookie | authorization)
        ['"]? \s{0,3} [=:] \s{0,3} ) (?: (?:bearer|basic) \s{1,3} )? (?: "[^"]+ | '[^']+ | [^\s,;&"')\]}]+ )
    | ( \b (?:bearer|basic) \s{1,3} ) [\w.~+/=-]{8,} """,
    re.VERBOSE | re.IGNORECASE,
)


def describe_log_errors(errors: LogErrors) -> Iterator[str]:
    """The commonest error of the log with how often it stands there, and how many other kinds there are.

    Lines that differ by numbers and ids alone are one kind; secrets are hidden. Nothing where there is no
    error. That it is what the replies failed of is not said: the log does not know which reply it is of.
    """
    exceptions, others = _fold(errors.exceptions), _fold(errors.others)
    kinds = len(exceptions) + len(others)
    if not kinds:
        return
    best = max((exceptions[:1], _EXCEPTION_WEIGHT), (others[:1], 1), key=_weigh)[0]
    text, times = best[0]
    shown = text if len(text) <= _MAX_LENGTH else f"{text[:_MAX_LENGTH]}…"
    at_least = "at least " if errors.is_cut else ""
    more = f"; {count(kinds - 1, 'other kind')} of errors" if kinds > 1 else ""
    yield f"{OF_THE_LOG}{at_least}{times:,} x: {shown}{more}"


def _weigh(weighted: tuple[list[tuple[str, int]], int]) -> int:
    kinds, weight = weighted
    return kinds[0][1] * weight if kinds else 0


def _fold(lines: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    return fold_texts((_hide(text), times) for text, times in lines)


def _hide(text: str) -> str:
    return _SECRET.sub(lambda found: f"{found[1] or found[2]}{HIDDEN}", hide_credentials(text))
