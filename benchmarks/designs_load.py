"""Puts the load of `benchmarks.designs` on: pairs of services, and Locusts that are stopped and continued."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from benchmarks.designs_plan import LOCUSTS, SETTLE_S, Cell, Slot, Span, rotate
from benchmarks.designs_read import Reading, Recorded, read_designs, read_pair
from benchmarks.noise import noise
from benchmarks.pairs import SIDES, Pair, find_scenario, record_jobs, start_pairs
from ci_gate.measure.load_run import Job
from ci_gate.service.guard.watchdog import Watchdog
from ci_gate.thresholds import Scenario, Thresholds

START_ALLOWANCE_S = 180.0


class Director:
    """Stops and continues the Locusts of one pair by its slots."""

    def __init__(self, slots: Sequence[Slot], generators: dict[str, psutil.Process]) -> None:
        self._generators = generators
        self._slots = iter(slots)
        self._slot: Slot | None = None
        self._since_s = 0.0
        self._until = 0.0
        self._is_over = False
        self.spans: list[Span] = []

    def direct(self) -> bool:
        """Called every second; True once the last slot is over."""
        if time.monotonic() < self._until or self._is_over:
            return self._is_over
        if self._slot is not None:
            span = Span(slot=self._slot, start_s=self._since_s + SETTLE_S, end_s=time.time())
            self.spans.append(span)
        self._slot = next(self._slots, None)
        self._is_over = self._slot is None
        for name, process in self._generators.items():
            is_on = self._slot is None or name in self._slot.on  # at the end all go on, to end by themselves
            process.send_signal(signal.SIGCONT if is_on else signal.SIGSTOP)
        self._since_s = time.time()
        self._until = time.monotonic() + (self._slot.seconds if self._slot else 0) - 0.5
        return self._is_over


def measure_cell(
    thresholds: Thresholds, cell: Cell, pieces: Sequence[list[Slot]], *, noisy: bool
) -> list[Reading]:
    """All readings of one cell."""
    scenario = find_scenario(thresholds, cell.scenario, users=cell.users)
    return [
        reading
        for recorded, spans in record_cell(thresholds, scenario, cell, pieces, noisy=noisy)
        for reading in read_designs(thresholds, scenario, recorded, spans)
    ]


def record_cell(
    thresholds: Thresholds, scenario: Scenario, cell: Cell, pieces: Sequence[list[Slot]], *, noisy: bool
) -> list[tuple[Recorded, list[Span]]]:
    """What was recorded of each pair of the cell, started for it alone, and what of that counts."""
    faults = [(base, head) for _, base, head in cell.pairs]
    slots = [rotate(pieces, number, len(cell.pairs)) for number in range(len(cell.pairs))]
    total_s = sum(slot.seconds + 1 for slot in slots[0]) + START_ALLOWANCE_S
    with (
        Watchdog() as watchdog,
        start_pairs(thresholds, scenario, faults, duration_s=total_s, watchdog=watchdog) as pairs,
        noise(wanted=noisy),
    ):
        spans = load(pairs, slots, watchdog)
        recorded = [
            read_pair(pair.folder, scenario, cell, pair=number, noisy=noisy)
            for number, pair in enumerate(pairs)
        ]
        return list(zip(recorded, spans, strict=True))


def load(pairs: Sequence[Pair], slots: Sequence[Sequence[Slot]], watchdog: Watchdog) -> list[list[Span]]:
    """Put the load on, directed once every Locust is in its steady phase; for each pair, what counts."""
    switched_on = {name for slot in slots[0] for name in slot.on}
    used = [name for name in LOCUSTS if name in switched_on]
    jobs = [{name: pair.job(SIDES.index(name[:4]), name) for name in used} for pair in pairs]
    folders = [job.folder for named in jobs for job in named.values()]
    began = time.monotonic()
    directors: list[Director] = []

    def begin() -> None:
        assert time.monotonic() - began < START_ALLOWANCE_S, "the Locusts did not start"
        if all(is_steady(folder / "marks.jsonl") for folder in folders):
            print(f"  loaded after {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
            for number, named in enumerate(jobs):
                generators = {name: find_generator(job) for name, job in named.items()}
                directors.append(Director(slots[number], generators))

    def on_second() -> bool:
        if not directors:
            begin()
        are_over = [director.direct() for director in directors]  # each is to be called
        return bool(directors) and all(are_over)

    record_jobs([job for named in jobs for job in named.values()], watchdog, on_second)
    return [director.spans for director in directors]


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
