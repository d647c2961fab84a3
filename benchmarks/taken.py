"""What other programs do to a scenario's latencies, and what the gate says of it then.

One run of the scenario for each number of cores that two programs in sessions of their own try to take, with
the figures of its first measurement: `machine-taken` has it measured once more.

    python -m benchmarks.taken [--scenario burst-load] [--cores 0 0.3 0.5 1 1.5] [--rounds 1]
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tabulate import tabulate

from benchmarks.pairs import REPOSITORY, find_scenario, load_thresholds
from ci_gate.evidence.recording import read_recording
from ci_gate.judge.foreign import find_foreign
from ci_gate.judge.steady import classify
from ci_gate.judge.summary import summarise
from ci_gate.judge.verdict import ScenarioVerdict, decode_verdict
from ci_gate.thresholds import Scenario
from ci_gate.wording import format_number

PROGRAMS = 2
MAX_RUN_S = 600.0
TAKES = """
import os, sys, time
print(os.getpid(), flush=True)
busy_s = 0.1 * float(sys.argv[1])
for _ in range(6000):  # ten minutes at most
    end = time.monotonic() + busy_s
    while time.monotonic() < end:
        pass
    time.sleep(0.1 - busy_s)
"""


@contextlib.contextmanager
def taking(cores: float) -> Iterator[None]:
    """Programs below init, as of somebody else, that are busy for their part of each tenth of a second."""
    with contextlib.ExitStack() as stack:
        for _ in range(PROGRAMS if cores else 0):
            command = ["setsid", "--fork", sys.executable, "-c", TAKES, str(min(cores / PROGRAMS, 1.0))]
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            assert process.stdout is not None
            stack.callback(os.kill, int(process.stdout.readline()), signal.SIGKILL)
        yield


@dataclasses.dataclass(frozen=True, kw_only=True)
class TakenCell:
    """``cores`` are taken, for the first ``for_s`` of the load or throughout; ``faults`` slow the service."""

    cores: float
    for_s: float | None = None
    faults: str = ""


TOO_SLOW = "extra_cpu=0.9ms"  # at 0.45 ms a request: p50 is twice the limit of burst-load, and more
CELLS = {
    "taken": TakenCell(cores=1.5),
    "taken at first": TakenCell(cores=1.5, for_s=30.0),
    "too slow, taken": TakenCell(cores=1.5, faults=TOO_SLOW),
    "too slow": TakenCell(cores=0.0, faults=TOO_SLOW),
    "too slow, a little taken": TakenCell(cores=0.3, faults=TOO_SLOW),
}


def measure_cell(scenario: Scenario, cell: TakenCell) -> tuple[str, dict[str, float], list[str]]:
    """The outcome of one run, figures of its first measurement, and the codes of its findings."""
    with tempfile.TemporaryDirectory() as folder:
        verdict, figures = run_once(scenario, cell, Path(folder) / "out")
    return (
        str(verdict.outcome),
        {name: value for name, value in figures.items() if value is not None},
        [each.code for each in verdict.findings if each.severity != "info"],
    )


def run_once(
    scenario: Scenario, cell: TakenCell, out: Path
) -> tuple[ScenarioVerdict, dict[str, float | None]]:
    """The verdict of a run of this scenario, and the figures of its first measurement."""
    command = [sys.executable, "-m", "ci_gate", "run", "--quiet", "--profile", "quick"]
    with contextlib.ExitStack() as stack:
        takers = stack.enter_context(contextlib.ExitStack())
        takers.enter_context(taking(cell.cores))
        run = stack.enter_context(
            subprocess.Popen(
                [*command, "--scenario", scenario.name, "--out", out],
                cwd=REPOSITORY,
                env={**os.environ, "FAULTS": cell.faults},
                stdout=subprocess.DEVNULL,
            )
        )
        stack.callback(run.terminate)
        if cell.for_s is not None:
            await_steady(run, out / scenario.name / "head" / "marks.jsonl")
            with contextlib.suppress(subprocess.TimeoutExpired):
                run.wait(cell.for_s)
            takers.close()
        run.wait(MAX_RUN_S)
    (verdict,) = decode_verdict((out / "verdict.json").read_bytes()).scenarios
    first = out / scenario.name / "head-taken"
    recording = read_recording(first if first.exists() else out / scenario.name / "head")
    steady = classify(recording, scenario.accept).steady
    total = summarise(steady)[0]
    foreign = find_foreign(each for each in recording.machine if each.wall_s > steady.begin_s)
    return verdict, {
        "taken": foreign[0] if foreign else None,
        "rate": total.rate_per_s,
        "p50": total.p50_ms,
        "p95": total.p95_ms,
    }


def await_steady(run: subprocess.Popen[bytes], marks: Path) -> None:
    """Until the load on head is in its steady phase, or the run is over."""
    for _ in range(round(MAX_RUN_S / 0.2)):
        if run.poll() is not None or (marks.exists() and '"steady"' in marks.read_text(encoding="utf-8")):
            return
        time.sleep(0.2)


def measure(scenario: Scenario, cores: float, out: Path) -> list[str]:
    """A row of the table."""
    verdict, figures = run_once(scenario, TakenCell(cores=cores), out)
    taken = figures["taken"]
    return [
        format_number(cores),
        "-" if taken is None else f"{taken:.2f}",
        *(format_number(figures[name] or 0.0) for name in ("rate", "p50", "p95")),
        str(verdict.outcome),
        ", ".join(finding.code for finding in verdict.findings if finding.severity != "info"),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--scenario", default="burst-load")
    parser.add_argument("--cores", type=float, nargs="+", default=[0.0, 0.3, 0.5, 1.0, 1.5])
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    scenario = find_scenario(load_thresholds(), options.scenario)
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            measure(scenario, cores, Path(folder) / f"{number}-{cores}")
            for number in range(options.rounds)
            for cores in options.cores
        ]
    headers = ["cores asked for", "taken", "rate /s", "p50 ms", "p95 ms", "outcome", "findings"]
    print(tabulate(rows, headers, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
