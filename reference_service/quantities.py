"""Durations, rates and shares as they are written in the environment: ``3ms``, ``5/s``, ``10%``."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SECONDS_PER = {"ms": 0.001, "s": 1.0, "m": 60.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """``count`` in each ``period_s``; all of them may come at once."""

    count: int
    period_s: float


def parse_duration_s(text: str) -> float:
    """``250ms``, ``1.5s`` or ``2m`` as seconds. Raises ValueError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m)", text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no duration; write for instance 250ms, 1.5s or 2m")
    return float(match[1]) * _SECONDS_PER[match[2]]


def parse_rate(text: str) -> Rate:
    """``5/s`` or ``100/m``. Raises ValueError."""
    match = re.fullmatch(r"([1-9]\d*)/(s|m)", text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no rate; write for instance 5/s or 100/m")
    return Rate(count=int(match[1]), period_s=_SECONDS_PER[match[2]])


def parse_share(text: str) -> float:
    """``5%`` as 0.05; above 0 and at most 100 %. Raises ValueError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)%", text.strip())
    share = float(match[1]) / 100 if match else 0.0
    if not 0 < share <= 1:
        raise ValueError(f"{text!r} is no share; write for instance 5%")
    return share


def parse_count(text: str) -> int:
    """A whole number from 1. Raises ValueError."""
    if not re.fullmatch(r"[1-9]\d*", text.strip()):
        raise ValueError(f"{text!r} is no whole number from 1")
    return int(text)
