"""Does the diagnosis name the fault, and nothing that is not there? Each cause, and healthy services.

Every run is a real one of the command line, its service started afresh with fresh tables, on a PostgreSQL and
a Redis of its own. Its causes are appended to a file, a line a run, and the case with the fewest lines comes
next: so it goes on where it was ended. Prints a line per run and a table at the end. Exit code 1 where a case
is named first in fewer than 9 of 10 runs, or where one names what is not there. Cases in containers are left
out where no engine answers:

    python -m benchmarks.diagnoses --out FILE [--rounds 10] [--for 600] [--keep FOLDER] [CASE...]
    python -m benchmarks.diagnoses --out FILE --table
    python -m benchmarks.diagnoses --out FILE --judge FOLDER     # anew, what --keep has left
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from benchmarks.diagnoses.cases import CASES, Case
from benchmarks.diagnoses.measure import judge_evidence, measure
from benchmarks.diagnoses.place import has_engine, running_place
from benchmarks.diagnoses.rows import Row, are_right, describe, is_right, list_invented, render, rows_of
from ci_gate.evidence.recording import LineWriter
from ci_gate.evidence.strict_json import read_lines

RESULTS = Path(__file__).with_name("results.jsonl")
"""What is kept of runs, for docs/diagnosis.md."""


def read_rows(out: Path) -> list[Row]:
    """Those that are there."""
    return list(read_lines(out, Row)) if out.exists() else []


def run_cases(cases: list[Case], options: argparse.Namespace) -> None:
    """One run after another, until each case has its rounds or the time is over."""
    needs_engine = any(case.needs_engine for case in cases)
    with running_place(with_engine=needs_engine, seconds=options.seconds) as place:
        began_s = time.monotonic()
        while time.monotonic() < began_s + options.for_s:
            rows = read_rows(options.out)
            case = min(cases, key=lambda each: len(rows_of(each, rows)))
            number = len(rows_of(case, rows))
            if number >= options.rounds:
                return
            row = measure(case, place, number, options.keep)
            with LineWriter(options.out) as lines:
                lines.write(row)
            report(case, row)


def report(case: Case, row: Row) -> None:
    """A line for a person who watches."""
    invented = list_invented(case, row)
    word = "right" if is_right(case, row) and not invented else "WRONG"
    about = f"{row.outcome} {', '.join(row.findings)}, load average before {row.load_average:.1f}"
    print(f"{word} {case.name}: {describe(row)} ({about})", flush=True)


def judge_again(out: Path, kept: Path) -> None:
    """Each row as the code of now judges its evidence."""
    rows = [judge_evidence(row, kept) for row in read_rows(out)]
    out.unlink()
    with LineWriter(out) as lines:
        for row in rows:
            lines.write(row)


def main() -> int:
    """0 where all that was run is right."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [case.name for case in CASES]
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"only these, of: {', '.join(names)}")
    parser.add_argument("--out", type=Path, required=True, help="one line a run, appended")
    parser.add_argument("--rounds", type=int, default=10, help="runs of each case, with those that are there")
    parser.add_argument("--for", type=float, default=7200, dest="for_s", help="begin no run after so many s")
    parser.add_argument("--seconds", type=float, default=8.0, help="of the steady phase")
    parser.add_argument("--keep", type=Path, help="keep the evidence of each run below this folder")
    parser.add_argument("--judge", type=Path, help="run nothing: judge what --keep has left in this folder")
    parser.add_argument("--table", action="store_true", help="run nothing")
    options = parser.parse_args()
    if unknown := set(options.cases) - set(names):
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    if options.judge:
        judge_again(options.out, options.judge)
    elif not options.table:
        cases = [case for case in CASES if not options.cases or case.name in options.cases]
        if not has_engine():
            cases = [case for case in cases if not case.needs_engine]
        run_cases(cases, options)
    rows = read_rows(options.out)
    print(render(rows))
    return int(not are_right(rows))


if __name__ == "__main__":
    sys.exit(main())
