r"""How often the gate blocks a slower head within two minutes, by its whole own decision.

Several pairs run at the same time for a long while (they are each other's noise, beside the noise made on
purpose). The recording of each pair is cut into pieces of the longest duration, and `judge_duet` decides each
like a run of its own. ``--faults`` are those of a base and its head, and what they are judged by.
``--slower`` judges pairs of equal versions again, with every response time of head multiplied: an effect that
is exactly known, on real noise.

    python -m benchmarks.power --minutes 12 --noise --out FILE \\
        --faults '' '' 'p50=10%,p95=20%,rate=5%' --faults '' '' 'p50=10%,p95=20%,rate=5%' \\
        --faults '' extra_cpu=0.1ms 'p50=5%,p95=10%,rate=5%' \\
        --slower 1.1 p50=5% --slower 1.2 p95=10%
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy import stats
from tabulate import tabulate

from benchmarks.noise import noise
from benchmarks.pairs import find_scenario, load_thresholds, plan_pair, run_pairs
from ci_gate.evidence.readings import Mark, StrictValue
from ci_gate.evidence.recording import LineWriter, Recording
from ci_gate.judge.compare.duet import DuetVerdict, judge_duet
from ci_gate.judge.steady import classify
from ci_gate.thresholds import Scenario, Thresholds, Tolerance
from ci_gate.thresholds.metrics import metric_of


def with_tolerances(scenario: Scenario, text: str) -> Scenario:
    """The scenario, judged by ``p50=5%,...`` in place of its own tolerances."""
    old = scenario.regression[0]
    wanted = [part.split("=") for part in text.split(",")]
    tolerances: list[Tolerance] = [
        dataclasses.replace(old, metric=metric_of(metric), ratio=float(ratio.removesuffix("%")) / 100)
        for metric, ratio in wanted
    ]
    return dataclasses.replace(scenario, regression=tuple(tolerances))


def cut(recording: Recording, begin_s: float, end_s: float) -> Recording:
    """What a run with a steady phase from ``begin_s`` to ``end_s`` (Unix seconds) would have recorded."""
    start = recording.samples["start_s"]
    marks = (
        Mark(name="steady", wall_s=begin_s, monotonic_s=begin_s),
        Mark(name="stopping", wall_s=end_s, monotonic_s=end_s),
    )
    samples = recording.samples[(start >= begin_s) & (start < end_s)]
    return msgspec.structs.replace(recording, samples=samples, marks=marks)


def judge_piece(
    thresholds: Thresholds, scenario: Scenario, pair: tuple[Recording, Recording], begin_s: float
) -> DuetVerdict:
    """The decision on the longest duration from ``begin_s`` on, without the validity rules."""
    longest_s = thresholds.compare.max_duration_s
    plans = plan_pair(thresholds, scenario, longest_s)
    base, head = (
        classify(cut(recording, begin_s, begin_s + longest_s), scenario.accept) for recording in pair
    )
    return judge_duet(scenario, thresholds.compare_scenario, plans, (base, head), rules=())


def judge_pieces(
    thresholds: Thresholds, scenario: Scenario, pair: tuple[Recording, Recording]
) -> list[DuetVerdict]:
    """One verdict for each whole piece that both sides lived through."""
    marks = [[recording.mark(name) for recording in pair] for name in ("steady", "stopping")]
    begin_s, end_s = max(mark.wall_s for mark in marks[0] if mark), min(m.wall_s for m in marks[1] if m)
    longest_s = thresholds.compare.max_duration_s
    starts_s = begin_s + longest_s * np.arange(int((end_s - begin_s) / longest_s))
    return [judge_piece(thresholds, scenario, pair, float(start_s)) for start_s in starts_s]


def share(hits: int, of: int) -> str:
    """``9/10 (55 to 100 %)``, with the exact (Clopper-Pearson) 95 % interval."""
    if not of:
        return "-"
    interval = stats.binomtest(hits, of).proportion_ci()
    return f"{hits}/{of} ({interval.low * 100:.0f} to {interval.high * 100:.0f} %)"


class Decision(StrictValue, frozen=True):
    """What the gate decided of one piece; ``changes`` are of all requests, at the deciding analysis."""

    base: str
    head: str
    tolerances: str
    pair: int
    piece: int
    outcome: str
    seconds: float
    changes: dict[str, float]


def decide(
    thresholds: Thresholds,
    scenario: Scenario,
    kind: Sequence[str],
    pair: tuple[Recording, Recording],
    number: int,
) -> list[Decision]:
    """The decisions on all pieces of a pair."""
    verdicts = judge_pieces(thresholds, with_tolerances(scenario, kind[2]), pair)
    return [
        Decision(
            base=kind[0],
            head=kind[1],
            tolerances=kind[2],
            pair=number,
            piece=piece,
            outcome=verdict.outcome,
            seconds=verdict.duration_s,
            changes={change.metric: change.change for change in verdict.changes if change.endpoint == "all"},
        )
        for piece, verdict in enumerate(verdicts)
    ]


def change_head(
    pair: tuple[Recording, Recording], change: Callable[[NDArray[np.void]], NDArray[np.float64]]
) -> tuple[Recording, Recording]:
    """The pair, with head's response times as ``change`` makes them of its samples."""
    samples = pair[1].samples.copy()
    samples["response_ms"] = change(samples)
    return pair[0], msgspec.structs.replace(pair[1], samples=samples)


