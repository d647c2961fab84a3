"""How far the CPU time of a function differs between equal versions, by the error that it is said to have.

The reference service on PostgreSQL and Redis, compared with itself by the command line, its code sampled.
Each run is appended to the file as soon as it is over, and the same command goes on where it was ended. Users
call at fixed times, many of them together, or at drawn ones:

    python -m benchmarks.equal_code --out FILE [--runs 8]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from scipy import stats
from tabulate import tabulate

from ci_gate.evidence.readings import StrictValue
from ci_gate.evidence.recording import CODE_BASE, CODE_HEAD, LineWriter, read_recordings, read_run
from ci_gate.evidence.strict_json import read_lines
from ci_gate.judge.code.costs import REAL, measure_costs
from ci_gate.judge.code.difference import compare_code
from ci_gate.judge.steady import ClassifiedRecording, classify
from tests.conftest import Repository
from tests.run.reference_regressions import PACKAGE, write_versions
from tests.servers import running_postgres, running_redis

PACED: Final = "constant_pacing(0.4)"
WAITS: Final = {"together": PACED, "drawn": "between(0.2, 0.6)"}
COMMAND: Final = (sys.executable, "-m", "ci_gate", "run", "--quiet", "--base", "HEAD", "--profile-code")
TIMEOUT_S: Final = 300
MIN_MS: Final = 0.03  # on both sides together: five samples or so


class Change(StrictValue, frozen=True):
    """A function of both sides, in ms of a success, and the standard error of the difference."""

    function: str
    base_ms: float
    head_ms: float
    error_ms: float


class Run(StrictValue, frozen=True):
    """What was seen of two equal versions, and what was named."""

    load: str
    changes: tuple[Change, ...]
    named: tuple[str, ...]


def main() -> None:
    """The table of all runs in the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="runs are appended here, one a line")
    parser.add_argument("--runs", type=int, default=8, help="of each load")
    options = parser.parse_args()
    done = list(read_lines(options.out, Run)) if options.out.exists() else []
    left = [load for load in WAITS for _ in range(options.runs - sum(run.load == load for run in done))]
    with tempfile.TemporaryDirectory() as name, LineWriter(options.out) as lines:
        for run in measure(Path(name), left):
            lines.write(run)
            done.append(run)
    print(tabulate(list(make_rows(done)), headers="keys", tablefmt="github"))


def measure(folder: Path, loads: Sequence[str]) -> Iterator[Run]:
    """A run of each of these loads, on servers that are started once."""
    with running_postgres(folder) as postgres_url, running_redis(folder) as redis_url:
        for number, load in enumerate(loads):
            place = folder / str(number)
            place.mkdir()
            repository = Repository(place)
            write_versions(repository, None, postgres_url, redis_url)
            work = f"{PACKAGE}/scenarios/work.py"
            repository.edit(work, "import constant_pacing", "import between, constant_pacing")
            repository.edit(work, PACED, WAITS[load])
            out = folder / f"out-{number}"
            command = (*COMMAND, "--thresholds", str(repository.thresholds), "--out", str(out))
            subprocess.run(command, cwd=place, stdout=subprocess.DEVNULL, check=False, timeout=TIMEOUT_S)
            yield read_changes(load, out)


def read_changes(load: str, out: Path) -> Run:
    """Of each function that has enough time on a CPU."""
    recordings = read_recordings(out, read_run(out))
    sides = {name: classify(each, ()) for (_, name), each in recordings.items()}
    code = compare_code(sides, None)
    assert code is not None
    return Run(load=load, changes=tuple(_list(sides)), named=tuple(each.name for each in code.functions))


def _list(recordings: Mapping[str, ClassifiedRecording]) -> Iterator[Change]:
    sides = measure_costs([recordings[name] for name in (CODE_BASE, CODE_HEAD)])
    assert not isinstance(sides, str), sides
    own = [side.own() for side in sides]
    for function in sorted(sides[0].functions | sides[1].functions):
        base, head = (costs.cpu_ms(function) for costs in own)
        if base.value + head.value > MIN_MS:
            yield Change(
                function=function.name,
                base_ms=base.value,
                head_ms=head.value,
                error_ms=head.minus(base).error,
            )


def make_rows(runs: Sequence[Run]) -> Iterator[dict[str, object]]:
    """A row for each load: 1 is what the scatter is where the error is right."""
    for load in WAITS:
        mine = [run for run in runs if run.load == load]
        if not mine:
            continue
        errors = np.array(
            [(each.head_ms - each.base_ms) / each.error_ms for run in mine for each in run.changes]
        )
        df = len(errors) - 1
        bounds = np.sqrt(df * errors.var(ddof=1) / stats.chi2.ppf((0.975, 0.025), df))
        yield {
            "users call": load,
            "runs": len(mine),
            "functions": len(errors),
            "difference by its error, standard deviation": (
                f"{errors.std(ddof=1):.2f} ({bounds[0]:.2f} to {bounds[1]:.2f})"
            ),
            **{f"beyond {limit:g}": int((abs(errors) > limit).sum()) for limit in (3.0, REAL)},
            "runs that name a function": sum(bool(run.named) for run in mine),
        }


if __name__ == "__main__":
    main()
