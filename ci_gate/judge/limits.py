"""Judges each absolute limit on the steady phase of head."""

from __future__ import annotations

from typing import Literal

from ci_gate.judge.quantiles import MIN_TAIL_SAMPLES, compute_quantile, needed_samples
from ci_gate.judge.summary import SteadyPhase
from ci_gate.readings import StrictValue
from ci_gate.thresholds import Limit


class LimitResult(StrictValue, frozen=True):
    """One limit and what was measured, both in the limit's unit (ms, share, per second).

    ``unproven``: too few samples to say. ``samples`` are the successes for a latency, else all requests;
    ``needed`` is how many of them the metric takes.
    """

    endpoint: str
    metric: str
    bound: float
    text: str
    line: int | None
    is_floor: bool
    measured: float | None
    samples: int
    needed: int
    outcome: Literal["kept", "breached", "unproven"]


def judge_limit(limit: Limit, steady: SteadyPhase) -> LimitResult:
    """Compare one limit with the steady phase; equality keeps a limit."""
    rows = steady.rows_of(limit.endpoint)
    successes = steady.latency_ms[rows & steady.success]
    requests = int(rows.sum())
    quantile = limit.quantile
    measured: float | None
    if quantile is not None:
        samples, needed, measured = (
            len(successes),
            needed_samples(quantile),
            compute_quantile(successes, quantile),
        )
    else:
        samples, needed, measured = (
            requests,
            MIN_TAIL_SAMPLES,
            _measure_counts(limit.metric, len(successes), requests, steady),
        )
    return LimitResult(
        endpoint=limit.endpoint,
        metric=limit.metric,
        bound=limit.bound,
        text=limit.text,
        line=limit.at.line if limit.at else None,
        is_floor=limit.is_floor,
        measured=measured,
        samples=samples,
        needed=needed,
        outcome=_compare(limit, measured if samples >= needed else None),
    )


def _measure_counts(metric: str, successes: int, requests: int, steady: SteadyPhase) -> float | None:
    if not requests or not steady.duration_s:
        return None
    if metric == "rate":
        return successes / steady.duration_s
    return successes / requests if metric == "successes" else 1 - successes / requests


def _compare(limit: Limit, measured: float | None) -> Literal["kept", "breached", "unproven"]:
    if measured is None:
        return "unproven"
    kept = measured >= limit.bound if limit.is_floor else measured <= limit.bound
    return "kept" if kept else "breached"
