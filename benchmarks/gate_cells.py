r"""What the gate says, start by start, of equal versions, of versions that differ, and of a taken machine.

Every start is new, one pair at a time, its order drawn. A start is a line that is appended as soon as it is
over, so that a cell may be cut off and gone on with: `--starts` is how many the file is to hold.

    python -m benchmarks.gate_cells --out FILE equal --noise --starts 60
    python -m benchmarks.gate_cells --out FILE cpu --noise --starts 20
    python -m benchmarks.gate_cells --out FILE taken --starts 20
    python -m benchmarks.gate_cells --out FILE --table

Equal versions are judged by the tolerances that `ci-gate init` writes and by half of them, and with head's
response times changed by an exactly known amount (all of them, or the slowest tenth of every second) by half
of that; what they block is started and judged once more, in the opposite order. Versions that differ are
judged by half of the difference, without a second start.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
from tabulate import tabulate

from benchmarks.gate_cells_plan import CELLS, Cell, Question, Slow
from benchmarks.noise import noise
from benchmarks.pairs import find_scenario, load_thresholds
from benchmarks.power import share, with_tolerances
from benchmarks.taken import CELLS as TAKEN_CELLS
from benchmarks.taken import measure_cell
from ci_gate.cli.options import make_options
from ci_gate.evidence.readings import StrictValue
from ci_gate.evidence.recording import (
    CONFIRM,
    DUET_BASE,
    DUET_HEAD,
    LineWriter,
    Recording,
    RecordingPlan,
    read_recording,
    recording_folder,
)
from ci_gate.evidence.strict_json import read_lines
from ci_gate.judge.compare.confirmation import judge_planned_duet
from ci_gate.judge.compare.duet import DuetVerdict, find_common
from ci_gate.judge.steady import classify
from ci_gate.run.base import BaseVersion
from ci_gate.run.plan import RunOptions, plan_run
from ci_gate.run.progress import ProgressPrinter
from ci_gate.run.scenarios import run_duet
from ci_gate.run.session import Session
from ci_gate.service.guard.watchdog import Watchdog
from ci_gate.service.needs import NeedsAround
from ci_gate.thresholds import Scenario, Thresholds


class Decision(StrictValue, frozen=True):
    """``first`` is the outcome of one start, ``confirmed`` of both; changes are of all requests."""

    question: str
    first: str
    confirmed: str
    changes: dict[str, float]
    blocked_by: list[str]


class Start(StrictValue, frozen=True):
    """A line of the file."""

    cell: str
    scenario: str
    noise: bool
    began_s: float
    took_s: float
    load_average: float
    is_base_first: bool
    lasted_s: float
    decisions: list[Decision]


def measure_start(
    thresholds: Thresholds, cell: Cell, scenario: Scenario, progress: ProgressPrinter, *, noisy: bool
) -> tuple[bool, float, list[Decision]]:
    """Whether base was first, how long both were loaded, and the decisions on one fresh start."""
    with tempfile.TemporaryDirectory() as folder:
        options = make_options(
            thresholds, (scenario.name,), "pull_request", base="HEAD", out=Path(folder) / "out"
        )
        plans = {plan.recording: plan for plan in plan_run(options).recordings}
        load = partial(load_pair, options, cell, scenario, plans, progress, noisy=noisy)
        recordings = load((DUET_BASE, DUET_HEAD))
        ask = partial(judge_question, thresholds, scenario, plans)
        firsts = {question: ask(question, recordings) for question in cell.questions}
        both = firsts
        if any(firsts[question].outcome == "FAIL" for question in cell.questions if question.is_equal):
            progress.say("  blocked: both are started once more")
            recordings |= load(CONFIRM)
            both = {question: ask(question, recordings) for question in cell.questions}
    sides = tuple(classify(recordings[name], scenario.accept).steady for name in (DUET_BASE, DUET_HEAD))
    decisions = [describe(question, firsts[question], both[question]) for question in cell.questions]
    return bool(plans[DUET_BASE].service_first), find_common(sides)[1], decisions


def load_pair(
    options: RunOptions,
    cell: Cell,
    scenario: Scenario,
    plans: Mapping[str, RecordingPlan],
    progress: ProgressPrinter,
    names: tuple[str, str],
    *,
    noisy: bool,
) -> dict[str, Recording]:
    """Both sides, started afresh and loaded for the longest duration, whatever is clear before."""
    service = options.thresholds.service
    head = dataclasses.replace(service, target=cell.head or service.target)
    of_head = dataclasses.replace(
        options,
        thresholds=dataclasses.replace(options.thresholds, service=head),
        environ={**options.environ, "FAULTS": cell.head_faults},
    )
    base = BaseVersion(
        name="base",
        service=service,
        repository=options.repository,
        environ={**options.environ, "FAULTS": cell.base_faults},
    )
    with Watchdog() as watchdog, NeedsAround(watchdog) as needs, noise(wanted=noisy):
        session = Session(
            options=of_head,
            info=plan_run(of_head),
            watchdog=watchdog,
            needs=needs,
            progress=progress,
            base=base,
        )
        longest_s = options.thresholds.compare.max_duration_s
        run_duet(session, scenario, base, (plans[names[0]], plans[names[1]]), longest_s)
    progress.finish()
    return {name: read_recording(recording_folder(options.out, plans[name])) for name in names}


def judge_question(
    thresholds: Thresholds,
    scenario: Scenario,
    plans: Mapping[str, RecordingPlan],
    question: Question,
    recordings: Mapping[str, Recording],
) -> DuetVerdict:
    """By one start, or by both where both were recorded."""
    asked = with_tolerances(scenario, question.tolerances)
    slowed = {
        name: slow_side(recording, question.slow) if question.slow and name.endswith("head") else recording
        for name, recording in recordings.items()
    }
    classified = {name: classify(each, scenario.accept) for name, each in slowed.items()}
    known = {name: plan for name, plan in plans.items() if name in recordings}
    return judge_planned_duet(asked, thresholds.compare_scenario, known, classified, (None, None))


def slow_side(recording: Recording, slow: Slow) -> Recording:
    """The recording with its response times as ``slow`` makes them, by their seconds since the first."""
    samples = recording.samples.copy()
    samples["response_ms"] = slow(samples["start_s"] - samples["start_s"].min(), samples["response_ms"])
    return msgspec.structs.replace(recording, samples=samples)


def describe(question: Question, first: DuetVerdict, both: DuetVerdict) -> Decision:
    """What is kept of both verdicts."""
    return Decision(
        question=question.name,
        first=first.outcome,
        confirmed=both.outcome,
        changes={change.metric: change.change for change in both.changes if change.endpoint == "all"},
        blocked_by=[f"{each.endpoint} {each.metric}" for each in first.changes if each.outcome == "FAIL"]
        + [finding.code for finding in first.findings],
    )


def main() -> None:
    """Measure what the file lacks of a cell, and print the table."""
    options = parse_options()
    if options.cell and not options.table:
        thresholds = load_thresholds()
        if options.seconds:
            compare = dataclasses.replace(thresholds.compare, max_duration_s=options.seconds)
            thresholds = dataclasses.replace(thresholds, compare=compare)
        known = [each for each in read_starts(options.out) if is_of(each, options.cell, noisy=options.noise)]
        for number in range(len(known), options.starts):
            with LineWriter(options.out) as lines:
                lines.write(measure(thresholds, options.cell, number, noisy=options.noise))
            print(f"{number + 1} of {options.starts}", file=sys.stderr, flush=True)
    print(render(read_starts(options.out)))


def is_of(start: Start, cell: str, *, noisy: bool) -> bool:
    """Whether it is a start of this cell."""
    return (start.cell, start.noise) == (cell, noisy)


def read_starts(file: Path) -> tuple[Start, ...]:
    """What the file holds, finished or not."""
    return read_lines(file, Start)


def measure(thresholds: Thresholds, name: str, number: int, *, noisy: bool) -> Start:
    """One start of a cell; its scenarios take turns."""
    began_s, progress = time.time(), ProgressPrinter(sys.stderr)
    if name in TAKEN_CELLS:
        scenario, is_base_first, lasted_s = find_scenario(thresholds, "burst-load"), False, 0.0
        outcome, figures, codes = measure_cell(scenario, TAKEN_CELLS[name])
        decisions = [
            Decision(question=name, first=outcome, confirmed=outcome, changes=figures, blocked_by=codes)
        ]
    else:
        cell = CELLS[name]
        scenario = find_scenario(thresholds, cell.scenarios[number % len(cell.scenarios)])
        is_base_first, lasted_s, decisions = measure_start(thresholds, cell, scenario, progress, noisy=noisy)
    return Start(
        cell=name,
        scenario=scenario.name,
        noise=noisy,
        began_s=began_s,
        took_s=time.time() - began_s,
        load_average=os.getloadavg()[0],
        is_base_first=is_base_first,
        lasted_s=lasted_s,
        decisions=decisions,
    )


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cell", nargs="?", choices=[*CELLS, *TAKEN_CELLS])
    parser.add_argument("--out", type=Path, required=True, help="starts are appended here, one a line")
    parser.add_argument("--starts", type=int, default=20, help="that the file is to hold of the cell")
    parser.add_argument("--noise", action="store_true", help="two processes that burn CPU in bursts")
    parser.add_argument("--seconds", type=float, help="of a comparison at most (default: as in a run)")
    parser.add_argument("--table", action="store_true", help="measure nothing, print what the file holds")
    return parser.parse_args()


HEADERS = ("cell", "noise", "asked", "FAIL", "FAIL by both starts", "PASS", "else", "minutes a start")


def render(starts: Sequence[Start]) -> str:
    """A row for each cell, noise and question: counts with their exact 95 % intervals."""
    return tabulate(list(list_rows(starts)), HEADERS, tablefmt="github", disable_numparse=True)


def list_rows(starts: Sequence[Start]) -> Iterator[tuple[str, ...]]:
    """As HEADERS name them."""
    groups: dict[tuple[str, bool, str], list[tuple[Start, Decision]]] = {}
    for start in starts:
        for decision in start.decisions:
            key = (start.cell, start.noise, decision.question)
            groups.setdefault(key, []).append((start, decision))
    for (cell, noisy, question), pairs in groups.items():
        first, both = ([getattr(decision, name) for _, decision in pairs] for name in ("first", "confirmed"))
        others = {outcome: first.count(outcome) for outcome in first if outcome not in {"FAIL", "PASS"}}
        yield (
            cell,
            "on" if noisy else "off",
            question,
            share(first.count("FAIL"), len(first)),
            share(both.count("FAIL"), len(both)),
            share(first.count("PASS"), len(first)),
            ", ".join(f"{outcome} {number}" for outcome, number in others.items()) or "-",
            f"{np.mean([start.took_s for start, _ in pairs]) / 60:.1f}",
        )


if __name__ == "__main__":
    main()
