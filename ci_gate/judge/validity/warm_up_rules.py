"""The validity rule about the warm-up: was the service as fast in the first half of the phase as later?

Compilers that work while a service runs, and caches that fill, make its first replies slow, and have it work
more for each. Other programs make replies slow as well, and of 20 recorded minutes on a noisy machine 6
looked like a warm-up by their latencies alone; but they do not have the service use more CPU for a reply.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ci_gate.evidence.readings import MachineReading
from ci_gate.judge.distributions import t_tail
from ci_gate.judge.validity.findings import Rule, RuleInput, Stage, Violation
from ci_gate.wording import format_number, in_percent

STILL_WARMING: Final = "still-warming"
_MIN_BLOCK_S: Final = 2.0
_MAX_BLOCKS: Final = 24
_MIN_BLOCKS: Final = 12
_MIN_IN_BLOCK: Final = 20  # a p50 takes as many
_MIN_SLOWER: Final = 1.2
_LEVEL: Final = 0.001
_SLACK: Final = 1.05  # between quarters: what decays does not rise again
_SLACK_OF_ALL: Final = 0.25  # or by so much of the logarithm of how much slower the first half is
_STEADY: Final = 1.1  # of the last quarter
MIN_DEARER: Final = 1.2
_SHARE_OF_LIMIT: Final = 0.05
_WARMUP_STEP_S: Final = 5.0
_MIN_READINGS: Final = 10  # of the service's CPU


@dataclass(frozen=True, slots=True, kw_only=True)
class Warming:
    """How much slower the first half of a phase was than the second, in ms at p50.

    ``steady_after_s`` is of the phase, None where it was not steady before its last quarter.
    """

    first_ms: float
    second_ms: float
    steady_after_s: float | None


def _find_warming(rule_input: RuleInput) -> Iterator[Violation]:
    if rule_input.plan.shape:
        return  # its load is not the same at its begin and at its end
    steady = rule_input.steady
    bounds_ms = [limit.bound for limit in rule_input.scenario.limits if limit.metric.is_percentile]
    if rule_input.scenario.limits and not bounds_ms:
        return  # no limit speaks of latency
    times_s = steady.samples["intended_s"][steady.success]
    latency_ms = steady.latency_ms[steady.success]
    warming = measure_warming(times_s, latency_ms, steady.begin_s, steady.duration_s)
    if warming is None:
        return
    dearer = compare_cpu(rule_input.recording.machine, times_s, steady.begin_s, steady.end_s)
    if dearer is None or dearer < MIN_DEARER:
        return
    slower_ms = warming.first_ms - warming.second_ms
    if slower_ms < _SHARE_OF_LIMIT * min(bounds_ms, default=0.0):
        return
    first, second = (f"{format_number(ms)} ms" for ms in (warming.first_ms, warming.second_ms))
    slower = f"{in_percent(warming.first_ms / warming.second_ms - 1)} slower"
    cpu = f"each success took {in_percent(dearer - 1)} more CPU of the service"
    message = f"the p50 of the first half was {first}, of the second {second} ({slower}), and {cpu}"
    yield "service", f"{message}; {_advise(rule_input, warming)}"


def _advise(rule_input: RuleInput, warming: Warming) -> str:
    after_s = warming.steady_after_s
    known_s = rule_input.plan.warmup_s + (rule_input.steady.duration_s if after_s is None else after_s)
    enough = f"warmup: {math.ceil(known_s / _WARMUP_STEP_S) * _WARMUP_STEP_S:.0f}s"
    if after_s is None:
        return f"it was not steady before the end: {enough} or more"
    return f"it was steady after {after_s:.0f} s: {enough} would do"


def measure_warming(
    times_s: NDArray[np.float64], latency_ms: NDArray[np.float64], begin_s: float, duration_s: float
) -> Warming | None:
    """The warming that successes show, each due at ``times_s``; None where there is none.

    By the logarithms of the medians of equal blocks: the first half is reliably slower, by `_MIN_SLOWER`
    at least, and no quarter is slower than the one before it by more than noise.
    """
    count = min(_MAX_BLOCKS, int(duration_s / _MIN_BLOCK_S)) // 4 * 4
    if count < _MIN_BLOCKS:
        return None
    place = times_s - begin_s  # and from here on in place: there may be millions
    place /= duration_s
    place *= count
    index = np.minimum(place, count - 1, out=place).astype(np.uint8)
    del place
    blocks = [latency_ms[index == number] for number in range(count)]
    if min(block.size for block in blocks) < _MIN_IN_BLOCK:
        return None
    logs = np.log(np.maximum([np.median(block) for block in blocks], 1e-3))
    first, second = logs[: count // 2], logs[count // 2 :]
    quarters = logs.reshape(4, -1).mean(axis=1)
    slower = float(first.mean() - second.mean())
    rises = bool((np.diff(quarters) > max(math.log(_SLACK), _SLACK_OF_ALL * slower)).any())
    if rises or slower < math.log(_MIN_SLOWER) or _p_value(logs) > _LEVEL:
        return None
    return Warming(
        first_ms=math.exp(float(first.mean())),
        second_ms=math.exp(float(second.mean())),
        steady_after_s=_find_steady(logs, float(quarters[-1]), duration_s / count),
    )


def _p_value(logs: NDArray[np.float64]) -> float:
    """One-sided, that the first half is not slower.

    The scatter is that of neighbours (von Neumann 1941, Annals of Mathematical Statistics 12:367), which what
    changes slowly does not widen.
    """
    half = logs.size // 2
    deviation = math.sqrt(max(float((np.diff(logs) ** 2).mean()) / 2, 1e-12))
    slower = float(logs[:half].mean() - logs[half:].mean())
    return t_tail(-slower / (deviation * math.sqrt(2 / half)), logs.size - 2)


def _find_steady(logs: NDArray[np.float64], level: float, block_s: float) -> float | None:
    """After how long no three blocks together are slower than the last quarter any more."""
    smooth = np.convolve(logs, np.ones(3) / 3, "valid")
    slow = np.flatnonzero(smooth > level + math.log(_STEADY))
    after = int(slow[-1]) + 2 if slow.size else 0
    return None if after > logs.size * 3 // 4 else after * block_s


def compare_cpu(
    machine: Sequence[MachineReading], times_s: NDArray[np.float64], begin_s: float, end_s: float
) -> float | None:
    """The service's CPU per success in the first half of a phase over that in the second; None: not known.

    ``times_s`` are when successes began, in Unix seconds like the bounds of the phase.
    """
    known = [
        (reading.wall_s, reading.service_cpu_s) for reading in machine if reading.service_cpu_s is not None
    ]
    middle_s = (begin_s + end_s) / 2
    first, second = int((times_s < middle_s).sum()), int((times_s >= middle_s).sum())
    if len(known) < _MIN_READINGS or not first or not second:
        return None
    at_s, used_s = np.array(known).T
    parts_s = np.diff(np.interp([begin_s, middle_s, end_s], at_s, used_s))
    return float(parts_s[0] / first / (parts_s[1] / second)) if parts_s[1] > 0 else None


WARM_UP_RULES: Final = (
    Rule(
        code=STILL_WARMING,
        severity="insufficient",
        stage=Stage.PHASE,
        find=_find_warming,
        meaning="the service was still getting faster: what was measured is its warm-up",
        threshold_text=f"the first half slower at p50 by {_MIN_SLOWER - 1:.0%} and by {_SHARE_OF_LIMIT:.0%} "
        f"of the tightest latency limit, with p <= {_LEVEL}, and {MIN_DEARER - 1:.0%} more of the service's "
        "CPU per success; in phases of 24 s or more",
        remedy="a longer warmup in the profile, as long as the message says",
    ),
)
