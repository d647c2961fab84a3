"""Makes the tables of `benchmarks.designs` from its raw readings."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from tabulate import tabulate

from benchmarks.designs_plan import DESIGNS, DUET, GATE, SEQUENTIAL, Cell
from benchmarks.designs_read import QUANTILES, Reading
from benchmarks.power import share

LABELS = {
    DUET: "duet (both at once)",
    SEQUENTIAL: "base, then head",
    GATE: "the gate's own decision, at most 120 s",
}
FALSE_ALARM = 0.10
PAIRED = ("p50", "p95")  # a p99 has too few samples in a turn


def render(readings: Sequence[Reading], cells: Sequence[Cell]) -> str:
    """All tables, as Markdown."""
    metric_of = {cell.name: cell.metric for cell in cells}
    return "\n\n".join(
        [
            "Scatter and false alarms: " + SCATTER_SAYS,
            tabulate(scatter_rows(readings), headers=SCATTER_HEADERS, tablefmt="github"),
            "What is found: " + FOUND_SAYS,
            tabulate(found_rows(readings, cells), headers=found_headers(cells), tablefmt="github"),
            "What the whole duets read (plain percentiles, mean of the pairs), and what the gate decided:",
            tabulate(effect_rows(readings, metric_of), headers=EFFECT_HEADERS, tablefmt="github"),
        ]
    )


SCATTER_SAYS = (
    "standard deviation of log(head/base) within a cell, all cells; false alarms are readings of equal code "
    f"beyond +{FALSE_ALARM:.0%}, at p50 and p95; for the gate, blocked duets. `in windows` is the gate's "
    "estimate of the same turns."
)
SCATTER_HEADERS = (
    "CPU noise",
    "design",
    "readings",
    "p50",
    "p95",
    "p99",
    "false alarms p50",
    "false alarms p95",
)


def scatter_rows(readings: Iterable[Reading]) -> list[tuple[str, ...]]:
    """A row for each design, quiet and noisy; the gate's has only its false alarms."""
    rows = []
    for noisy in (False, True):
        of_noise = [reading for reading in readings if reading.noise is noisy]
        for design in DESIGNS:
            mine = [reading for reading in of_noise if reading.design == design]
            if not mine:
                continue
            equal = [reading for reading in mine if not reading.effect]
            alarms = [
                share(sum(reading.changes[metric] > FALSE_ALARM for reading in equal), len(equal))
                for metric in ("p50", "p95")
            ]
            deviations = [f"{deviation(mine, metric):.1%}" for metric in QUANTILES]
            rows.append((on_off(noisy), LABELS[design], str(len(mine)), *deviations, *alarms))
            paired = [reading for reading in mine if all(name in reading.paired for name in PAIRED)]
            if paired:
                deviations = [f"{deviation(paired, metric, paired=True):.1%}" for metric in PAIRED]
                rows.append(
                    (on_off(noisy), f"{design}, in windows", str(len(paired)), *deviations, "", "", "")
                )
        decided = [reading for reading in of_noise if reading.design == GATE and not reading.effect]
        blocked = share(sum(reading.outcome == "FAIL" for reading in decided), len(decided))
        rows.append((on_off(noisy), LABELS[GATE], str(len(decided)), "", "", "", blocked, ""))
    return rows


def deviation(readings: Iterable[Reading], metric: str, *, paired: bool = False) -> float:
    """Standard deviation of the log ratios around the mean of their own cell and pair, pooled."""
    groups: dict[tuple[str, int], list[float]] = {}
    for reading in readings:
        change = (reading.paired if paired else reading.changes)[metric]
        groups.setdefault((reading.cell, reading.pair), []).append(float(np.log1p(change)))
    squares = sum(float(np.var(group)) * len(group) for group in groups.values())
    return float(np.sqrt(squares / max(sum(len(group) - 1 for group in groups.values()), 1)))


FOUND_SAYS = (
    "readings beyond half of the effect, with the exact 95 % interval; for the gate, duets that it blocks at "
    "half of the effect as tolerance. Each fault is read at the percentile named. `equal` is what equal code "
    "shows beyond the same bar: false alarms."
)


def found_headers(cells: Sequence[Cell]) -> tuple[str, ...]:
    """A column for each fault."""
    faults = (f"{cell.name} ({cell.metric})" for cell in cells if cell.pairs[0][0])
    return "CPU noise", "effect", "design", *faults, "all faults", "equal"


def found_rows(readings: Sequence[Reading], cells: Sequence[Cell]) -> list[tuple[str, ...]]:
    """A row for each design, effect and noise; a column for each fault."""
    faults = [cell for cell in cells if cell.pairs[0][0]]
    effects = sorted({effect for cell in faults for effect, *_ in cell.pairs})
    rows = []
    for noisy, effect, design in itertools.product((False, True), effects, (*DESIGNS, GATE)):
        mine = [reading for reading in readings if (reading.noise, reading.design) == (noisy, design)]
        of_cells = [
            [each for each in mine if (each.cell, each.effect) == (cell.name, effect)] for cell in faults
        ]
        counts = [count_found(of_cell, cell, effect) for of_cell, cell in zip(of_cells, faults, strict=True)]
        hits, of = (sum(column) for column in zip(*counts, strict=True))
        if of:
            each = [f"{found}/{total}" if total else "-" for found, total in counts]
            equal = count_found([reading for reading in mine if not reading.effect], faults[0], effect)
            label = (on_off(noisy), f"+{effect:.0%}", LABELS[design])
            rows.append((*label, *each, share(hits, of), share(*equal)))
    return rows


def count_found(readings: Sequence[Reading], cell: Cell, effect: float) -> tuple[int, int]:
    """How many readings are beyond half of the effect (of the gate: are blocked), and of how many."""
    found = sum(
        reading.outcome == "FAIL" if reading.design == GATE else reading.changes[cell.metric] > effect / 2
        for reading in readings
    )
    return found, len(readings)


EFFECT_HEADERS = ("cell", "nominal", "CPU noise", "duet p50", "duet p95", "gate", "after s")


def effect_rows(readings: Sequence[Reading], metric_of: dict[str, str]) -> list[tuple[str, ...]]:
    """What the duets read of each effect, as one figure over their whole length."""
    rows = []
    keys = dict.fromkeys((r.cell, r.effect, r.noise) for r in readings if r.design == GATE)
    for cell, effect, noisy in keys:
        mine = [r for r in readings if (r.cell, r.effect, r.noise, r.design) == (cell, effect, noisy, GATE)]
        means = [
            f"{np.mean([reading.changes[metric] for reading in mine]):+.1%}" for metric in ("p50", "p95")
        ]
        outcomes = Counter(reading.outcome for reading in mine)
        decided = ", ".join(f"{name} {count}" for name, count in outcomes.most_common())
        seconds = "/".join(f"{reading.seconds:.0f}" for reading in mine)
        rows.append(
            (f"{cell} ({metric_of[cell]})", f"+{effect:.0%}", on_off(noisy), *means, decided, seconds)
        )
    return rows


def on_off(noisy: bool) -> str:
    """``on`` or ``off``."""
    return "on" if noisy else "off"
