"""What other programs do to a scenario's latencies, and what the gate says of it then.

One run of the scenario for each number of cores that two programs in sessions of their own try to take, with
the figures of its first measurement: `machine-taken` has it measured once more.

    python -m benchmarks.taken [--scenario burst-load] [--cores 0 0.3 0.5 1 1.5] [--rounds 1]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tabulate import tabulate

from benchmarks.pairs import REPOSITORY, find_scenario, load_thresholds
from ci_gate.evidence.recording import read_recording
from ci_gate.judge.foreign import find_foreign
from ci_gate.judge.steady import classify
from ci_gate.judge.summary import summarise
from ci_gate.judge.verdict import decode_verdict
from ci_gate.thresholds import Scenario
from ci_gate.wording import format_number

PROGRAMS = 2
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


def measure(scenario: Scenario, cores: float, out: Path) -> list[str]:
    """A row of the table."""
    command = [sys.executable, "-m", "ci_gate", "run", "--quiet", "--profile", "quick"]
    with taking(cores):
        subprocess.run(
            [*command, "--scenario", scenario.name, "--out", out],
            cwd=REPOSITORY,
            check=False,
            stdout=subprocess.DEVNULL,
            timeout=600,
        )
    (verdict,) = decode_verdict((out / "verdict.json").read_bytes()).scenarios
    first = out / scenario.name / "head-taken"
    recording = read_recording(first if first.exists() else out / scenario.name / "head")
    steady = classify(recording, scenario.accept).steady
    total = summarise(steady)[0]
    foreign = find_foreign(each for each in recording.machine if each.wall_s > steady.begin_s)
    return [
        format_number(cores),
        "-" if foreign is None else f"{foreign[0]:.2f}",
        *(format_number(value or 0.0) for value in (total.rate_per_s, total.p50_ms, total.p95_ms)),
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
