"""Does `ci-gate capacity` find the knee where arithmetic says? On services whose capacity is known.

The reference service with a pool of one connection that each unit of work holds for 25 ms serves 40 requests
a second at most, and fewer by the time its own work takes; with 5 ms of CPU added to each request, one core
serves 200 at most, and fewer by the CPU that a request takes anyway. Both times are read from a healthy run.
Users of concurrent-deployments wait 1.25 s on average, so that the knee is at (1.25 s + response time) times
as many users. On the embedded SQLite, or with --servers on PostgreSQL and Redis. About four minutes a line;
only a machine that does nothing else shows its own capacity:

    python -m benchmarks.capacity_truth [--servers] [--out FOLDER] [FAULT...]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
import numpy as np
from tabulate import tabulate

from ci_gate.evidence import read_recordings, read_run
from ci_gate.judge.capacity import CapacityVerdict
from ci_gate.judge.knee import Knee
from ci_gate.judge.scalability import Scalability
from ci_gate.judge.step_windows import Estimate
from ci_gate.report.capacity import format_estimate, tell
from tests.servers import running_postgres, running_redis

REPOSITORY = Path(__file__).parents[1]
SCENARIO = "concurrent-deployments"
WAIT_S = 1.25
HOLD_S = {"tiny_pool=25ms": 0.025, "tiny_pool=50ms": 0.050, "extra_cpu=5ms": 0.005}
COMMAND = (sys.executable, "-m", "ci_gate.cli", "capacity", SCENARIO, "--quiet", "--out")
CONTEXT = ("ran out first", "scalability law", "the machine")
MISSED = "MISSED"
CALM = 0.2  # of scatter, as the report has it
HEADERS = ("fault", "ceiling expected", "ceiling found", "knee expected", "knee found", "users that fit", "")


def measure(fault: str, out: Path, env: dict[str, str]) -> CapacityVerdict:
    """One capacity measurement through the real command line."""
    subprocess.run(
        [*COMMAND, str(out)],
        cwd=REPOSITORY,
        env={**env, "FAULTS": fault},
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=1800,
    )
    return msgspec.json.decode((out / "capacity.json").read_bytes(), type=CapacityVerdict)


def own_times_s(healthy: CapacityVerdict, out: Path) -> dict[str, float]:
    """By fault, what a request takes without it: response time, or CPU, where nothing waits."""
    lightest = min(healthy.steps, key=lambda step: step.load)
    recording = read_recordings(out, read_run(out))[SCENARIO, lightest.name]
    steady = recording.mark("steady").wall_s
    percents = [each.service_cpu_percent for each in recording.machine if each.wall_s > steady]
    cpu_s = float(np.mean([each for each in percents if each is not None])) / 100 / lightest.rate_per_s
    return {"tiny_pool": lightest.p50_ms / 1000, "extra_cpu": cpu_s}


def compare(fault: str, verdict: CapacityVerdict, own_s: float) -> tuple[str, ...]:
    """One row: expected are ranges, from all of a request's own time to none of it on top of the fault's."""
    hold_s = HOLD_S[fault]
    low, high = 1 / (hold_s + own_s), 1 / hold_s
    users = low * (WAIT_S + hold_s), high * (WAIT_S + hold_s + own_s)
    expected = (f"{low:.1f} to {high:.0f}/s", f"{users[0]:.0f} to {users[1]:.0f}")
    if not isinstance(verdict.knee, Knee):
        return (fault, expected[0], "-", expected[1], "not seen", describe_fit(verdict), judge_miss(verdict))
    knee = verdict.knee
    hit = overlaps(knee.ceiling_per_s, (low, high)) and overlaps(knee.load, users)
    found = format_estimate(knee.ceiling_per_s), format_estimate(knee.load)
    return (
        *(fault, expected[0], found[0], expected[1], found[1]),
        *(describe_fit(verdict), "as expected" if hit else judge_miss(verdict)),
    )


def judge_miss(verdict: CapacityVerdict) -> str:
    """A machine that others used has another capacity, and no arithmetic knows it."""
    law = verdict.scalability
    is_calm = isinstance(law, Scalability) and law.scatter <= CALM
    return MISSED if is_calm else "the machine was not ours alone"


def overlaps(estimate: Estimate, span: tuple[float, float]) -> bool:
    """Whether the interval and the range have something in common."""
    return estimate.low <= span[1] and estimate.high >= span[0]


def describe_fit(verdict: CapacityVerdict) -> str:
    """From the most users that kept the limits to the fewest that did not."""
    kept, breached = verdict.step(verdict.fit.kept), verdict.step(verdict.fit.breached)
    return f"{kept.load if kept else 0:,.0f} to {breached.load if breached else np.inf:,.0f}"


def main() -> int:
    """Exit code 1 where a knee is not where arithmetic says, on a machine that was calm."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("faults", nargs="*", metavar="FAULT", default=list(HOLD_S), help=", ".join(HOLD_S))
    parser.add_argument("--servers", action="store_true", help="PostgreSQL and Redis instead of SQLite")
    parser.add_argument("--out", type=Path, help="keep evidence and reports here")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        out = options.out or folder / "out"
        env = dict(os.environ)
        if options.servers:
            env["DATABASE_URL"] = stack.enter_context(running_postgres(folder))
            env["REDIS_URL"] = stack.enter_context(running_redis(folder))
        print(f"load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs", flush=True)
        healthy = measure("", out / "healthy", env)
        print("\n".join(f"healthy: {title}: {sentence}" for title, sentence in tell(healthy)), flush=True)
        own_s = own_times_s(healthy, out / "healthy")
        rows = []
        for fault in options.faults:
            verdict = measure(fault, out / fault, env)
            rows.append(compare(fault, verdict, own_s[fault.partition("=")[0]]))
            print("  ".join(rows[-1]), flush=True)
            told = dict(tell(verdict))
            print("\n".join(f"  {key}: {told[key]}" for key in CONTEXT if key in told), flush=True)
    print(tabulate(rows, headers=HEADERS, tablefmt="github", disable_numparse=True))
    return int(any(row[-1] == MISSED for row in rows))


if __name__ == "__main__":
    sys.exit(main())
