"""Numbers as text, the same in every report."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from ci_gate.judge.limits import LimitResult
from ci_gate.wording import DIGITS, format_exact, format_number

NOTHING = "-"
_MAX_DIGITS: Final = 18  # a float has no more
_BOUND_DIGITS: Final = 6
_LONG_NUMBER: Final = re.compile(r"\d{7}")  # GitHub would take it for a commit
_MIN_SHARE: Final = 0.0001


def format_ms(value: float | None, digits: int = DIGITS) -> str:
    """``7.2 ms``, ``312 ms``, ``1,234 ms``: three digits are enough to read, the verdict uses all."""
    return NOTHING if value is None else f"{format_number(value, digits)} ms"


def format_rate(value: float | None, digits: int = DIGITS) -> str:
    """Per second."""
    return NOTHING if value is None else f"{format_number(value, digits)}/s"


def format_share(value: float | None, digits: int = DIGITS) -> str:
    """A share from 0 to 1 in percent; one that is not 0 never reads as 0 %."""
    if value is None:
        return NOTHING
    if 0 < value < _MIN_SHARE and digits == DIGITS:
        return "< 0.01 %"
    return f"{format_number(value * 100, digits)} %"


def format_measured(limit: LimitResult) -> str:
    """What was measured for a limit, in its unit, with as many digits as show on which side of it that is."""
    show = {"rate": format_rate, "failures": format_share, "successes": format_share}.get(
        limit.metric, format_ms
    )
    if limit.measured is None or limit.outcome == "unproven":
        return show(limit.measured)
    texts = [show(limit.measured, digits) for digits in range(DIGITS, _MAX_DIGITS)]
    telling = (text for text in texts if _tells(text, limit) and not _LONG_NUMBER.search(text))
    is_beyond = limit.measured < limit.bound if limit.is_floor else limit.measured > limit.bound
    if limit.outcome == "breached" and is_beyond:
        return next(
            telling, f"just {'below' if limit.is_floor else 'above'} {show(limit.bound, _BOUND_DIGITS)}"
        )
    return next(telling, texts[0])


def _tells(shown: str, limit: LimitResult) -> bool:
    """Whether the text alone says that the limit is kept, or that it is broken."""
    number, unit = shown.removeprefix("< ").replace("/s", " /s").split()
    size = Fraction(number.replace(",", "")) / (100 if unit == "%" else 1)
    bound = Fraction(repr(limit.bound))
    is_above = size >= bound if limit.is_floor else size > bound
    if shown.startswith("<") and 0 < bound < size:
        return False
    return is_above == ((limit.outcome == "kept") is limit.is_floor)


def format_bound(limit: LimitResult) -> str:
    """``at most 200ms``, ``at least 50/s``; the bound as its author wrote it."""
    return f"at {'least' if limit.is_floor else 'most'} {limit.text}"


def format_percent(ratio: float) -> str:
    """A ratio that somebody has written, in percent: all of its digits."""
    return f"{format_exact(ratio * 100)} %"
