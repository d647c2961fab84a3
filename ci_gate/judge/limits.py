"""Judges each absolute limit on the steady phase of head."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from ci_gate.evidence.ranges import Count, Quantity
from ci_gate.evidence.readings import StrictValue
from ci_gate.judge.quantiles import compute_quantile, count_needed
from ci_gate.judge.steady import SteadyPhase
from ci_gate.thresholds import Limit


class LimitResult(StrictValue, frozen=True):
    """One limit and what was measured, both in the limit's unit (ms, share, per second).

    ``unproven``: too few samples to say. ``samples`` are the successes for a latency, else all requests;
    ``needed`` is how many of them the metric takes.
    """

    endpoint: str
    metric: str
    bound: Quantity
    text: str
    line: Count | None
    is_floor: bool
    measured: Quantity | None
    samples: Count
    needed: Count
    outcome: Literal["kept", "breached", "unproven"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What was measured for a limit, and on how many samples; None where nothing was.

    A share is a fraction of counts, so that equality is exact: in floating point, 1 - 990/1000 is above 1 %.
    """

    measured: float | Fraction | None
    samples: int


def judge_limit(limit: Limit, steady: SteadyPhase) -> LimitResult:
    """Compare one limit with the steady phase; equality keeps a limit."""
    rows = steady.rows_of(limit.endpoint)
    successes = steady.latency_ms[rows & steady.success]
    if limit.quantile is not None:
        measured = compute_quantile(successes, limit.quantile)
        return judge_figure(limit, Figure(measured=measured, samples=len(successes)))
    requests = int(rows.sum())
    if not requests or not steady.duration_s:
        return judge_figure(limit, Figure(measured=None, samples=requests))
    if limit.metric == "rate":
        return judge_figure(limit, Figure(measured=len(successes) / steady.duration_s, samples=requests))
    counted = len(successes) if limit.metric == "successes" else requests - len(successes)
    return judge_figure(limit, Figure(measured=Fraction(counted, requests), samples=requests))


def judge_figure(limit: Limit, figure: Figure) -> LimitResult:
    """Compare one limit with what was measured, wherever that comes from."""
    needed = count_needed(limit.quantile)
    measured = figure.measured
    return LimitResult(
        endpoint=limit.endpoint,
        metric=limit.metric,
        bound=limit.bound,
        text=limit.text,
        line=limit.at.line if limit.at else None,
        is_floor=limit.is_floor,
        measured=None if measured is None else float(measured),
        samples=figure.samples,
        needed=needed,
        outcome=_compare(limit, measured if figure.samples >= needed else None),
    )


def _compare(limit: Limit, measured: float | Fraction | None) -> Literal["kept", "breached", "unproven"]:
    if measured is None:
        return "unproven"
    bound = limit.exact_bound if isinstance(measured, Fraction) else limit.bound
    kept = measured >= bound if limit.is_floor else measured <= bound
    return "kept" if kept else "breached"
