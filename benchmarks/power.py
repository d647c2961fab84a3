r"""How often the gate blocks a slower head within two minutes, by its own decision: looks, Holm, tolerances.

Several pairs run at the same time for a long while (they are each other's noise, beside the noise made on
purpose). The recording of each pair is cut into pieces of the longest duration, and `judge_duet` decides each
like a run of its own. ``--faults`` are those of a pair's base and head, and what it is judged by:

    python -m benchmarks.power --minutes 16 --noise \\
        --faults '' '' 'p50=10%,p95=20%,rate=5%' \\
        --faults '' extra_cpu=0.1ms 'p50=5%,p95=20%,rate=5%'
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections import Counter

import msgspec
import numpy as np
from scipy import stats
from tabulate import tabulate

from benchmarks.noise import noise
from benchmarks.pairs import find_scenario, load_thresholds, plan_pair, run_pairs
from ci_gate.evidence import Recording
from ci_gate.judge.duet import DuetVerdict, judge_duet
from ci_gate.readings import Mark
from ci_gate.thresholds import Scenario, Thresholds, Tolerance


def with_tolerances(scenario: Scenario, text: str) -> Scenario:
    """The scenario, judged by ``p50=5%,...`` in place of its own tolerances."""
    old = scenario.regression[0]
    wanted = [part.split("=") for part in text.split(",")]
    tolerances: list[Tolerance] = [
        dataclasses.replace(old, metric=metric, ratio=float(ratio.removesuffix("%")) / 100)
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
    base, head = (cut(recording, begin_s, begin_s + longest_s) for recording in pair)
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


def main() -> None:
    """Measure, cut, judge, and print a row for each kind of pair."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenario", default="connector-scaling")
    parser.add_argument("--users", type=int, default=100, help="of one pair, half of them on each side")
    parser.add_argument("--minutes", type=float, default=16)
    parser.add_argument("--noise", action="store_true", help="two processes that burn CPU in bursts")
    parser.add_argument(
        "--faults", nargs=3, action="append", required=True, metavar=("BASE", "HEAD", "TOLERANCES")
    )
    options = parser.parse_args()
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
    verdicts: dict[tuple[str, ...], list[DuetVerdict]] = {}
    for kind, pair in zip(options.faults, recordings, strict=True):
        judged = with_tolerances(scenario, kind[2])
        verdicts.setdefault(tuple(kind), []).extend(judge_pieces(thresholds, judged, pair))
    print(f"{options.scenario}, {options.users} users a pair, {len(options.faults)} pairs at once; ", end="")
    print(f"noise: {'on' if options.noise else 'off'}; at most {thresholds.compare.max_duration_s:g} s\n")
    print(tabulate([summarise(*row) for row in verdicts.items()], headers=HEADERS, tablefmt="github"))


HEADERS = ("base", "head", "judged by", "p50, median (sd)", "p95, median (sd)", "fail", "outcomes", "mean s")


def summarise(kind: tuple[str, ...], verdicts: list[DuetVerdict]) -> tuple[str, ...]:
    """The table's row for one kind of pair."""
    outcomes = Counter(verdict.outcome for verdict in verdicts)
    return (
        *(text or "none" for text in kind[:2]),
        kind[2],
        *(describe_changes(verdicts, metric) for metric in ("p50", "p95")),
        share(outcomes["fail"], len(verdicts)),
        ", ".join(f"{name} {count}" for name, count in outcomes.most_common()),
        f"{np.mean([verdict.duration_s for verdict in verdicts]):.0f}",
    )


def describe_changes(verdicts: list[DuetVerdict], metric: str) -> str:
    """Median and standard deviation of what was read of all requests at the deciding look."""
    seen = [
        change.change
        for verdict in verdicts
        for change in verdict.changes
        if (change.endpoint, change.metric) == ("all", metric)
    ]
    return f"{np.median(seen):+.1%} ({np.std(seen, ddof=1):.1%})" if len(seen) > 1 else "-"


if __name__ == "__main__":
    main()
