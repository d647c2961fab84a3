"""Measures one cell of the matrix of designs: several pairs of services, loaded by each design in turn."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from benchmarks.mirrored import read_mirrored, start_mirrored
from benchmarks.noise import noise
from benchmarks.pairs import REPOSITORY, SIDES, Pair, find_scenario, start_pairs
from benchmarks.power import judge_piece, with_tolerances
from ci_gate.evidence import Recording, read_recording
from ci_gate.judge.summary import SteadyPhase, select_steady_phase
from ci_gate.judge.windows import Phase, SideSamples, measure_percentile
from ci_gate.measure.load_run import Job, record
from ci_gate.readings import StrictValue
from ci_gate.request import service_environment
from ci_gate.thresholds import Scenario, Thresholds
from ci_gate.watchdog import Watchdog

QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
SETTLE_S = 2.0  # after a side was switched on
ROUND_S = 7.0  # 5 s that count
START_ALLOWANCE_S = 180.0
MIRRORED = "mirrored"
ALONE = {"base": ("base-a", "base-b"), "head": ("head-a", "head-b")}  # one side bears the whole load
BOTH = ("base-a", "head-a")


class Cell(StrictValue, frozen=True):
    """One fault under one load; ``pairs`` are the expected effect and the faults of base and of head."""

    name: str
    scenario: str
    users: int  # of one pair's whole load
    endpoint: str
    metric: str
    pairs: tuple[tuple[float, str, str], ...]


class Reading(StrictValue, frozen=True):
    """What one design read in one turn, or the gate in one duet: a line of the raw file.

    ``changes`` maps metrics to head / base - 1 of the whole turn, ``paired`` to the gate's estimate from
    paired windows where both sides ran at once. ``outcome`` is the gate's, after ``seconds`` of load.
    """

    cell: str
    noise: bool
    pair: int
    effect: float
    design: str
    turn: int
    seconds: float
    samples: tuple[int, int]
    changes: dict[str, float]
    paired: dict[str, float]
    outcome: str = ""


@dataclass(frozen=True, kw_only=True)
class Slot:
    """Which Locusts run for how long."""

    design: str
    turn: int
    on: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Span:
    """What counts of a slot, in Unix seconds."""

    slot: Slot
    start_s: float
    end_s: float


def plan_slots(turns: int, seconds: float, duet_s: float, *, mirrored: bool) -> list[Slot]:
    """Turns of each design but the duet, which comes in one piece in their middle."""
    slots = []
    for turn in range(turns):
        if turn == turns // 2:
            slots.append(Slot(design="duet", turn=0, on=BOTH, seconds=duet_s + SETTLE_S + 2))
        rounds = SIDES * round(seconds / ROUND_S / 2)
        slots += [Slot(design="sequential", turn=turn, on=ALONE[s], seconds=seconds / 2) for s in SIDES]
        slots += [Slot(design="rounds", turn=turn, on=ALONE[s], seconds=ROUND_S) for s in rounds]
        if mirrored:
            slots.append(Slot(design=MIRRORED, turn=turn, on=(MIRRORED,), seconds=seconds))
    return slots


class Director:
    """Stops and continues the Locusts of all pairs by the slots, all pairs alike."""

    def __init__(self, slots: Sequence[Slot], generators: dict[str, list[psutil.Process]]) -> None:
        self._generators = generators
        self._slots = iter(slots)
        self._slot: Slot | None = None
        self._since_s = 0.0
        self._until = 0.0
        self.spans: list[Span] = []

    def direct(self) -> bool:
        """Called every second; True once the last slot is over."""
        if time.monotonic() < self._until:
            return False
        if self._slot is not None:
            span = Span(slot=self._slot, start_s=self._since_s + SETTLE_S, end_s=time.time())
            self.spans.append(span)
        self._slot = next(self._slots, None)
        for name, processes in self._generators.items():
            is_on = self._slot is None or name in self._slot.on  # at the end all go on, to end by themselves
            for process in processes:
                process.send_signal(signal.SIGCONT if is_on else signal.SIGSTOP)
        self._since_s = time.time()
        self._until = time.monotonic() + (self._slot.seconds if self._slot else 0) - 0.5
        return self._slot is None


def measure_cell(
    thresholds: Thresholds,
    cell: Cell,
    *,
    noisy: bool,
    slots: Sequence[Slot],
) -> list[Reading]:
    """All readings of one cell."""
    scenario = find_scenario(thresholds, cell.scenario, users=cell.users)
    faults = [(base, head) for _, base, head in cell.pairs]
    total_s = sum(slot.seconds for slot in slots) + len(slots) + START_ALLOWANCE_S
    is_mirrored = any(slot.design == MIRRORED for slot in slots)
    with (
        Watchdog() as watchdog,
        start_pairs(thresholds, scenario, faults, duration_s=total_s, watchdog=watchdog) as pairs,
        contextlib.ExitStack() as stack,
    ):
        jobs = {
            name: [pair.job(SIDES.index(name[:4]), name) for pair in pairs]
            for name in (*ALONE["base"], *ALONE["head"])
        }
        mirrors = [
            stack.enter_context(start_mirrored(pair, pair.folder / MIRRORED, watchdog))
            for pair in pairs * is_mirrored
        ]
        stack.enter_context(noise(wanted=noisy))
        extra = {MIRRORED: [psutil.Process(mirror.pid) for mirror in mirrors]}
        spans = load(jobs, extra, pairs, slots, watchdog)
        return [
            reading
            for number, (pair, (effect, *_)) in enumerate(zip(pairs, cell.pairs, strict=True))
            for reading in read_pair(
                thresholds, scenario, cell, pair, spans, (number, effect, noisy, is_mirrored)
            )
        ]


def load(
    jobs: dict[str, list[Job]],
    extra: dict[str, list[psutil.Process]],
    pairs: Sequence[Pair],
    slots: Sequence[Slot],
    watchdog: Watchdog,
) -> list[Span]:
    """Put the load on by the slots, once every Locust is in its steady phase; what counts of each slot."""
    folders = [job.folder for named in jobs.values() for job in named]
    folders += [pair.folder / MIRRORED for pair in pairs if extra[MIRRORED]]
    began = time.monotonic()
    director: Director | None = None

    def on_second() -> bool:
        nonlocal director
        if director is None:
            if not all(is_steady(folder / "marks.jsonl") for folder in folders):
                assert time.monotonic() - began < START_ALLOWANCE_S, "the Locusts did not start"
                return False
            print(f"  loaded after {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
            generators = {name: [find_generator(job) for job in named] for name, named in jobs.items()}
            director = Director(slots, {**generators, **extra})
        return director.direct()

    record(
        tuple(job for named in jobs.values() for job in named),
        repository=REPOSITORY,
        environ=service_environment(),
        watchdog=watchdog,
        on_second=on_second,
    )
    return director.spans if director else []


def is_steady(marks: Path) -> bool:
    """Whether the Locust that writes these marks has all its users."""
    return marks.exists() and '"steady"' in marks.read_text(encoding="utf-8")


def find_generator(job: Job) -> psutil.Process:
    """The Locust that writes to the job's folder."""
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if str(job.folder.resolve()) in child.cmdline():
                return child
    raise RuntimeError(f"no Locust for {job.folder}")


