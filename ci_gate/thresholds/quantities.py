"""Numbers with units, as thresholds.yaml and the command line write them: ``200ms``, ``1%``, ``512MiB``.

One grammar for all: a decimal number without sign, exponent or needless leading zero, at most nine digits
before the point and six after it, followed at once by its unit. thresholds.schema.json repeats it as
patterns.
Arithmetic is decimal, so ``0.3s`` is 300.0 ms and ``99.9%`` is the float nearest to 0.999.
"""

from __future__ import annotations

import re
from decimal import Decimal

_NUMBER_AND_UNIT = re.compile(r"((?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,6})?)([A-Za-z%/]{1,3})")

DURATION_UNITS_MS = {"ms": Decimal(1), "s": Decimal(1000), "m": Decimal(60_000), "h": Decimal(3_600_000)}
PERCENT_UNITS = {"%": Decimal("0.01")}
RATE_UNITS_PER_S = {"/s": Decimal(1)}
BYTE_UNITS = {
    "B": Decimal(1),
    "kB": Decimal(1000),
    "MB": Decimal(1000**2),
    "GB": Decimal(1000**3),
    "KiB": Decimal(1024),
    "MiB": Decimal(1024**2),
    "GiB": Decimal(1024**3),
}


def parse_duration_ms(text: str) -> float:
    """Milliseconds: ``1.5s`` is 1500.0. Raises ValueError that says what is allowed."""
    return float(_parse(text, "a duration", DURATION_UNITS_MS))


def parse_duration_s(text: str) -> float:
    """Seconds: ``5m`` is 300.0. Raises ValueError that says what is allowed."""
    return float(_parse(text, "a duration", DURATION_UNITS_MS) / 1000)


def parse_percentage(text: str) -> float:
    """A ratio: ``150%`` is 1.5. Raises ValueError that says what is allowed."""
    return float(_parse(text, "a percentage", PERCENT_UNITS))


def parse_share(text: str) -> float:
    """A ratio from 0 to 1: ``1%`` is 0.01. Raises ValueError that says what is allowed."""
    share = parse_percentage(text)
    if share > 1:
        raise ValueError(f"{_shorten(text)} is not a share: from 0% to 100%")
    return share


def parse_rate_per_s(text: str) -> float:
    """Per second: ``50/s`` is 50.0. Raises ValueError that says what is allowed."""
    return float(_parse(text, "a rate", RATE_UNITS_PER_S))


def parse_bytes(text: str) -> int:
    """Bytes, rounded down: ``1.5KiB`` is 1536. Raises ValueError that says what is allowed."""
    return int(_parse(text, "a byte size", BYTE_UNITS))


def parse_mib(text: str) -> float:
    """Mebibytes: ``512MiB`` is 512.0. Raises ValueError that says what is allowed."""
    return float(_parse(text, "a byte size", BYTE_UNITS) / 1024**2)


def _parse(text: str, what: str, units: dict[str, Decimal]) -> Decimal:
    match = _NUMBER_AND_UNIT.fullmatch(text)
    factor = units.get(match[2]) if match else None
    if match is None or factor is None:
        allowed = ", ".join(units)
        raise ValueError(f"{_shorten(text)} is not {what}: a number followed at once by a unit ({allowed})")
    return Decimal(match[1]) * factor


def _shorten(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")  # noqa: PLR2004  fits in one line of output
