r"""What the gate says where every comparison begins with services started anew, one pair at a time.

Each start: base and head from their commands, fresh state, two Locusts at once for the longest duration, and
with ``--sequential`` base alone and then head alone, both in a quarter of that time. Of every recording of
equal versions the gate is asked four times: as it is, by the scenario's own tolerances and by half of them,
and with head's response times changed by an exactly known amount (all of them, or the slowest tenth of every
second), which keeps the noise real. ``--faults BASE HEAD`` measures versions that do differ instead.
Decisions and readings are appended as soon as a start is over:

    python -m benchmarks.starts --out FILE --noise [--starts 10] [--scenario NAME] [--sequential]
    python -m benchmarks.starts --out FILE --table
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from benchmarks.comparison_simulation import slow_down, slow_tail
from benchmarks.designs_load import record_cell
from benchmarks.designs_plan import ALONE, BOTH, DUET, SEQUENTIAL, SETTLE_S, Cell, Slot, Span
from benchmarks.designs_read import DUET_PIECES, QUANTILES, Recorded, quarter, read_turn
from benchmarks.designs_table import on_off
from benchmarks.pairs import find_scenario, load_thresholds
from benchmarks.power import change_head, judge_piece, share, with_tolerances
from ci_gate.evidence.readings import StrictValue
from ci_gate.evidence.recording import LineWriter, Recording
from ci_gate.evidence.strict_json import read_lines
from ci_gate.thresholds import Scenario, Thresholds

HALF = "p50=5%,p95=10%,rate=5%"
SHORT_S = 30.0

Slow = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Question:
    """What is done to head's response times, and what the gate is to tolerate."""

    name: str
    slow: Slow
    tolerances: str  # empty: the scenario's own


QUESTIONS = (
    Question(name="as it is", slow=partial(slow_down, 1.0), tolerances=""),
    Question(name="as it is, half tolerances", slow=partial(slow_down, 1.0), tolerances=HALF),
    Question(name="+10 % everywhere, half tolerances", slow=partial(slow_down, 1.1), tolerances=HALF),
    Question(name="+20 % in the tail, half tolerances", slow=partial(slow_tail, 1.2), tolerances=HALF),
)
PIECES = Question(name="as it is, 30 s", slow=partial(slow_down, 1.0), tolerances="")


class Decision(StrictValue, frozen=True):
    """What the gate decided; ``changes`` and ``mdes`` are of all requests, at the deciding analysis."""

    question: str
    outcome: str
    seconds: float
    changes: dict[str, float]
    mdes: dict[str, float]
    blocked_by: list[str]


class Start(StrictValue, frozen=True):
    """Everything one start showed: a line of the raw file. Readings are head / base - 1, by design."""

    scenario: str
    noise: bool
    base_faults: str
    head_faults: str
    load_average: float
    base_ms: dict[str, float]
    decisions: list[Decision]
    readings: dict[str, list[dict[str, float]]]


def plan_slots(longest_s: float, *, sequential: bool, alone_first: bool) -> list[list[Slot]]:
    """The duet, and base then head, in either order."""
    alone_s = longest_s / DUET_PIECES / 2 + SETTLE_S + 1
    duet = [Slot(design=DUET, turn=0, on=BOTH, seconds=longest_s + SETTLE_S + 3)]
    alone = [Slot(design=SEQUENTIAL, turn=0, on=on, seconds=alone_s) for on in ALONE.values()]
    pieces = [duet, alone] if sequential else [duet]
    return pieces[::-1] if alone_first else pieces


def measure_start(
    thresholds: Thresholds, scenario: Scenario, options: argparse.Namespace, *, number: int
) -> Start:
    """One fresh start, loaded and judged."""
    cell = Cell(name="start", scenario=scenario.name, users=scenario.users[0].count, endpoint="all",
                metric="p50", pairs=((0.0, *options.faults),))  # fmt: skip
    slots = plan_slots(
        thresholds.compare.max_duration_s, sequential=options.sequential, alone_first=number % 2 == 1
    )
    ((recorded, spans),) = record_cell(thresholds, scenario, cell, slots, noisy=options.noise)
    (duet,) = (span for span in spans if span.slot.design == DUET)
    alone = [span for span in spans if span.slot.design == SEQUENTIAL]
    readings = {DUET: [read_turn(recorded, [piece], DUET, 0).changes for piece in quarter(duet)]}
    if alone:
        readings[SEQUENTIAL] = [read_turn(recorded, alone, SEQUENTIAL, 0).changes]
    return Start(
        scenario=scenario.name,
        noise=options.noise,
        base_faults=options.faults[0],
        head_faults=options.faults[1],
        load_average=os.getloadavg()[0],
        base_ms=read_turn(recorded, [duet], DUET, 0).base_ms,
        decisions=list(ask(thresholds, scenario, recorded, duet)),
        readings=readings,
    )


def ask(thresholds: Thresholds, scenario: Scenario, recorded: Recorded, duet: Span) -> Iterator[Decision]:
    """Every question, of equal versions; of others, only what is."""
    is_equal = not any(recorded.cell.pairs[0][1:])
    pair = tuple(recorded.recordings[name] for name in BOTH)
    for question in QUESTIONS if is_equal else QUESTIONS[1:2]:
        yield decide(thresholds, scenario, question, pair, duet.start_s)
    short = dataclasses.replace(thresholds.compare, max_duration_s=SHORT_S)
    for piece in range(DUET_PIECES * is_equal):
        start_s = duet.start_s + piece * SHORT_S
        yield decide(dataclasses.replace(thresholds, compare=short), scenario, PIECES, pair, start_s)