def read_pair(
    thresholds: Thresholds,
    scenario: Scenario,
    cell: Cell,
    pair: Pair,
    spans: Sequence[Span],
    facts: tuple[int, float, bool, bool],
) -> Iterator[Reading]:
    """What each design read of one pair in each turn, and what the gate decides on its duet."""
    number, effect, noisy, is_mirrored = facts
    raw = {name: read_recording(pair.folder / name[:4] / name) for name in (*ALONE["base"], *ALONE["head"])}
    if is_mirrored:
        raw |= dict(
            zip((f"{MIRRORED}-base", f"{MIRRORED}-head"), read_mirrored(pair.folder / MIRRORED), strict=True)
        )
    phases = {name: select_steady_phase(recording, scenario.accept) for name, recording in raw.items()}

    def reading(design: str, turn: int, chosen: Sequence[Span], **more: object) -> Reading:
        sides = [pick(phases, cell.endpoint, chosen, side) for side in SIDES]
        return Reading(
            cell=cell.name, noise=noisy, pair=number, effect=effect, design=design, turn=turn,
            seconds=sum(span.end_s - span.start_s for span in chosen),
            samples=(sides[0].ok.size, sides[1].ok.size),
            changes=read_changes(sides[0], sides[1]),
            paired=read_paired(sides[0], sides[1], chosen) if len(chosen) == 1 else {},
            **more,  # type: ignore[arg-type]
        )  # fmt: skip

    for design, turn in dict.fromkeys((span.slot.design, span.slot.turn) for span in spans):
        chosen = [span for span in spans if (span.slot.design, span.slot.turn) == (design, turn)]
        if design != "duet":
            yield reading(design, turn, chosen)
            continue
        (span,) = chosen
        for piece in range(4):
            quarter_s = (span.end_s - span.start_s) / 4
            start_s = span.start_s + piece * quarter_s
            yield reading(design, piece, [Span(slot=span.slot, start_s=start_s, end_s=start_s + quarter_s)])
        yield decide(thresholds, scenario, cell, raw, span, reading("gate", 0, chosen))


