"""Duet against base-then-head against alternating rounds: on one machine, in one run, turn by turn.

One pair of services and two Locusts are kept warm for the whole run. In each turn they are loaded in three
ways for the same time: both at once (duet), base for the first half and head for the second (sequential),
and in turn for 5 s each (rounds); a side that is not to be loaded has its Locust stopped. What was in flight
when a side was stopped, and the first 2 s after it went on, do not count. Per design, the table shows the
scatter of head against base, how often a change of more than the tolerance was read, and for the duet also
what the gate decides.

    python -m benchmarks.designs [--turns 8] [--seconds 40] [--noise] [--faults extra_cpu=0.2ms]
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import random
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import psutil
from numpy.typing import NDArray
from tabulate import tabulate

from benchmarks.pairs import load_thresholds, run_pairs
from ci_gate.judge.duet import compare_at
from ci_gate.judge.looks import Look
from ci_gate.judge.summary import SteadyPhase, select_steady_phase
from ci_gate.measure.load_run import Job

SETTLE_S = 2.0
ROUND_S = 7.0  # 5 s that count
QUANTILES = (0.50, 0.95, 0.99)
DESIGNS = ("duet", "sequential", "rounds")


@dataclass(frozen=True)
class Span:
    """One side under load for a while, in one turn of one design."""

    turn: int
    design: str
    side: int
    start_s: float
    end_s: float


def sides_on(design: str, passed_s: float, seconds: float) -> tuple[bool, bool]:
    """Whether base and head are to be loaded ``passed_s`` into a design of ``seconds``."""
    if design == "duet":
        return True, True
    second = passed_s >= seconds / 2 if design == "sequential" else int(passed_s / ROUND_S) % 2 == 1
    return not second, second


class Director:
    """Stops and continues the two Locusts by the plan, and notes the spans."""

    def __init__(self, turns: int, seconds: float, warm_s: float) -> None:
        self._turns, self._seconds, self._warm_s = turns, seconds, warm_s
        self._on: list[float | None] = [None, None]
        self._at: tuple[int, str] | None = None
        self.spans: list[Span] = []

    def direct(self, jobs: list[tuple[Job, int]], passed_s: float) -> bool:
        """Called every second; True once all turns are over."""
        into_s = passed_s - self._warm_s
        if into_s < 0:
            return False
        number, rest_s = divmod(into_s, self._seconds)
        turn, design = divmod(int(number), len(DESIGNS))
        at = (turn, DESIGNS[design])
        wanted = sides_on(at[1], rest_s, self._seconds) if turn < self._turns else (True, True)
        generators = [find_generator(job) for job, _ in jobs]
        for side, generator in enumerate(generators):
            if self._on[side] is not None and (not wanted[side] or at != self._at):
                self._end(side)
            if wanted[side] and self._on[side] is None:
                generator.send_signal(signal.SIGCONT)
                self._on[side] = time.time()
            elif not wanted[side]:
                generator.send_signal(signal.SIGSTOP)
        if at != self._at:
            print(f"turn {turn + 1} of {self._turns}: {at[1]}", file=sys.stderr, flush=True)
        self._at = at
        return turn >= self._turns

    def _end(self, side: int) -> None:
        begun = self._on[side]
        if self._at and begun is not None and self._at[0] < self._turns:
            self.spans.append(Span(*self._at, side, begun + SETTLE_S, time.time()))
        self._on[side] = None


def find_generator(job: Job) -> psutil.Process:
    """The Locust that writes to the job's folder."""
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if str(job.folder.resolve()) in child.cmdline():
                return child
    raise RuntimeError(f"no Locust for {job.folder}")


def times_of(side: SteadyPhase, spans: list[Span]) -> NDArray[np.float64]:
    """Response times of successes that began and ended within the spans."""
    start = side.samples["start_s"]
    end = start + side.samples["response_ms"] / 1000
    inside = np.zeros(len(start), dtype=np.bool_)
    for span in spans:
        inside |= (start >= span.start_s) & (end < span.end_s)
    return np.asarray(side.latency_ms[inside & side.success], dtype=np.float64)


