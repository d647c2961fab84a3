"""Numbers and counts as text: the same in every message, and never with an exponent."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

DIGITS: Final = 3
NOTHING: Final = "-"
"""What stands for a figure that there is not."""
_MIN_SHOWN: Final = 0.0001


def format_number(value: float, digits: int = DIGITS) -> str:
    """So many digits, and all of those before the point: ``7.24``, ``312``, ``1,234``, ``< 0.0001``."""
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    if value and abs(value) < _MIN_SHOWN and digits == DIGITS:
        return "< 0.0001" if value > 0 else "> -0.0001"
    return format(Decimal(f"{value or 0.0:.{digits}g}"), ",f")  # -0.0 is written as 0


def add_sign(value: float, size: str) -> str:
    """``+2.3``, ``-2.3``: ``size``, the text of the number without its sign, after that sign.

    Without one where the text is of nothing (``0.0``), or only of less than something.
    """
    shows_more = any(digit in size for digit in "123456789") and not size.startswith("<")
    return f"{'-' if value < 0 else '+'}{size}" if shows_more else size


def format_exact(value: float) -> str:
    """As short as it can be written in full: ``0.5``, ``30``, ``1000000``."""
    return format(Decimal(f"{value:.12g}"), "f")


def in_percent(share: float, digits: int = 0) -> str:
    """``58 %`` for the share 0.58, with so many digits after the point."""
    return f"{100 * share:.{digits}f} %"


def count(number: int, noun: str, nouns: str = "") -> str:
    """``1 limit``, ``2 limits``, ``1,234 replies`` where ``nouns`` is irregular."""
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def format_mib(size_bytes: int) -> str:
    """``54 MiB``."""
    return f"{size_bytes / 2**20:,.0f} MiB"
