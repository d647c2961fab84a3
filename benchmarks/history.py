"""What the change points of `ci-gate history` find, and what they find where there is nothing.

Series of a metric of 60 commits that scatter as response times of one kind of machine do (log-normal):
equal versions, one step, a creep. Counted: series with any change point, the step at the right commit (and
within two of it), and for equal versions also whether any look would have found one while the series grew
from 10 to 60 commits, as the runs of a branch do.

    python -m benchmarks.history [--series 300]

Where apache-otava is installed, which is no dependency, it is asked about the same series: the best split,
and the change points at the same level, where sides may be as short as it takes.

    uv run --with apache-otava python -m benchmarks.history --otava
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from ci_gate.judge.history.change_points import MIN_RUNS_OF_A_LEVEL, find_best_split, find_change_points

COMMITS = 60
AT = 35
SCATTER = (0.05, 0.10)  # of a p95 from run to run, on machines of one kind
STEPS = (0.05, 0.10, 0.14, 0.20, 0.30)
NEAR = 2
ROUNDING = 1e-9

Series = NDArray[np.float64]


def main() -> None:
    """Draw the series, look for change points in each, and print what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--series", type=int, default=300, help="of each kind")
    parser.add_argument("--otava", action="store_true", help="compare with apache-otava instead")
    options = parser.parse_args()
    print(compare_with_otava(options.series) if options.otava else measure(options.series))


def measure(number: int) -> str:
    """A table with a row for each kind of series."""
    kinds = [
        ("equal versions", np.zeros(COMMITS)),
        *((f"+{step:.0%} at commit {AT}", make_step(step)) for step in STEPS),
        ("+20% in 41 small steps", make_creep(0.2, 41)),
    ]
    rows = [_count(name, scatter, number, level) for name, level in kinds for scatter in SCATTER]
    headers = ("series", "scatter", "any change", f"at {AT}", f"within {NEAR}", "too many")
    grown = sum(_finds_while_it_grows(each) for each in draw(SCATTER[1], number, np.zeros(COMMITS)))
    looks = COMMITS - 2 * MIN_RUNS_OF_A_LEVEL + 1
    return (
        f"{tabulate(rows, headers=headers, disable_numparse=True)}\n\n"
        f"equal versions, a look after each of {looks} commits: {grown} of {number} series had one at any"
    )


def make_step(size: float) -> Series:
    """Logarithms of the level: one step at commit `AT`."""
    return np.where(np.arange(COMMITS) >= AT, np.log1p(size), 0.0)


def make_creep(size: float, commits: int) -> Series:
    """Logarithms of the level: the same small step at each of the last ``commits``."""
    return np.clip(np.arange(COMMITS) - (COMMITS - commits) + 1, 0, None) / commits * np.log1p(size)


def draw(scatter: float, number: int, level: Series) -> Iterator[Series]:
    """``number`` series with seeds from 1."""
    for seed in range(1, number + 1):
        yield level + np.random.default_rng(seed).normal(0, scatter, COMMITS)


def _count(name: str, scatter: float, number: int, level: Series) -> tuple[str, ...]:
    found = [find_change_points(each) for each in draw(scatter, number, level)]
    shares = (
        sum(bool(each) for each in found),
        sum(AT in each for each in found),
        sum(any(abs(at - AT) <= NEAR for at in each) for each in found),
        sum(len(each) > 1 for each in found),
    )
    return name, f"{scatter:.0%}", *(f"{100 * share / number:.1f} %" for share in shares)


def _finds_while_it_grows(series: Series) -> bool:
    sizes = range(2 * MIN_RUNS_OF_A_LEVEL, len(series) + 1)
    return any(find_change_points(series[:size]) for size in sizes)


def compare_with_otava(number: int) -> str:
    """In how many series both find the same."""
    from otava.change_point_divisive.calculator import (  # type: ignore[import-not-found]
        PairDistanceCalculator,
    )
    from otava.change_point_divisive.detector import (  # type: ignore[import-not-found]
        ChangePointDetector,
    )
    from otava.change_point_divisive.significance_test import (  # type: ignore[import-not-found]
        PermutationsSignificanceTester,
    )

    shuffles = 99
    same_split = same_points = total = 0
    for level in (np.zeros(COMMITS), make_step(0.2), make_creep(0.3, 41)):
        for series in draw(SCATTER[1], number, level):
            best = PairDistanceCalculator(series).get_next_candidate([slice(None, None)])
            quality, at = find_best_split(series)
            tester = PermutationsSignificanceTester(1e-9, shuffles, PairDistanceCalculator, seed=1)
            theirs = ChangePointDetector(tester, PairDistanceCalculator).get_change_points(series)
            ours = find_change_points(series, shuffles=shuffles, shortest=1)
            total += 1
            same_split += at == best.index and abs(quality - best.qhat) < ROUNDING
            same_points += ours == tuple(int(point.index) for point in theirs)
    return (
        f"{total} series: the same best split with the same Q in {same_split}, "
        f"the same change points in {same_points} (each shuffles by itself)"
    )


if __name__ == "__main__":
    main()
