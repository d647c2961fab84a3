"""Duet against base-then-head: one machine, one run, turn by turn.

For each fault (and for equal versions), quiet and with CPU noise made on purpose, a few pairs of services run
at the same time, each with Locusts that are kept warm; a side that is not to be loaded has its Locusts
stopped. Both designs get the same time a turn and put as many requests a second on the machine:

- duet: half of the users on base, half on head, at once;
- sequential: all users on base for the first half of the turn, then on head.

The first 2 s after a side was switched on do not count, nor what was in flight at the end. The duet lasts two
minutes: its four quarters are its turns, and the whole is judged by the gate itself. Readings are appended
to a file as soon as their cell is done; the tables are made from the file:

    python -m benchmarks.designs --out FILE [--turns 3] [--seconds 28] [--minutes 70] [--cells cpu,lock]
    python -m benchmarks.designs --out FILE --table
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from pathlib import Path

from benchmarks.designs_load import measure_cell
from benchmarks.designs_plan import MATRIX, plan_pieces
from benchmarks.designs_read import Reading
from benchmarks.designs_table import render
from benchmarks.pairs import load_thresholds
from ci_gate.evidence.recording import LineWriter
from ci_gate.evidence.strict_json import read_lines


def main() -> None:
    """Measure cell by cell, append, and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="readings are appended here, one a line")
    parser.add_argument("--turns", type=int, default=3, help="of base-then-head; the duet has 4")
    parser.add_argument("--seconds", type=float, default=28, help="of one turn")
    parser.add_argument("--minutes", type=float, default=70, help="no cell is begun after this time")
    parser.add_argument("--cells", default=",".join(cell.name for cell in MATRIX))
    parser.add_argument("--noise", choices=("both", "on", "off"), default="both")
    parser.add_argument("--table", action="store_true", help="measure nothing, print what the file holds")
    options = parser.parse_args()
    if not options.table:
        measure_matrix(options)
    print(render(read_lines(options.out, Reading), MATRIX))


def measure_matrix(options: argparse.Namespace) -> None:
    """Every chosen cell, quiet and noisy, as long as the time lasts."""
    thresholds = load_thresholds()
    began = time.monotonic()
    noises = {"both": (True, False), "on": (True,), "off": (False,)}[options.noise]
    chosen = [cell for cell in MATRIX if cell.name in options.cells.split(",")]
    for noisy, cell in itertools.product(noises, chosen):
        longest_s = thresholds.compare.max_duration_s
        pieces = plan_pieces(options.turns, options.seconds, longest_s)
        passed_min = (time.monotonic() - began) / 60
        if passed_min > options.minutes:
            return
        planned = f"{sum(slot.seconds for piece in pieces for slot in piece) / 60:.1f} min"
        print(f"{passed_min:.0f} min: {cell.name}, noise {noisy}, {planned}", file=sys.stderr, flush=True)
        readings = measure_cell(thresholds, cell, pieces, noisy=noisy)
        with LineWriter(options.out) as lines:
            for reading in readings:
                lines.write(reading)


if __name__ == "__main__":
    main()