def make_noise(stop: float, seed: int) -> None:
    """Burn one core in bursts of 0.2 to 3 s, with pauses of the same kind, until ``stop`` (monotonic)."""
    draw = random.Random(seed)  # noqa: S311 - noise
    while time.monotonic() < stop:
        until = time.monotonic() + draw.uniform(0.2, 3)
        while time.monotonic() < until:
            pass
        time.sleep(draw.uniform(0.2, 3))


@contextlib.contextmanager
def noise(seconds: float, *, wanted: bool) -> Iterator[None]:
    """Two processes that each keep a core busy half of the time."""
    context = multiprocessing.get_context("fork")
    stop = time.monotonic() + seconds
    makers = [
        context.Process(target=make_noise, args=(stop, seed), daemon=True) for seed in range(2 * wanted)
    ]
    for maker in makers:
        maker.start()
    try:
        yield
    finally:
        for maker in makers:
            maker.kill()
            maker.join()


def main() -> None:
    """Run, then print one row per design and percentile, and what the gate says of each duet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenario", default="concurrent-deployments")
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=42)
    parser.add_argument("--tolerance", type=float, default=0.10)
    parser.add_argument("--noise", action="store_true")
    parser.add_argument("--faults", default="", help="of head")
    options = parser.parse_args()
    thresholds = load_thresholds()
    scenario = thresholds.scenario(options.scenario)
    assert scenario is not None
    warm_s = 20.0
    total_s = warm_s + options.turns * options.seconds * len(DESIGNS)
    director = Director(options.turns, options.seconds, warm_s)
    with noise(total_s + 30, wanted=options.noise):
        ((base, head),) = run_pairs(
            thresholds,
            scenario,
            pairs=1,
            duration_s=total_s + 30,
            head_faults=options.faults,
            on_second=director.direct,
        )
    sides = select_steady_phase(base, scenario.accept), select_steady_phase(head, scenario.accept)
    rows = []
    for design in DESIGNS:
        logs = np.array(
            [
                [
                    np.log(
                        np.quantile(times_of(sides[1], pick(director.spans, turn, design, 1)), quantile)
                        / np.quantile(times_of(sides[0], pick(director.spans, turn, design, 0)), quantile)
                    )
                    for quantile in QUANTILES
                ]
                for turn in range(options.turns)
            ]
        )
        for column, quantile in enumerate(QUANTILES):
            seen = logs[:, column]
            over = np.mean(np.expm1(seen) > options.tolerance)
            change, scatter = np.expm1(np.median(seen)), np.std(seen, ddof=1)
            rows.append((design, f"p{quantile * 100:g}", f"{change:+.1%}", f"{scatter:.1%}", f"{over:.0%}"))
    headers = ("design", "metric", "median change", "standard deviation", f"over {options.tolerance:.0%}")
    print(f"faults of head: {options.faults or 'none'}; noise: {'on' if options.noise else 'off'}; ", end="")
    print(f"{options.turns} turns of {options.seconds:g} s per design\n")
    print(tabulate(rows, headers=headers, tablefmt="github"))
    print_duets(director.spans, sides, options.turns)


def pick(spans: list[Span], turn: int, design: str, side: int) -> list[Span]:
    """The spans of one side in one turn of one design."""
    return [span for span in spans if (span.turn, span.design, span.side) == (turn, design, side)]


def print_duets(spans: list[Span], sides: tuple[SteadyPhase, SteadyPhase], turns: int) -> None:
    """What the gate's own comparison says of the whole requests, turn by turn."""
    thresholds = load_thresholds()
    scenario = thresholds.scenarios[0]
    print("\nthe gate's comparison of each duet (all requests): change, and whether it is called real")
    for turn in range(turns):
        both = [pick(spans, turn, "duet", side)[0] for side in (0, 1)]
        begin_s, end_s = max(span.start_s for span in both), min(span.end_s for span in both)
        look = Look(duration_s=end_s - begin_s, alpha=thresholds.compare.alpha, share=1.0, is_last=True)
        comparison = compare_at(look, begin_s, sides, scenario, thresholds.compare)
        said = [
            f"{change.metric} {change.change:+.1%}{' real' if change.is_real else ''}"
            for change in comparison.changes
            if change.endpoint == "all"
        ]
        print(f"  {turn + 1}: {', '.join(said)}")


if __name__ == "__main__":
    main()
