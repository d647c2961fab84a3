"""The stages of a load that follows a shape: where the number of users is steady, and what they showed."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Final

import numpy as np

from ci_gate.evidence.ranges import Count, Quantity
from ci_gate.evidence.readings import Reading, StrictValue
from ci_gate.judge.quantiles import compute_percentiles
from ci_gate.judge.steady import SteadyPhase

MIN_STAGE_S: Final = 5.0
"""A stage that is shorter shows nothing by itself; what it measured is judged with all the rest."""

_MAX_STAGES: Final = 200


class StageSummary(StrictValue, frozen=True):
    """One stage; ``begin_s`` counts from the beginning of the steady phase. Latencies are of successes."""

    begin_s: Quantity
    duration_s: Quantity
    users: Count
    requests: Count
    successes: Count
    rate_per_s: Quantity
    p50_ms: Quantity | None
    p95_ms: Quantity | None
    p99_ms: Quantity | None


def find_stages(readings: Iterable[Reading]) -> tuple[tuple[Reading, ...], ...]:
    """Runs of readings under one target of users, each from the first at which all of them were there."""
    stages: list[tuple[Reading, ...]] = []
    for target, group in groupby(readings, key=lambda reading: reading.target_users):
        under = tuple(group)
        first = next((i for i, each in enumerate(under) if sum(each.users.values()) == target), None)
        if target and first is not None:
            stages.append(under[first:])
    return tuple(stages)


def summarise_stages(steady: SteadyPhase, readings: Iterable[Reading]) -> tuple[StageSummary, ...]:
    """A row for each stage of `MIN_STAGE_S` or more, in order; () where no shape decides."""
    within = (each for each in readings if steady.begin_s < each.wall_s < steady.end_s)
    stages = find_stages(within)
    long = [stage for stage in stages if stage[-1].wall_s - stage[0].wall_s >= MIN_STAGE_S]
    return tuple(_summarise(steady, stage) for stage in long[:_MAX_STAGES])


def _summarise(steady: SteadyPhase, stage: tuple[Reading, ...]) -> StageSummary:
    begin_s, end_s = stage[0].wall_s, stage[-1].wall_s
    sent_s = steady.samples["intended_s"]
    rows = (sent_s >= begin_s) & (sent_s < end_s)
    times_ms = np.sort(steady.latency_ms[rows & steady.success])
    return StageSummary(
        begin_s=begin_s - steady.begin_s,
        duration_s=end_s - begin_s,
        users=stage[0].target_users or 0,
        requests=int(rows.sum()),
        successes=len(times_ms),
        rate_per_s=len(times_ms) / (end_s - begin_s),
        **compute_percentiles(times_ms),
    )
