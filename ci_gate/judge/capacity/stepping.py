"""Which load to try next, and when there is nothing more to learn: decided from the steps so far alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from ci_gate.evidence.readings import StrictValue
from ci_gate.judge.capacity.knee import locate_knee
from ci_gate.judge.capacity.load_step import Step
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.validity.rules import RULES, codes_at_fault
from ci_gate.thresholds import metric_of

MAX_STEPS: Final = 20
STEPS_BEYOND: Final = 2
"""Steps in a row whose throughput does not grow, before the knee is taken to lie below them."""

_MAX_LENGTHENING: Final = 5.0  # times the usual duration, for limits that take many samples
_SPARE: Final = 1.2
_FINE_ENOUGH: Final = 1.2  # ratio of the loads between which a limit begins to break
_KNEE_FINE_ENOUGH: Final = 1.5
_GROWS: Final = 0.25
_OF_GENERATOR: Final = codes_at_fault("generator")  # Locust, and not the service, was at its end
_CHANCE: Final = codes_at_fault("generator", "machine")  # something else on the machine may have caused it
_FINAL: Final = frozenset(rule.code for rule in RULES if rule.is_final)

Ending = Literal["knee", "failures", "generator", "invalid", "most", "unfinished"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Climb:
    """The loads to try: from ``lowest``, times ``growth`` each, up to ``highest``; ``least`` can be asked."""

    lowest: int
    highest: int
    least: int
    growth: float
    duration_s: float


class NextStep(StrictValue, frozen=True):
    """One step to be measured. ``why`` is for who watches."""

    load: int
    duration_s: float
    why: str


class Ended(StrictValue, frozen=True):
    """Why no larger load was tried, in a word and in a sentence."""

    by: Ending
    why: str


def choose_next(steps: Sequence[Step], climb: Climb) -> NextStep | None:
    """The next step, or None when nothing is left to learn.

    First up, by a constant factor; then between the largest load that kept the limits and the smallest that
    did not, and beside the knee, by the geometric mean. A step that is needed to prove limits lasts as long
    as its requests have to be counted, at most five times as long as the others.
    """
    steps = sorted(steps, key=lambda step: step.name)
    if not steps:
        return NextStep(load=climb.lowest, duration_s=climb.duration_s, why="the lightest load")
    if len(steps) >= MAX_STEPS or {finding.code for finding in steps[-1].findings} & _FINAL:
        return None
    top = _climbed(steps)[-1]
    if top is steps[-1] and _may_be_chance(top) and not _is_repeated(steps, top.load):
        why = f"again: [{top.invalid[0].code}]"
        return NextStep(load=round(top.load), duration_s=climb.duration_s, why=why)
    if top.load < climb.highest and explain_end(steps) is None:
        load = min(math.ceil(top.load * climb.growth), climb.highest)
        return NextStep(load=load, duration_s=climb.duration_s, why="up")
    return _refine_limits(steps, climb) or _refine_knee(steps, climb)


def explain_end(steps: Sequence[Step]) -> Ended | None:
    """Why no load larger than the largest was worth trying; None if there is no such reason."""
    climbed = _climbed(steps)
    if not climbed:
        return None
    top = climbed[-1]
    if top.outcome == Outcome.INVALID:
        return _explain_invalid(top)
    if any(metric_of(limit.metric).is_share for limit in top.breaches):
        return Ended(by="failures", why=f"{100 * (top.failure_share or 0.0):.1f} % of all requests failed")
    beyond = list(pairwise(step for step in count_once(climbed) if step.outcome != Outcome.INVALID))
    beyond = beyond[-STEPS_BEYOND:]
    if len(beyond) < STEPS_BEYOND or any(_grows(before, after) for before, after in beyond):
        return None
    if any(_slows(before, after) for before, after in beyond):
        return Ended(by="knee", why="throughput had stopped growing, while replies got slower")
    why = "throughput stopped growing while replies were as fast as before: the load did not arrive"
    return Ended(by="generator", why=why)


def count_once(steps: Sequence[Step]) -> list[Step]:
    """One step per load, in the order of loads: of a load that was measured again, the last."""
    latest = {step.load: step for step in sorted(steps, key=lambda step: step.name)}
    return [latest[load] for load in sorted(latest)]


def find_first_broken(steps: Sequence[Step]) -> Step | None:
    """The lightest load that broke a limit, or the one that could not be measured and so ended the climb.

    None where neither was seen; a generator at its end says nothing about the service.
    """
    broken = [step for step in count_once(steps) if step.outcome == Outcome.FAIL]
    ended = explain_end(steps)
    if not broken and ended and ended.by == "invalid":
        return _climbed(steps)[-1]
    return broken[0] if broken else None


def _climbed(steps: Sequence[Step]) -> list[Step]:
    """The steps up to the first that was lighter than the one before it, as they were measured."""
    ordered = sorted(steps, key=lambda step: step.name)
    turns = (number for number, pair in enumerate(pairwise(ordered), 1) if pair[1].load < pair[0].load)
    return ordered[: next(turns, len(ordered))]


def _may_be_chance(step: Step) -> bool:
    codes = {finding.code for finding in step.invalid}
    return bool(codes) and codes <= _CHANCE


def _is_repeated(steps: Sequence[Step], load: float) -> bool:
    return sum(step.load == load for step in steps) > 1


def _explain_invalid(step: Step) -> Ended:
    generator = [finding for finding in step.invalid if finding.code in _OF_GENERATOR]
    if generator:
        return Ended(by="generator", why=f"the load generator was at its end: {generator[0].message}")
    return Ended(by="invalid", why=f"[{step.invalid[0].code}] {step.invalid[0].message}")


def _grows(before: Step, after: Step) -> bool:
    """By more than a quarter of what the load grew, on the scale of ratios."""
    return after.rate_per_s > before.rate_per_s * math.pow(after.load / before.load, _GROWS)


def _slows(before: Step, after: Step) -> bool:
    return (after.mean_ms or math.inf) > (before.mean_ms or 0.0)


def _refine_limits(steps: Sequence[Step], climb: Climb) -> NextStep | None:
    """Narrow the loads between which a limit begins to break."""
    once, first = count_once(steps), find_first_broken(steps)
    trusted = [step.load for step in once if step.outcome != Outcome.INVALID]
    if first is None:
        return _prove(steps, trusted[-1], climb) if trusted else None
    if not _is_repeated(steps, first.load) and any(
        step.outcome == Outcome.PASS and step.load > first.load for step in once
    ):
        return _plan(steps, round(first.load), climb, "again: a larger load kept the limits")
    below = [load for load in trusted if load < first.load]
    if not below:
        load = max(math.floor(first.load / climb.growth), climb.least)
        can_be_lower = first.outcome == Outcome.FAIL and load < first.load
        return _plan(steps, load, climb, "down: the lightest load broke a limit") if can_be_lower else None
    last = max(below)
    load = round(math.sqrt(last * first.load))
    if first.load / last > _FINE_ENOUGH and last < load < first.load:
        return _plan(steps, load, climb, f"limits begin to break between {last:,.0f} and {first.load:,.0f}")
    return _prove(steps, last, climb)


def _prove(steps: Sequence[Step], load: float, climb: Climb) -> NextStep | None:
    """The same load once more and for longer, where its limits were not proven for want of samples."""
    there = [step for step in steps if step.load == load]
    if there[-1].outcome != Outcome.INCONCLUSIVE or len(there) > 1:
        return None
    planned = _plan(steps, round(load), climb, "again and longer: its limits take more samples")
    return planned if planned.duration_s > _SPARE * there[-1].duration_s else None


def _refine_knee(steps: Sequence[Step], climb: Climb) -> NextStep | None:
    """One more load on either side of where the knee seems to be."""
    knee = locate_knee(steps)
    loads = sorted({step.load for step in steps if step.is_measured})
    if knee is None or knee >= loads[-1]:
        return None
    if knee < loads[0]:
        load = max(math.floor(loads[0] / climb.growth), climb.least)
        why = "down: throughput does not grow from the lightest load on"
        return _plan(steps, load, climb, why) if load < loads[0] else None
    low, high = next(pair for pair in pairwise(loads) if pair[0] <= knee < pair[1])
    load = round(math.sqrt(low * high))
    if high / low <= _KNEE_FINE_ENOUGH or not low < load < high:
        return None
    return NextStep(load=load, duration_s=climb.duration_s, why=f"the knee seems to be near {knee:,.0f}")


def _plan(steps: Sequence[Step], load: int, climb: Climb, why: str) -> NextStep:
    """Long enough for every percentile, if requests come as fast per load as in the nearest step."""
    nearest = min(steps, key=lambda step: abs(math.log(step.load / load)))
    longest_s = climb.duration_s
    for limit in nearest.limits:
        if metric_of(limit.metric).is_percentile and limit.samples:
            per_s = limit.samples / nearest.duration_s * min(load / nearest.load, 1.0)
            longest_s = max(longest_s, _SPARE * limit.needed / per_s)
    duration_s = math.ceil(min(longest_s, _MAX_LENGTHENING * climb.duration_s))
    return NextStep(load=load, duration_s=float(duration_s), why=why)
