r"""Whether, of two equal versions, the service that is started first is slower, and why.

Fresh pairs of equal versions, one at a time, with drawn order; each round has every arm once, in drawn order:

    in turn      start and reset the first, then start and reset the second, as a run does
    at once      both are started and reset at the same time (the one that is named first is drawn)
    dummy        a third service is started and reset before both, and idles beside them
    apart        15 s between the two
    reset last   both are started; then the second is reset, and the first after it
    pause        15 s between the second's reset and the load
    one core     both services may use the first core alone

A line for each pair is appended as soon as it is over, so that a series may be cut off and gone on with:

    python -m benchmarks.first_start --out FILE [--rounds 3] [--arms "in turn" "at once"] [--noise]
    python -m benchmarks.first_start --out FILE --table [--calibrated FOLDER...]

``--calibrated`` adds those in folders of `ci-gate calibrate`, which starts both sides as a run does.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy as np
import psutil
from scipy import stats
from tabulate import tabulate

from benchmarks.noise import noise
from benchmarks.pairs import REPOSITORY, find_scenario, load_thresholds, plan_pair, record_jobs
from ci_gate.cli.options import service_environment
from ci_gate.evidence.readings import StrictValue
from ci_gate.evidence.recording import (
    DUET_BASE,
    DUET_HEAD,
    LineWriter,
    Recording,
    read_recording,
    read_recordings,
    read_run,
)
from ci_gate.evidence.strict_json import read_lines
from ci_gate.judge.resources import summarise_resources
from ci_gate.judge.steady import classify
from ci_gate.measure.load_run import Job
from ci_gate.service.environment import ServiceContext
from ci_gate.service.guard.watchdog import Watchdog
from ci_gate.service.reset import run_before_each
from ci_gate.service.running import RunningService
from ci_gate.service.start import start_service
from ci_gate.thresholds import Scenario, Thresholds, parse_thresholds

IDLE_S = 15.0
CALIBRATED = "in a run"
FIGURES = ("cpu_ms", "user_ms", "system_ms", "p50_ms", "p95_ms", "memory_mib")


class Side(StrictValue, frozen=True):
    """What one service of a pair showed; CPU is for each success."""

    cpu_ms: float
    user_ms: float | None  # of the whole load; None: not read
    system_ms: float | None
    p50_ms: float
    p95_ms: float
    memory_mib: float
    waited_ms: float


class Pair(StrictValue, frozen=True):
    """A line of the file."""

    arm: str
    scenario: str
    noise: bool
    load_average: float
    is_first_loaded_first: bool
    first: Side
    second: Side


Starter = Callable[[str], RunningService]


def start_in_turn(start: Starter, reset: Callable[[RunningService], None]) -> tuple[RunningService, ...]:
    """As a run does."""
    return start_apart(start, reset, 0.0)


def start_apart(
    start: Starter, reset: Callable[[RunningService], None], apart_s: float = IDLE_S
) -> tuple[RunningService, ...]:
    """With some seconds between the two."""
    first = start("first")
    reset(first)
    time.sleep(apart_s)
    second = start("second")
    reset(second)
    return first, second


def start_at_once(start: Starter, reset: Callable[[RunningService], None]) -> tuple[RunningService, ...]:
    """By two threads."""

    def start_one(name: str) -> RunningService:
        running = start(name)
        reset(running)
        return running

    with ThreadPoolExecutor(max_workers=2) as pool:
        return tuple(pool.map(start_one, ("first", "second")))


def start_after_a_dummy(
    start: Starter, reset: Callable[[RunningService], None]
) -> tuple[RunningService, ...]:
    """A third one is first, and gets no load."""
    reset(start("dummy"))
    return start_in_turn(start, reset)


def reset_last(start: Starter, reset: Callable[[RunningService], None]) -> tuple[RunningService, ...]:
    """The service that is started first is reset second."""
    first, second = start("first"), start("second")
    reset(second)
    reset(first)
    return first, second


def start_and_pause(start: Starter, reset: Callable[[RunningService], None]) -> tuple[RunningService, ...]:
    """Both idle for some seconds before the load."""
    both = start_in_turn(start, reset)
    time.sleep(IDLE_S)
    return both


def start_on_one_core(start: Starter, reset: Callable[[RunningService], None]) -> tuple[RunningService, ...]:
    """Where neither can have the better core."""
    both = start_in_turn(start, reset)
    core = min(os.sched_getaffinity(0))
    for running in both:
        for pid in running.process_ids():
            for task in Path(f"/proc/{pid}/task").iterdir():
                os.sched_setaffinity(int(task.name), {core})
    return both


ARMS: Mapping[str, Callable[..., tuple[RunningService, ...]]] = {
    "in turn": start_in_turn,
    "at once": start_at_once,
    "dummy": start_after_a_dummy,
    "apart": start_apart,
    "reset last": reset_last,
    "pause": start_and_pause,
    "one core": start_on_one_core,
}


def measure_pair(
    thresholds: Thresholds, scenario: Scenario, arm: str, seconds: float, *, noisy: bool
) -> Pair:
    """One fresh pair, loaded for so many seconds of steady phase."""
    draw = random.SystemRandom()
    first_loaded_first = draw.random() < 0.5  # noqa: PLR2004 - a coin
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        watchdog = stack.enter_context(Watchdog())

        def start(name: str) -> RunningService:
            placement = ServiceContext(
                side=name,
                repository=REPOSITORY,
                state_dir=folder / name / "state",
                log_path=folder / name / "service.log",
                environ=service_environment(),
            )
            return stack.enter_context(start_service(thresholds.service, placement, watchdog=watchdog))

        def reset(running: RunningService) -> None:
            run_before_each(running, watchdog=watchdog)

        services = ARMS[arm](start, reset)
        plan, _ = plan_pair(thresholds, scenario, seconds)
        plan = msgspec.structs.replace(plan, spawn_rate=max(plan.spawn_rate, 25.0), warmup_s=2.0)
        jobs = [
            Job(plan=plan, folder=folder / name / "load", service=service)
            for name, service in zip(("first", "second"), services, strict=True)
        ]
        stack.enter_context(noise(wanted=noisy))
        before = [read_times(service) for service in services]
        after: list[list[float]] = []

        def note() -> bool:
            after[:] = [read_times(service) for service in services]
            return False

        record_jobs(jobs if first_loaded_first else jobs[::-1], watchdog, note)
        sides = [
            summarise_side(read_recording(job.folder), scenario, [b - a for a, b in zip(*times, strict=True)])
            for job, times in zip(jobs, zip(before, after, strict=True), strict=True)
        ]
    return Pair(
        arm=arm,
        scenario=scenario.name,
        noise=noisy,
        load_average=os.getloadavg()[0],
        is_first_loaded_first=first_loaded_first,
        first=sides[0],
        second=sides[1],
    )


def read_times(service: RunningService) -> list[float]:
    """Seconds in the program and in the kernel, so far."""
    times = [psutil.Process(pid).cpu_times() for pid in service.process_ids()]
    return [sum(each.user for each in times), sum(each.system for each in times)]


def read_calibrated(folder: Path) -> Iterator[Pair]:
    """The pairs of a folder of `ci-gate calibrate`, whose order was drawn."""
    for place in sorted(path.parent for path in folder.glob("*/run.json")):
        info = read_run(place)
        recordings = read_recordings(place, info)
        plans = {(plan.scenario, plan.recording): plan for plan in info.recordings}
        for scenario in parse_thresholds(info.thresholds_text, info.thresholds_file).scenarios:
            names = [(scenario.name, name) for name in (DUET_BASE, DUET_HEAD)]
            if not all(name in recordings for name in names):
                continue
            names.sort(key=lambda name: not plans[name].service_first)
            first, second = (summarise_side(recordings[name], scenario) for name in names)
            yield Pair(
                arm=CALIBRATED,
                scenario=scenario.name,
                noise=False,
                load_average=math.nan,
                is_first_loaded_first=bool(plans[names[0]].load_first),
                first=first,
                second=second,
            )


def summarise_side(recording: Recording, scenario: Scenario, used_s: Sequence[float] = ()) -> Side:
    """Its figures in the steady phase; those of program and kernel, ``used_s``, of the whole load."""
    classified = classify(recording, scenario.accept)
    steady = classified.steady
    at_s = steady.samples["intended_s"][steady.success]
    figures = summarise_resources(steady.resources, at_s, steady.begin_s, steady.end_s)
    p50_ms, p95_ms = np.quantile(steady.latency_ms[steady.success], [0.5, 0.95])
    waited_s = sum(
        reading.service_waited_s or 0.0
        for reading in recording.machine
        if steady.begin_s < reading.wall_s <= steady.end_s
    )
    count = max(int(classified.success.sum()), 1)
    return Side(
        cpu_ms=figures.cpu_ms or math.nan,
        user_ms=1000 * used_s[0] / count if used_s else None,
        system_ms=1000 * used_s[1] / count if used_s else None,
        p50_ms=float(p50_ms),
        p95_ms=float(p95_ms),
        memory_mib=figures.memory_mib or math.nan,
        waited_ms=1000 * waited_s / max(len(at_s), 1),
    )


def render(pairs: Sequence[Pair]) -> str:
    """A row for each arm: the mean of ln(first / second), with its 95 % interval."""
    rows = []
    groups = {arm: [pair for pair in pairs if pair.arm == arm] for arm in (*ARMS, CALIBRATED)}
    groups["all but at once"] = [pair for pair in pairs if pair.arm != "at once"]
    for arm, mine in groups.items():
        if len(mine) > 1:
            rows.append((arm, str(len(mine)), *(_describe(mine, name) for name in FIGURES)))
    headers = ("arm", "pairs", *FIGURES)
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True)


def _describe(pairs: Sequence[Pair], name: str) -> str:
    figures = [(getattr(pair.first, name), getattr(pair.second, name)) for pair in pairs]
    logs = np.array([math.log(first / second) for first, second in figures if first and second])
    if logs.size <= 1:
        return "-"
    half = stats.t.ppf(0.975, logs.size - 1) * logs.std(ddof=1) / math.sqrt(logs.size)
    return f"{logs.mean():+.1%} +- {half:.1%}"


def plan_round(arms: Sequence[str]) -> Iterator[str]:
    """Every arm once, in drawn order."""
    yield from random.SystemRandom().sample([*arms], len(arms))


def main() -> None:
    """Measure pair by pair, append, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="pairs are appended here, one a line")
    parser.add_argument("--scenario", default="connector-scaling")
    parser.add_argument("--arms", nargs="+", default=[*ARMS], choices=[*ARMS])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0, help="of steady phase")
    parser.add_argument("--noise", action="store_true", help="two processes that burn CPU in bursts")
    parser.add_argument("--calibrated", type=Path, nargs="+", default=[], metavar="FOLDER")
    parser.add_argument("--table", action="store_true", help="measure nothing, print what the file holds")
    options = parser.parse_args()
    if not options.table:
        thresholds = load_thresholds()
        scenario = find_scenario(thresholds, options.scenario)
        for _ in range(options.rounds):
            for arm in plan_round(options.arms):
                began = time.monotonic()
                pair = measure_pair(thresholds, scenario, arm, options.seconds, noisy=options.noise)
                with LineWriter(options.out) as lines:
                    lines.write(pair)
                change = math.log(pair.first.cpu_ms / pair.second.cpu_ms)
                took_s = time.monotonic() - began
                print(f"{arm}, {took_s:.0f} s: CPU of the first {change:+.1%}", file=sys.stderr, flush=True)
    calibrated = [pair for folder in options.calibrated for pair in read_calibrated(folder)]
    print(render([*read_lines(options.out, Pair), *calibrated]))


if __name__ == "__main__":
    main()