def main() -> None:
    """Measure, cut, judge, and print a row for each kind of pair."""
    options = parse_options()
    thresholds = load_thresholds()
    scenario = find_scenario(thresholds, options.scenario, users=options.users)

    def show(passed_s: float) -> bool:
        if round(passed_s) % 60 == 0:
            print(f"{passed_s / 60:.0f} of {options.minutes:g} min", file=sys.stderr, flush=True)
        return False

    with noise(wanted=options.noise):
        recordings = run_pairs(
            thresholds,
            scenario,
            faults=[(base, head) for base, head, _ in options.faults],
            duration_s=options.minutes * 60 + 5,
            on_second=show,
        )
    decisions = []
    for number, (kind, pair) in enumerate(zip(options.faults, recordings, strict=True)):
        decisions += decide(thresholds, scenario, kind, pair, number)
        for factor, tolerances in options.slower if kind[0] == kind[1] else ():
            named = (kind[0], f"{kind[1]} x {factor}", tolerances)
            decisions += decide(
                thresholds,
                scenario,
                named,
                change_head(pair, lambda samples, by=float(factor): samples["response_ms"] * by),
                number,
            )
    if options.out:
        with LineWriter(options.out) as lines:
            for decision in decisions:
                lines.write(decision)
    print(f"{options.scenario}, {options.users} users a pair, {len(options.faults)} pairs at once; ", end="")
    print(f"noise: {'on' if options.noise else 'off'}; at most {thresholds.compare.max_duration_s:g} s\n")
    print(tabulate(summarise(decisions), headers=HEADERS, tablefmt="github"))


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenario", default="connector-scaling")
    parser.add_argument("--users", type=int, default=100, help="of one pair, half of them on each side")
    parser.add_argument("--minutes", type=float, default=16)
    parser.add_argument("--noise", action="store_true", help="two processes that burn CPU in bursts")
    parser.add_argument("--out", type=Path, help="decisions are appended here, one a line")
    kind = ("BASE", "HEAD", "TOLERANCES")
    parser.add_argument("--faults", nargs=3, action="append", required=True, metavar=kind)
    parser.add_argument("--slower", nargs=2, action="append", default=[], metavar=("FACTOR", "TOLERANCES"))
    return parser.parse_args()


HEADERS = (
    "base",
    "head",
    "judged by",
    "p50, median (sd)",
    "p95, median (sd)",
    "blocked",
    "outcomes",
    "mean s",
)


def summarise(decisions: Sequence[Decision]) -> list[tuple[str, ...]]:
    """A row for each kind of pair."""
    rows = []
    for kind in dict.fromkeys((each.base, each.head, each.tolerances) for each in decisions):
        mine = [each for each in decisions if (each.base, each.head, each.tolerances) == kind]
        outcomes = Counter(each.outcome for each in mine)
        rows.append(
            (
                *(text or "none" for text in kind),
                *(describe_changes(mine, metric) for metric in ("p50", "p95")),
                share(outcomes["FAIL"], len(mine)),
                ", ".join(f"{name} {count}" for name, count in outcomes.most_common()),
                f"{np.mean([each.seconds for each in mine]):.0f}",
            )
        )
    return rows


def describe_changes(decisions: Sequence[Decision], metric: str) -> str:
    """Median and standard deviation of what was read of all requests at the deciding analysis."""
    changes = [each.changes[metric] for each in decisions if metric in each.changes]
    return f"{np.median(changes):+.1%} ({np.std(changes, ddof=1):.1%})" if len(changes) > 1 else "-"


if __name__ == "__main__":
    main()
