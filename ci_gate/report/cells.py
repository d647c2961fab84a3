"""Numbers as text, the same in every report."""

from __future__ import annotations

from ci_gate.judge.limits import LimitResult

NOTHING = "-"


def format_ms(value: float | None) -> str:
    """``7.2 ms``, ``312 ms``, ``1,234 ms``: three digits are enough to read, the verdict uses all."""
    return NOTHING if value is None else f"{format_number(value)} ms"


def format_rate(value: float | None) -> str:
    """Per second."""
    return NOTHING if value is None else f"{format_number(value)}/s"


def format_share(value: float | None) -> str:
    """A share from 0 to 1 in percent; one that is not 0 never reads as 0 %."""
    if value is None:
        return NOTHING
    return "0 %" if value == 0 else "< 0.01 %" if 0 < value < 0.0001 else f"{value * 100:.3g} %"  # noqa: PLR2004


def format_measured(limit: LimitResult) -> str:
    """What was measured for a limit, in the limit's unit."""
    if limit.metric == "rate":
        return format_rate(limit.measured)
    return format_ms(limit.measured) if limit.metric.startswith("p") else format_share(limit.measured)


def format_bound(limit: LimitResult) -> str:
    """``at most 200ms``, ``at least 50/s``; the bound as its author wrote it."""
    return f"at {'least' if limit.is_floor else 'most'} {limit.text}"


def format_number(value: float) -> str:
    """Three digits, and all of those before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits
