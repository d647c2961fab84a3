r"""Whether a comparison that is adjusted for unequal waiting for a core finds more, at an honest level.

A regression of each window's ln(head / base) on the difference in waiting for a core for each success, of
recorded comparisons of equal versions (folders of `ci-gate calibrate`) and of synthetic series, beside what
the gate does. Head is made slower by an exactly known factor.

    python -m benchmarks.waiting FOLDER...
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.signal import lfilter
from tabulate import tabulate

from ci_gate.evidence.recording import DUET_BASE, DUET_HEAD, read_recordings, read_run
from ci_gate.judge.compare.duet import find_common
from ci_gate.judge.compare.windows import trimmed_mean
from ci_gate.judge.steady import ClassifiedRecording, classify
from ci_gate.thresholds import parse_thresholds

WINDOW_S = 2.0
ALPHA = 0.01
ASKED = ((0.0, 0.0), (0.1, 0.05), (0.2, 0.1))
"""How much slower head is made, and what is tolerated."""

Series = tuple[NDArray[np.float64], NDArray[np.float64]]
Estimate = tuple[float, float, float]


def leave(differences: NDArray[np.float64], _: NDArray[np.float64]) -> Estimate:
    """What the gate does: estimate, standard error, degrees of freedom."""
    return trimmed_mean(differences, 1)


def adjust(differences: NDArray[np.float64], waiting: NDArray[np.float64]) -> Estimate:
    """The difference at equal waiting, by least squares: Cochran (1957), Biometrics 13:261."""
    size, centred = differences.size, waiting - waiting.mean()
    square = float(centred @ centred)
    slope = float(centred @ differences) / square
    residuals = differences - differences.mean() - slope * centred
    variance = float(residuals @ residuals) / (size - 2) * (1 / size + waiting.mean() ** 2 / square)
    return float(differences.mean() - slope * waiting.mean()), float(np.sqrt(variance)), size - 2


def read_series(folder: Path, quantile: float) -> Iterator[Series]:
    """Differences and waiting (ms for each success) of each comparison in a folder of `ci-gate calibrate`."""
    for place in sorted(path.parent for path in folder.glob("*/run.json")):
        info = read_run(place)
        recordings = read_recordings(place, info)
        thresholds = parse_thresholds(info.thresholds_text, info.thresholds_file)
        for scenario in thresholds.scenarios:
            names = [(scenario.name, name) for name in (DUET_BASE, DUET_HEAD)]
            if all(name in recordings for name in names):
                sides = [classify(recordings[name], scenario.accept) for name in names]
                if find_common(tuple(side.steady for side in sides))[1] >= 10 * WINDOW_S:
                    yield _pair(sides, quantile)


def _pair(sides: Sequence[ClassifiedRecording], quantile: float) -> Series:
    begin_s, lasted_s = find_common(tuple(side.steady for side in sides))
    edges_s = begin_s + WINDOW_S * np.arange(int(lasted_s / WINDOW_S) + 1)
    quantiles, waited = zip(*(_window(side, edges_s, quantile) for side in sides), strict=True)
    differences, waiting = np.log(quantiles[1] / quantiles[0]), waited[1] - waited[0]
    known = np.isfinite(differences) & np.isfinite(waiting)
    return differences[known], waiting[known]


def _window(side: ClassifiedRecording, edges_s: NDArray[np.float64], quantile: float) -> Series:
    steady, machine = side.steady, side.recording.machine
    at_s, latency_ms = steady.samples["intended_s"][steady.success], steady.latency_ms[steady.success]
    parts = [(at_s >= low) & (at_s < high) for low, high in pairwise(edges_s)]
    figures = [np.quantile(latency_ms[part], quantile) if part.any() else np.nan for part in parts]
    read_s = np.array([reading.wall_s for reading in machine])
    total_s = np.cumsum([reading.service_waited_s or 0.0 for reading in machine])
    waited_s = np.diff(np.interp(edges_s, read_s, total_s))
    return np.array(figures), 1000 * waited_s / np.array([max(part.sum(), 1) for part in parts])


def simulate(*, by_waiting: float, unseen: float, starts: int = 1000, seed: int = 1) -> Iterator[Series]:
    """Windows of equal versions of which one waits more, by chance, for a whole start.

    ``by_waiting`` is what a unit of waiting adds, ``unseen`` the error with which it is measured.
    """
    draw = np.random.default_rng(seed)

    def walk(size: int, sd: float, memory: float) -> NDArray[np.float64]:
        shocks = draw.normal(0, sd * np.sqrt(1 - memory**2), size + 50)
        return np.asarray(lfilter([1], [1, -memory], shocks)[50:])

    for _ in range(starts):
        waiting = draw.normal(0, 0.2) + walk(20, 0.3, 0.3)
        yield by_waiting * waiting + walk(20, 0.1, 0.0), waiting + draw.normal(0, unseen, 20)


def summarise(name: str, series: Sequence[Series]) -> Iterator[tuple[str, ...]]:
    """A row for what the gate does, and one for what the regression would do."""
    for how, estimate in (("as it is", leave), ("adjusted", adjust)):
        known = [estimate(*each) for each in series]
        blocked = []
        for slower, tolerance in ASKED:
            found = [
                value + np.log1p(slower) > np.log1p(tolerance)
                and stats.t.sf((value + np.log1p(slower)) / error, df) < ALPHA
                for value, error, df in known
            ]
            blocked.append(f"{sum(found)} of {len(found)}")
        values, errors = (np.array([each[index] for each in known]) for index in (0, 1))
        rms = f"{np.sqrt(np.mean(values**2)):.1%}"
        yield name, how, rms, f"{np.median(errors):.1%}", *blocked


HEADERS = ("windows of", "", "rms", "error", *(f"+{100 * slower:.0f} %" for slower, _ in ASKED))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="*")
    rows = []
    folders = parser.parse_args().folders
    for quantile in (0.5, 0.95) if folders else ():
        series = [each for folder in folders for each in read_series(folder, quantile)]
        rows += summarise(f"recorded, p{100 * quantile:.0f}", series)
    for by_waiting, unseen in ((0.2, 0.0), (0.2, 0.3), (0.0, 0.0)):
        name = f"simulated, {by_waiting:.1f} by waiting, {unseen:.1f} unseen"
        rows += summarise(name, list(simulate(by_waiting=by_waiting, unseen=unseen)))
    print(tabulate(rows, HEADERS, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
