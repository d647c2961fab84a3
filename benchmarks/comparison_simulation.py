"""How often the comparison blocks equal code, and how often it finds a slower head.

    python -m benchmarks.comparison_simulation --runs 200

Prints a Markdown table. Each run is a whole plan of interim analyses of 2 minutes, on simulated noise or on
pieces of a recorded duet (tests/data/duet.npz). A few minutes of one core for every 200 runs.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Final

import numpy as np
from tabulate import tabulate

from ci_gate.judge.compare.comparison import compare, settle
from ci_gate.judge.compare.interim import plan_interim
from tests.judge.duets import (
    BUSY,
    ENDPOINTS,
    HOSTILE,
    QUIET,
    Duet,
    change_response,
    load_minutes,
    phase,
    resample,
    simulate,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

DURATION_S: Final = 120.0
ALPHA: Final = 0.01
DEFAULT: Final = {"p50": 0.10, "p95": 0.20, "rate": 0.05, "failures": 0.01}
HALF: Final = {"p50": 0.05, "p95": 0.10, "rate": 0.05, "failures": 0.01}
TAIL_ONLY: Final = {"p95": 0.10}

minutes = cache(load_minutes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A change made to head, and what it is judged by."""

    name: str
    change: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
    tolerances: dict[str, float]


def slow_down(factor: float, _: NDArray[np.float64], response_ms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Every request."""
    return response_ms * factor


def slow_tail(
    factor: float, at_s: NDArray[np.float64], response_ms: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The slowest tenth of every second, so that the median stays; no window is shorter."""
    result = response_ms.copy()
    for second in np.arange(0, DURATION_S):
        rows = (at_s >= second) & (at_s < second + 1)
        if rows.any():
            result[rows & (response_ms > np.quantile(response_ms[rows], 0.9))] *= factor
    return result


CASES: Final = (
    Case(name="equal code", change=partial(slow_down, 1.0), tolerances=DEFAULT),
    Case(name="equal code, tolerance 0", change=partial(slow_down, 1.0), tolerances=dict.fromkeys(HALF, 0.0)),
    Case(name="+10 % everywhere, half tolerances", change=partial(slow_down, 1.1), tolerances=HALF),
    Case(name="+20 % in the tail, p95 within 10 %", change=partial(slow_tail, 1.2), tolerances=TAIL_ONLY),
    Case(name="+20 % everywhere", change=partial(slow_down, 1.2), tolerances=DEFAULT),
)
SOURCES: Final[dict[str, Callable[[np.random.Generator], Duet]]] = {
    "recorded, busy hour": lambda rng: resample(rng, minutes("aa"), DURATION_S),
    "simulated quiet": lambda rng: simulate(rng, DURATION_S, QUIET),
    "simulated busy": lambda rng: simulate(rng, DURATION_S, BUSY),
    "simulated hostile": lambda rng: simulate(rng, DURATION_S, HOSTILE),
}


def run(duet: Duet, tolerances: dict[str, float]) -> tuple[str, float]:
    """The outcome and the seconds of load it took."""
    for interim in plan_interim(DURATION_S):
        comparison = compare(
            *duet,
            endpoints=ENDPOINTS,
            tolerances=tolerances,
            phase=phase(interim.duration_s),
            interim=interim,
            alpha=ALPHA,
        )
        outcome = settle(comparison)
        if outcome != "INCONCLUSIVE" or interim.is_last:
            break
    return outcome, interim.duration_s


def measure(source: Callable[[np.random.Generator], Duet], case: Case, runs: int) -> list[str]:
    """The table's cells: shares of outcomes, and mean seconds of load."""
    results = []
    for seed in range(runs):
        base, head = source(np.random.default_rng([1, seed]))
        results.append(run((base, change_response(head, case.change)), case.tolerances))
    shares = Counter(outcome for outcome, _ in results)
    return [
        *(f"{shares[outcome] / runs:.1%}" for outcome in ("FAIL", "PASS", "INCONCLUSIVE")),
        f"{np.mean([seconds for _, seconds in results]):.0f}",
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=200)
    runs = parser.parse_args().runs
    rows = [
        [noise, case.name, *measure(source, case, runs)]
        for noise, source in SOURCES.items()
        for case in CASES
    ]
    headers = ["noise", "head", "FAIL", "PASS", "INCONCLUSIVE", "mean s"]
    print(tabulate(rows, headers, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
