"""Trends as a line of text: a picture of blocks, and in words what it shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from ci_gate.judge.verdict import ScenarioVerdict
from ci_gate.report.cells import format_ms, format_rate
from ci_gate.report.detail import keep_together
from ci_gate.report.document import Piece, Rank
from ci_gate.report.escape import code_span
from ci_gate.wording import count

_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_GAP: Final = "·"


def make_trends(scenarios: Sequence[ScenarioVerdict]) -> Piece:
    """For each scenario p95 and rate over its steady phase, with their ranges in words."""
    lines = tuple(
        f"- {code_span(scenario.name)}\n"
        f"  - p95 {_describe(trend.p95_ms, format_ms)}\n"
        f"  - rate {_describe(trend.rate_per_s, format_rate)}"
        for scenario in scenarios
        if (trend := scenario.trend)
    )
    return Piece(items=lines, noun="trend", rank=Rank.FINDINGS, head="**Over the steady phase**\n")


def draw_sparkline(values: Sequence[float | None]) -> str:
    """A block for each value, as high as its share of the highest; a dot for None.

    The foot is 0 and not the lowest value, so that what hardly moved looks flat.
    """
    highest = max((value for value in values if value is not None), default=0.0)
    return "".join(_GAP if value is None else _BLOCKS[_level(value, highest)] for value in values)


def _level(value: float, highest: float) -> int:
    return round(max(value, 0.0) / highest * (len(_BLOCKS) - 1)) if highest > 0 else 0


def _describe(values: Sequence[float | None], show: Callable[[float | None], str]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "unknown, for nothing succeeded"
    low, high = keep_together(show(min(known))), keep_together(show(max(known)))
    said = low if low == high else f"{low} to {high}"
    without = len(values) - len(known)
    gaps = f" (no success in {without} of {count(len(values), 'slice')})" if without else ""
    return f"{code_span(draw_sparkline(values))} {said}{gaps}"
