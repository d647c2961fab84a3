"""How often equal versions are blocked, and how much the comparison scatters: many real short comparisons.

Several pairs of the same version run at the same time for a long while (they are each other's noise); the
recording of each pair is cut into short pieces, and each piece is compared like a whole run, at one analysis.

    python -m benchmarks.equal_versions [--scenario NAME] [--pairs 4] [--minutes 20] [--piece 20]
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections import Counter

import numpy as np
from tabulate import tabulate

from benchmarks.pairs import find_scenario, load_thresholds, run_pairs
from ci_gate.judge.compare.comparison import settle
from ci_gate.judge.compare.duet import compare_at
from ci_gate.judge.compare.interim import InterimAnalysis
from ci_gate.judge.steady import classify


def main() -> None:
    """Measure, cut, compare, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenario", default="concurrent-deployments")
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--piece", type=float, default=20, help="seconds of load per comparison")
    parser.add_argument("--faults", default="", help="of head: something other than equal versions")
    options = parser.parse_args()
    thresholds = load_thresholds()
    scenario = find_scenario(thresholds, options.scenario)
    scenario = dataclasses.replace(scenario, compare_load=0.5)  # several pairs at once are load enough

    def show(passed_s: float) -> bool:
        if round(passed_s) % 60 == 0:
            print(f"{passed_s / 60:.0f} of {options.minutes:g} min", file=sys.stderr, flush=True)
        return False

    recordings = run_pairs(
        thresholds,
        scenario,
        faults=[("", options.faults)] * options.pairs,
        duration_s=options.minutes * 60,
        on_second=show,
    )
    interim = InterimAnalysis(duration_s=options.piece, share=1.0)
    outcomes: Counter[str] = Counter()
    changes: dict[tuple[str, str], list[float]] = {}
    real: Counter[tuple[str, str]] = Counter()
    for pair in recordings:
        sides = tuple(classify(recording, scenario.accept).steady for recording in pair)
        begin_s = max(side.begin_s for side in sides)
        end_s = min(side.begin_s + side.duration_s for side in sides)
        while begin_s + options.piece <= end_s:
            comparison = compare_at(interim, begin_s, sides, scenario, thresholds.compare)
            outcomes[settle(comparison)] += 1
            for change in comparison.changes:
                key = (change.endpoint, change.metric)
                changes.setdefault(key, []).append(change.change)
                real[key] += change.is_real
            begin_s += options.piece
    rows = [
        (
            *key,
            len(measured),
            f"{np.median(measured):+.2%}",
            f"{np.std(measured, ddof=1):.2%}",
            f"{real[key] / len(measured):.1%}",
        )
        for key, measured in changes.items()
    ]
    headers = ("endpoint", "metric", "comparisons", "median change", "standard deviation", "called real")
    print(tabulate(rows, headers=headers, tablefmt="github"))
    total = sum(outcomes.values())
    print(f"\n{total} comparisons of {options.piece:g} s: ", end="")
    print(", ".join(f"{name} {count} ({count / total:.1%})" for name, count in outcomes.most_common()))


if __name__ == "__main__":
    main()