def decide(
    thresholds: Thresholds,
    scenario: Scenario,
    cell: Cell,
    raw: dict[str, Recording],
    span: Span,
    seen: Reading,
) -> Reading:
    """The gate's own decision on a duet of its longest duration, at half of the effect as tolerance."""
    half = f"{(seen.effect or 0.1) * 50:g}%"
    judged = with_tolerances(scenario, f"p50={half},p95={half},rate=5%")
    base, head = (raw[name] for name in BOTH)
    verdict = judge_piece(thresholds, judged, (base, head), span.start_s)
    changes = {change.metric: change.change for change in verdict.changes if change.endpoint == cell.endpoint}
    facts = {name: getattr(seen, name) for name in seen.__struct_fields__}
    return Reading(**{**facts, "seconds": verdict.duration_s, "paired": changes, "outcome": verdict.outcome})


def pick(phases: dict[str, SteadyPhase], endpoint: str, spans: Sequence[Span], side: str) -> SideSamples:
    """Successes of one side that began and ended within the spans, of the Locusts that ran in them."""
    parts = []
    for name in {name for span in spans for name in span.slot.on}:
        if name == MIRRORED:
            phase = phases[f"{MIRRORED}-{side}"]
        elif name.startswith(side):
            phase = phases[name]
        else:
            continue
        start = phase.samples["start_s"]
        end = start + phase.samples["response_ms"] / 1000
        inside = np.zeros(len(start), dtype=np.bool_)
        for span in spans:
            if name in span.slot.on:
                inside |= (start >= span.start_s) & (end < span.end_s)
        rows = inside & phase.success & phase.rows_of(endpoint)
        parts.append((start[rows], phase.latency_ms[rows]))
    starts, times = (np.concatenate(column) for column in zip(*parts, strict=True))
    ones = np.ones(starts.size, dtype=np.bool_)
    return SideSamples(
        endpoint=np.zeros(starts.size, dtype=np.intp), start_s=starts, response_ms=times, ok=ones
    )


def read_changes(base: SideSamples, head: SideSamples) -> dict[str, float]:
    """What is plainly seen: head / base - 1 of the percentiles."""
    wanted = list(QUANTILES.values())
    ratios = np.quantile(head.response_ms, wanted) / np.quantile(base.response_ms, wanted)
    return dict(zip(QUANTILES, (ratios - 1).tolist(), strict=True))


def read_paired(base: SideSamples, head: SideSamples, spans: Sequence[Span]) -> dict[str, float]:
    """The gate's estimates, of one span in which both sides ran."""
    phase = Phase(start_s=spans[0].start_s, end_s=spans[0].end_s)
    effects = {metric: measure_percentile(base, head, q, phase) for metric, q in QUANTILES.items()}
    return {metric: float(np.expm1(effect.estimate)) for metric, effect in effects.items() if effect}
