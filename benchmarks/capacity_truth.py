"""Does `ci-gate capacity` find the knee where arithmetic says? On services whose capacity is known.

The reference service with a pool of one connection that each unit of work holds for 25 ms serves at most 40
requests a second; with 5 ms of CPU added to each request, one core serves at most 200. At least it serves one
in the time that a request takes when nothing waits, which the lightest step shows. Users of
concurrent-deployments wait 1.25 s on average, so the knee is at (1.25 s + that time) times as many users.
On the embedded SQLite, or with --servers on PostgreSQL and Redis; `none` is the healthy service, of which
nothing is known. About four minutes a line; only a machine that does nothing else shows its own capacity:

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

from ci_gate.judge.capacity.knee import Knee
from ci_gate.judge.capacity.scalability import Scalability
from ci_gate.judge.capacity.step_windows import Estimate
from ci_gate.judge.capacity.verdict import CapacityVerdict
from ci_gate.report.capacity import explain_capacity, format_estimate
from tests.servers import running_postgres, running_redis

REPOSITORY = Path(__file__).parents[1]
SCENARIO = "concurrent-deployments"
WAIT_S = 1.25
HOLD_S = {"tiny_pool=25ms": 0.025, "tiny_pool=50ms": 0.050, "extra_cpu=5ms": 0.005}
COMMAND = (sys.executable, "-m", "ci_gate", "capacity", SCENARIO, "--quiet", "--out")
CONTEXT = ("ran out first", "scalability law", "the machine")
NONE = "none"
MISSED = "MISSED"
CALM = 0.2  # of scatter, as the report has it
HEADERS = ("fault", "expected", "ceiling", "knee in users", "users that fit", "")


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


def compare(fault: str, verdict: CapacityVerdict) -> tuple[str, ...]:
    """One row. Expected are ranges: a request may spend its own time beside what is full, or in it."""
    if fault == NONE:
        return (fault, "-", *describe_knee(verdict.knee), describe_fit(verdict), "")
    hold_s, alone_s = HOLD_S[fault], min(verdict.steps, key=lambda step: step.load).p50_ms / 1000
    ceilings = 1 / alone_s, 1 / hold_s
    users = tuple(each * (WAIT_S + alone_s) for each in ceilings)
    expected = f"{ceilings[0]:.1f} to {ceilings[1]:.0f}/s, {users[0]:.0f} to {users[1]:.0f} users"
    knee = verdict.knee
    is_hit = isinstance(knee, Knee) and overlaps(knee.ceiling_per_s, ceilings) and overlaps(knee.load, users)
    judged = "as expected" if is_hit else judge_miss(verdict)
    return (fault, expected, *describe_knee(knee), describe_fit(verdict), judged)


def describe_knee(knee: Knee | str) -> tuple[str, str]:
    """Ceiling and knee."""
    if not isinstance(knee, Knee):
        return "-", "not seen"
    return f"{format_estimate(knee.ceiling_per_s)}/s", format_estimate(knee.load)


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
    parser.add_argument("faults", nargs="*", metavar="FAULT", default=[NONE, *HOLD_S], help=", ".join(HOLD_S))
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
        rows = []
        for fault in options.faults:
            verdict = measure("" if fault == NONE else fault, out / fault, env)
            rows.append(compare(fault, verdict))
            print("  ".join(rows[-1]), flush=True)
            lines = dict(explain_capacity(verdict))
            print("\n".join(f"  {key}: {lines[key]}" for key in CONTEXT if key in lines), flush=True)
    print(tabulate(rows, headers=HEADERS, tablefmt="github", disable_numparse=True))
    return int(any(row[-1] == MISSED for row in rows))


if __name__ == "__main__":
    sys.exit(main())