def decide(
    thresholds: Thresholds,
    scenario: Scenario,
    question: Question,
    pair: Sequence[Recording],
    start_s: float,
) -> Decision:
    """The gate's decision on the longest duration from ``start_s`` on, with head made slower."""

    def slow(samples: NDArray[np.void]) -> NDArray[np.float64]:
        return question.slow(samples["start_s"] - start_s, samples["response_ms"])

    judged = with_tolerances(scenario, question.tolerances) if question.tolerances else scenario
    slowed = change_head((pair[0], pair[1]), slow)
    verdict = judge_piece(thresholds, judged, slowed, start_s)
    of_all = [change for change in verdict.changes if change.endpoint == "all"]
    return Decision(
        question=question.name,
        outcome=verdict.outcome,
        seconds=verdict.duration_s,
        changes={change.metric: change.change for change in of_all},
        mdes={change.metric: change.mde for change in of_all},
        blocked_by=[f"{c.endpoint} {c.metric}" for c in verdict.changes if c.outcome == "FAIL"],
    )


def main() -> None:
    """Measure start by start, append, and print the tables."""
    options = parse_options()
    if not options.table:
        thresholds = load_thresholds()
        scenario = find_scenario(thresholds, options.scenario, users=options.users)
        for number in range(options.starts):
            began = time.monotonic()
            start = measure_start(thresholds, scenario, options, number=number)
            with LineWriter(options.out) as lines:
                lines.write(start)
            outcomes = ", ".join(decision.outcome for decision in start.decisions)
            print(
                f"{number + 1} of {options.starts}, {time.monotonic() - began:.0f} s: {outcomes}",
                file=sys.stderr,
                flush=True,
            )
    print(render(read_lines(options.out, Start)))


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="starts are appended here, one a line")
    parser.add_argument("--scenario", default="connector-scaling")
    parser.add_argument("--users", type=int, help="half of them on each side (default: as in a run)")
    parser.add_argument("--starts", type=int, default=10)
    parser.add_argument("--faults", nargs=2, default=("", ""), metavar=("BASE", "HEAD"))
    parser.add_argument("--noise", action="store_true", help="two processes that burn CPU in bursts")
    parser.add_argument(
        "--sequential", action="store_true", help="measure base, then head, too, each under twice that"
    )
    parser.add_argument("--table", action="store_true", help="measure nothing, print what the file holds")
    return parser.parse_args()


def render(starts: Sequence[Start]) -> str:
    """Both tables, as Markdown."""
    return "\n\n".join(
        [
            tabulate(decision_rows(starts), headers=DECISION_HEADERS, tablefmt="github"),
            "Standard deviation of log(head / base) over all readings of equal versions:",
            tabulate(scatter_rows(starts), headers=SCATTER_HEADERS, tablefmt="github"),
        ]
    )


DECISION_HEADERS = ("scenario", "noise", "base", "head", "asked", "blocked", "else", "mean s", "p50", "p95")


def decision_rows(starts: Sequence[Start]) -> list[tuple[str, ...]]:
    """A row for each scenario, noise, pair of versions and question."""
    groups: dict[tuple[str, ...], list[Decision]] = {}
    for start in starts:
        kind = (start.scenario, on_off(start.noise), start.base_faults, start.head_faults)
        for decision in start.decisions:
            groups.setdefault((*kind, decision.question), []).append(decision)
    rows = []
    for key, decisions in groups.items():
        outcomes = Counter(decision.outcome for decision in decisions)
        blocked = share(outcomes.pop("FAIL", 0), len(decisions))
        others = ", ".join(f"{name} {count}" for name, count in outcomes.most_common())
        mean_s = f"{np.mean([decision.seconds for decision in decisions]):.0f}"
        changes = (describe(decisions, metric) for metric in ("p50", "p95"))
        rows.append((*key, blocked, others, mean_s, *changes))
    return rows


def describe(decisions: Sequence[Decision], metric: str) -> str:
    """``+0.3 % +- 1.2 % (mde 4 %)``: mean and standard deviation of what was read, and the median mde."""
    changes = [decision.changes[metric] for decision in decisions if metric in decision.changes]
    mdes = [decision.mdes[metric] for decision in decisions if metric in decision.mdes]
    if len(changes) <= 1:
        return "-"
    return f"{np.mean(changes):+.1%} +- {np.std(changes, ddof=1):.1%} (mde {np.median(mdes):.1%})"


SCATTER_HEADERS = ("scenario", "CPU noise", "design", "readings", *QUANTILES)


def scatter_rows(starts: Sequence[Start]) -> list[tuple[str, ...]]:
    """A row for each scenario, noise and design."""
    groups: dict[tuple[str, str, str], list[dict[str, float]]] = {}
    for start in starts:
        if not (start.base_faults or start.head_faults):
            for design, readings in start.readings.items():
                key = (start.scenario, on_off(start.noise), design)
                groups.setdefault(key, []).extend(readings)
    return [
        (*key, str(len(readings)), *(f"{scatter(readings, metric):.1%}" for metric in QUANTILES))
        for key, readings in groups.items()
        if len(readings) > 1
    ]


def scatter(readings: Sequence[dict[str, float]], metric: str) -> float:
    """Standard deviation of the log ratios."""
    return float(np.std([np.log1p(reading[metric]) for reading in readings], ddof=1))


if __name__ == "__main__":
    main()
