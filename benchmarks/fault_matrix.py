"""Does the gate go red for every fault of the reference service, and only then? One real run per fault.

Each fault is switched on by environment and run against the scenario that it should turn red; then all
scenarios run without a fault. Prints a table. Takes about a minute per line:

    python benchmarks/fault_matrix.py [--profile quick] [FAULT...]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tabulate import tabulate

from ci_gate.judge.verdict import ScenarioVerdict, decode_verdict
from ci_gate.report.explain import explain

REPOSITORY = Path(__file__).parents[1]
SCENARIO_OF = {
    "tiny_pool": "concurrent-deployments",
    "open_transaction": "concurrent-deployments",
    "n_plus_one": "cab-approvals",
    "lock_contention": "connector-scaling",
    "extra_cpu": "burst-load",
    "throttle": "concurrent-deployments",
    "login_broken": "cab-approvals",
    "routes_missing": "connector-scaling",
    "crash_after": "concurrent-deployments",
    "debug_error_pages": "concurrent-deployments",
    "slow_dependency": "concurrent-deployments",
    "slow_start=90s": "cab-approvals",
}
COMMAND = (sys.executable, "-m", "ci_gate", "run", "--quiet")
HEALTHY = ("concurrent-deployments", "cab-approvals", "connector-scaling", "burst-load")


def run(scenario: str, fault: str, profile: str) -> ScenarioVerdict:
    """One scenario through the real command line; its verdict."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        subprocess.run(
            [*COMMAND, "--profile", profile, "--scenario", scenario, "--out", str(out)],
            cwd=REPOSITORY,
            env={**os.environ, "FAULTS": fault},
            stdout=subprocess.DEVNULL,
            check=False,
            timeout=900,
        )
        return decode_verdict((out / "verdict.json").read_bytes()).scenarios[0]


def summarise(verdict: ScenarioVerdict) -> str:
    """The first breach and the findings that decide, in a few words."""
    breaches = [each.plain for each in explain(verdict) if each.kind == "breach"]
    codes = dict.fromkeys(finding.code for finding in verdict.findings if finding.severity != "info")
    return "; ".join([*breaches[:1], *codes])


def main() -> int:
    """Exit code 1 where a fault was green, or a healthy service red."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("faults", nargs="*", metavar="FAULT", help="only these; 'none' for the healthy runs")
    parser.add_argument("--profile", default="quick")
    options = parser.parse_args()
    cases = [*SCENARIO_OF.items(), *(("", name) for name in HEALTHY)]
    rows, wrong = [], 0
    for fault, scenario in cases:
        if options.faults and (fault or "none") not in options.faults:
            continue
        verdict = run(scenario, fault, options.profile)
        is_right = (verdict.outcome == "PASS") == (not fault)
        wrong += not is_right
        total = verdict.endpoints[0] if verdict.endpoints else None
        p99 = f"{total.p99_ms:,.0f} ms" if total and total.p99_ms else "-"
        failures = f"{total.failure_share:.1%}" if total and total.failure_share is not None else "-"
        rows.append((fault or "none", scenario, verdict.outcome, p99, failures, summarise(verdict)[:90]))
        print("  ".join(rows[-1]), flush=True)
    headers = ("fault", "scenario", "verdict", "p99", "failures", "why")
    print(tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True))
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
