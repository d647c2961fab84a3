"""Two sides under the same load at the same time: simulated with the noise of a shared machine, and recorded.

tests/data/duet.npz holds five minutes each of a recorded duet on a busy 2-core machine, 100 users: ``aa`` ran
the same code on both sides beside other work; in ``ab`` head burned 0.3 ms of CPU more in every request. Per
request: minute, side (0 base), endpoint, start within the minute in ms, response time in microseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import lfilter

from ci_gate.judge.compare.windows import Phase, SideSamples

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

START_S = 1_700_000_000.0
ENDPOINTS = ("POST /orders", "GET /orders/{id}", "GET /orders")
MINUTES = 5
_RECORDED = Path(__file__).parents[1] / "data" / "duet.npz"
_STEP_S = 0.25

Duet = tuple[SideSamples, SideSamples]


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Noise on the logarithm of response times. Levels follow AR(1) in steps of 1 s."""

    shared_sd: float = 0.4
    shared_memory: float = 0.9
    side_sd: float = 0.1
    side_memory: float = 0.3
    shared_burst_every_s: float = 8.0  # 1.5 s long, five times slower, both sides
    side_burst_every_s: float = 60.0  # 3 s long, three times slower, one side


QUIET = Noise(shared_sd=0.1, side_sd=0.02, shared_burst_every_s=1e9, side_burst_every_s=1e9)
BUSY = Noise()
HOSTILE = Noise(side_sd=0.15, side_memory=0.5, side_burst_every_s=30.0)


def phase(duration_s: float) -> Phase:
    return Phase(begin_s=START_S, end_s=START_S + duration_s)


def simulate(
    rng: np.random.Generator, duration_s: float, noise: Noise = BUSY, *, users: int = 50, slower: float = 1.0
) -> Duet:
    """Each side's users wait 0.5 to 2 s between requests; head is ``slower`` times as slow."""
    steps = int(duration_s / _STEP_S)
    level = _walk(rng, steps, noise.shared_sd, noise.shared_memory)
    level += _bursts(rng, steps, noise.shared_burst_every_s, 1.5, 5.0)
    return tuple(_side(rng, duration_s, level, noise, users, factor) for factor in (1.0, slower))


def _side(
    rng: np.random.Generator,
    duration_s: float,
    shared: NDArray[np.float64],
    noise: Noise,
    users: int,
    factor: float,
) -> SideSamples:
    level = shared + _walk(rng, shared.size, noise.side_sd, noise.side_memory)
    level += _bursts(rng, shared.size, noise.side_burst_every_s, 3.0, 3.0)
    waits_s = rng.uniform(0.5, 2, (users, int(duration_s / 0.5)))
    start_s = (waits_s.cumsum(axis=1) - rng.uniform(0, 2, (users, 1))).ravel()
    start_s = start_s[(start_s >= 0) & (start_s < duration_s)]
    endpoint = rng.choice(3, start_s.size, p=[0.6, 0.2, 0.2])
    service_ms = np.array([2.9, 2.3, 4.2])[endpoint] * np.exp(rng.normal(0, 0.35, start_s.size))
    response_ms = factor * service_ms * np.exp(level[(start_s / _STEP_S).astype(int)])
    response_ms *= np.where(rng.random(start_s.size) < 0.02, 5, 1)
    made = rng.random(start_s.size) < 1250 / (1250 + response_ms)  # who waits for a reply sends nothing
    return side(endpoint[made], start_s[made], response_ms[made])


def side(
    endpoint: NDArray[np.integer], start_s: NDArray[np.float64], response_ms: NDArray[np.float64]
) -> SideSamples:
    """Successes only; ``start_s`` counts from the start of the phase."""
    return SideSamples(
        endpoint=endpoint,
        intended_s=START_S + start_s,
        latency_ms=response_ms,
        success=np.ones(endpoint.size, dtype=bool),
    )


def change_response(samples: SideSamples, change: Callable[[NDArray, NDArray], NDArray]) -> SideSamples:
    """``change`` maps seconds since the start of the phase, and response times, to new response times."""
    return replace(samples, latency_ms=change(samples.intended_s - START_S, samples.latency_ms))


def load_minutes(name: str) -> list[Duet]:
    """The five recorded minutes of ``aa`` or ``ab``."""
    with np.load(_RECORDED) as file:
        minute, which, endpoint, start_ms, response_us = file[name]
    return [
        tuple(
            side(endpoint[rows], start_ms[rows] / 1000, response_us[rows] / 1000)
            for rows in ((minute == index) & (which == number) for number in (0, 1))
        )
        for index in range(MINUTES)
    ]


def cut(duet: Duet, start_s: float, end_s: float, *, move_to_s: float = 0.0, swap: bool = False) -> Duet:
    """The part of a duet between two times, moved to begin at ``move_to_s``."""
    span = Phase(begin_s=START_S + start_s, end_s=START_S + end_s)
    parts = [samples.within(span) for samples in duet]
    moved = [replace(part, intended_s=part.intended_s - start_s + move_to_s) for part in parts]
    return tuple(reversed(moved)) if swap else tuple(moved)


def join(*duets: Duet) -> Duet:
    return tuple(_concatenate([duet[number] for duet in duets]) for number in (0, 1))


def _concatenate(parts: list[SideSamples]) -> SideSamples:
    return SideSamples(
        endpoint=np.concatenate([part.endpoint for part in parts]),
        intended_s=np.concatenate([part.intended_s for part in parts]),
        latency_ms=np.concatenate([part.latency_ms for part in parts]),
        success=np.concatenate([part.success for part in parts]),
    )


def resample(
    rng: np.random.Generator, minutes: list[Duet], duration_s: float, *, piece_s: float = 15.0
) -> Duet:
    """A run of any length from pieces of recorded minutes, the sides of each piece swapped by a coin."""
    pieces = []
    for position in np.arange(0.0, duration_s, piece_s):
        first = rng.uniform(0, 60 - piece_s)
        duet = minutes[rng.integers(len(minutes))]
        pieces.append(cut(duet, first, first + piece_s, move_to_s=position, swap=bool(rng.integers(2))))
    return join(*pieces)


def _walk(rng: np.random.Generator, steps: int, sd: float, memory: float) -> NDArray[np.float64]:
    shocks = rng.normal(0, sd * np.sqrt(1 - memory**2), int(steps * _STEP_S) + 101)
    return np.repeat(lfilter([1], [1, -memory], shocks)[100:], int(1 / _STEP_S))[:steps]


def _bursts(
    rng: np.random.Generator, steps: int, every_s: float, length_s: float, gain: float
) -> NDArray[np.float64]:
    level = np.zeros(steps)
    begin_s = rng.exponential(every_s)
    while begin_s < steps * _STEP_S:
        end_s = begin_s + rng.exponential(length_s)
        level[int(begin_s / _STEP_S) : int(end_s / _STEP_S) + 1] += np.log(gain) * rng.uniform(0.5, 1.5)
        begin_s = end_s + rng.exponential(every_s)
    return level
