"""A limit in words: what was measured, what is allowed, and how much of it is used."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from ci_gate.judge.limits import LimitResult
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.verdict import ScenarioVerdict
from ci_gate.report.cells import format_bound, format_measured
from ci_gate.wording import format_number

_TIMES: Final = 2.0  # from here on a multiple reads better than a percentage


def describe_limit(limit: LimitResult) -> str:
    """``was 512 ms, must be at most 300ms: 70.7 % above it``."""
    if limit.outcome == Outcome.INVALID:
        measured = "not measured" if limit.measured is None else format_measured(limit)
        lacking = "readings" if limit.lacks_readings else "samples"
        return f"was {measured} (too few {lacking}), must be {format_bound(limit)}"
    excess = describe_excess(limit)
    measured = f"{format_measured(limit)}{describe_when(limit)}"
    return f"was {measured}, must be {format_bound(limit)}{excess and f': {excess}'}"


def describe_excess(limit: LimitResult) -> str:
    """By how much a limit is broken, or how much of it is used; empty where neither can be computed."""
    used = share_of_limit(limit)
    if used is None:
        return "it allows none" if limit.outcome == Outcome.FAIL else ""
    if limit.is_floor:
        return f"{_percent(1 - used)} too little" if used < 1 else f"{_percent(used)} of the floor"
    if used >= _TIMES:
        return f"{format_number(used)} times the limit"
    return f"{_percent(used - 1)} above it" if used > 1 else f"{_percent(used)} of the limit"


def _percent(share: float) -> str:
    return f"{format_number(share * 100)} %"


def share_of_limit(limit: LimitResult) -> float | None:
    """Measured / bound; None without either."""
    return limit.measured / limit.bound if limit.bound > 0 and limit.measured is not None else None


def find_tightest(scenarios: Sequence[ScenarioVerdict]) -> tuple[ScenarioVerdict, LimitResult, float] | None:
    """The kept limit nearest to its bound with its scenario, and the share of it that is used (0 to 1)."""
    used = [
        (scenario, limit, share)
        for scenario in scenarios
        for limit in scenario.limits
        if limit.outcome == Outcome.PASS and (share := share_used(limit))
    ]
    return max(used, key=lambda each: each[2], default=None)


def share_used(limit: LimitResult) -> float | None:
    """How much of a limit is used, above 1 where it is broken; of a floor the reverse. None: not known."""
    share = share_of_limit(limit)
    if share is None or not limit.is_floor:
        return share
    return 1 / share if share else math.inf


def format_share_used(share: float) -> str:
    """``71 %``; ``39x`` from twice the limit on."""
    return f"{share * 100:.0f} %" if share < _TIMES else f"{format_number(share)}x"


def describe_when(limit: LimitResult) -> str:
    """``, from second 18 of the phase on``, of a window that broke a limit; empty for all others."""
    if limit.begins_s is None or limit.outcome != Outcome.FAIL:
        return ""
    return f", from second {limit.begins_s:.0f} of the phase on"
