"""Services made in memory: what their functions cost is known, and so is what a sampler would have seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ci_gate.evidence.recording import CODE_BASE, CODE_HEAD
from ci_gate.evidence.stacks import STACKS_CPU, STACKS_WALL, Frame, Stacks
from ci_gate.judge.code.difference import compare_code
from ci_gate.judge.steady import classify
from tests.judge.evidence_values import make_machine_reading
from tests.judge.recordings import BEGIN_S, DURATION_S, make_recording, make_rows

RATE_PER_S = 60
CPU_PERIOD_S, WALL_PERIOD_S = 0.01, 0.02
THREADS = 8
SERVER = Frame(name="serve", file="/usr/lib/python3.12/socketserver.py", line=230)
IDLE = Frame(name="select", file="/usr/lib/python3.12/selectors.py", line=415)
MAIN = Frame(name="<module>", file="service.py", line=30)
HANDLER = Frame(name="handle", file="service.py", line=12)
LIBRARY = Frame(name="dumps", file="/app/.venv/lib/python3.12/site-packages/fast/json.py", line=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A function and what it costs for each success; ``in_library`` of it is in a library that it calls."""

    name: str
    file: str = "shop.py"
    line: int = 10
    cpu_ms: float = 0.0
    waiting_ms: float = 0.0
    in_library: float = 0.0
    called_by: str | None = None


def make_side(codes, *, seed=1, **changes):
    """A classified recording of a service that is made of these functions."""
    rng = np.random.default_rng(seed)
    successes = RATE_PER_S * int(DURATION_S)
    cpu_ms = sum(code.cpu_ms for code in codes)
    machine = tuple(
        make_machine_reading(at, service_cpu_s=max(at - 995, 0) * RATE_PER_S * cpu_ms / 1000)
        for at in np.arange(BEGIN_S - 5, BEGIN_S + DURATION_S + 3)
    )
    recording = make_recording(
        make_rows(2, np.full(successes, 20.0)),
        machine=machine,
        stacks={STACKS_CPU: sample_cpu(codes, rng), STACKS_WALL: sample_wall(codes, rng)},
        **changes,
    )
    return classify(recording, ())


def sample_cpu(codes, rng):
    """One thread's stacks while it was on a CPU."""
    frames, stacks = lay_out(codes)
    weights = np.array([code.cpu_ms for code in codes])
    count = rng.poisson(weights.sum() / 1000 * RATE_PER_S * DURATION_S / CPU_PERIOD_S)
    chosen = rng.choice(len(codes), count, p=weights / weights.sum()) if count else []
    samples = tuple(pick(codes, stacks, place, rng) for place in chosen)
    return Stacks(frames=frames, threads=(samples,), period_s=CPU_PERIOD_S)


def sample_wall(codes, rng):
    """All threads' stacks: most of them wait for the next request."""
    frames, stacks = lay_out(codes)
    busy = np.array([(code.cpu_ms + code.waiting_ms) / 1000 * RATE_PER_S / THREADS for code in codes])
    weights = np.array([*busy, max(1 - busy.sum(), 0)])
    ticks = int(DURATION_S / WALL_PERIOD_S)
    idle = (frames.index(MAIN), frames.index(SERVER), frames.index(IDLE))
    threads = tuple(
        tuple(
            idle if place == len(codes) else pick(codes, stacks, place, rng)
            for place in rng.choice(len(weights), ticks, p=weights / weights.sum())
        )
        for _ in range(THREADS)
    )
    return Stacks(frames=frames, threads=threads, period_s=WALL_PERIOD_S)


def lay_out(codes):
    """The frames, and of each function its stack without a library."""
    frames = [MAIN, SERVER, IDLE, HANDLER, LIBRARY]
    places = {}
    for code in codes:
        places[code.name] = len(frames)
        frames.append(Frame(name=code.name, file=code.file, line=code.line))
    of = {code.name: code for code in codes}

    def stack(code):
        above = stack(of[code.called_by]) if code.called_by else (0, 1, 3)
        return (*above, places[code.name])

    return tuple(frames), [stack(code) for code in codes]


def pick(codes, stacks, place, rng):
    is_library = rng.random() < codes[place].in_library
    return (*stacks[place], 4) if is_library else stacks[place]


def compare(base, head, *, seed=1):
    """What is found of two services."""
    sides = {CODE_BASE: make_side(base, seed=seed), CODE_HEAD: make_side(head, seed=seed + 1000)}
    return compare_code(sides, None)
