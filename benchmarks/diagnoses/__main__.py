"""Does the diagnosis name the fault? Each fault of the reference service, and the service without one.

Every run is a real one of the command line: the reference service as a command, on a PostgreSQL and a Redis
of its own, Locust with the scenario's users, a short ramp and steady phase; then the verdict's first cause is
compared with the expected one. Prints a line per run and a table at the end, exit code 1 where fewer than 9
in 10 runs are right. All cases ten times take about 65 minutes on a quiet machine:

    python -m benchmarks.diagnoses [--runs 10] [--seconds 12] [--keep FOLDER | --judge FOLDER] [CASE...]
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psycopg
import yaml
from tabulate import tabulate

from ci_gate.evidence.recording import read_recordings, read_run
from ci_gate.judge.diagnosis.bottleneck import Diagnosis
from ci_gate.judge.verdict import judge
from ci_gate.thresholds import parse_thresholds
from tests.servers import running_postgres, running_redis

REPOSITORY = Path(__file__).parents[1]
SCENARIOS = REPOSITORY / "reference_service" / "scenarios"
SERVICE = (sys.executable, "-m", "reference_service.service")
SIDES = ("head", "base")
RAMP_S = 4
MIN_RIGHT = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """``expected`` are the codes of which one must be named first; empty: no cause at all."""

    fault: str
    scenario: str
    expected: tuple[str, ...]
    has_base: bool = False
    service: dict[str, object] = field(default_factory=dict)
    has_metrics: bool = True  # the service's own page is probed

    @property
    def name(self) -> str:
        what = self.fault or f"healthy {self.scenario}"
        return what if self.has_metrics else f"{what} without metrics"

    def folder(self, kept: Path) -> Path:
        return kept / self.name.replace(" ", "-")


CASES = (
    Case(fault="tiny_pool", scenario="concurrent-deployments", expected=("connection-pool",)),
    Case(
        fault="tiny_pool",
        scenario="concurrent-deployments",
        expected=("unknown", "open-transaction"),  # nothing shows that there is a pool
        has_metrics=False,
    ),
    Case(fault="open_transaction", scenario="concurrent-deployments", expected=("open-transaction",)),
    Case(
        fault="open_transaction",
        scenario="concurrent-deployments",
        expected=("open-transaction",),
        has_metrics=False,
    ),
    Case(fault="n_plus_one", scenario="cab-approvals", expected=("n-plus-one",), has_base=True),
    Case(
        fault="n_plus_one",
        scenario="cab-approvals",
        expected=("n-plus-one",),
        has_base=True,
        has_metrics=False,
    ),
    Case(fault="extra_cpu", scenario="burst-load", expected=("service-cpu",)),
    Case(fault="lock_contention", scenario="connector-scaling", expected=("lock-contention",)),
    Case(fault="throttle", scenario="concurrent-deployments", expected=("throttle",)),
    Case(fault="login_broken", scenario="cab-approvals", expected=("failing-replies",)),
    Case(fault="routes_missing", scenario="connector-scaling", expected=("failing-replies",)),
    Case(
        fault="slow_start",
        scenario="cab-approvals",
        expected=("not-started",),
        service={"ready_timeout": "4s"},
    ),
    Case(fault="crash_after", scenario="concurrent-deployments", expected=("service-ended",)),
    Case(fault="debug_error_pages", scenario="concurrent-deployments", expected=("failing-replies",)),
    Case(fault="slow_dependency", scenario="concurrent-deployments", expected=("slow-dependency",)),
    Case(fault="", scenario="concurrent-deployments", expected=()),
    Case(fault="", scenario="cab-approvals", expected=()),
    Case(fault="", scenario="connector-scaling", expected=()),
    Case(fault="", scenario="burst-load", expected=("service-cpu",)),
)


def make_databases(url: str) -> None:
    """One for each side, with statistics of statements where the server has them."""
    for side in SIDES:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {side}")
        with psycopg.connect(f"{url.rpartition('/')[0]}/{side}", autocommit=True) as connection:
            name = "SELECT 1 FROM pg_available_extensions WHERE name = 'pg_stat_statements'"
            preloaded = connection.execute("SHOW shared_preload_libraries").fetchone() or ("",)
            if connection.execute(name).fetchone() and "pg_stat_statements" in preloaded[0]:
                connection.execute("CREATE EXTENSION pg_stat_statements")


def write_repository(folder: Path, case: Case, database: str, redis: str, seconds: float) -> None:
    """thresholds.yaml with short phases, and the scenarios. Base, the commit, is healthy; head is not."""
    document = yaml.safe_load((REPOSITORY / "thresholds.yaml").read_text(encoding="utf-8"))
    scenario = document["scenarios"][case.scenario]
    users = sum(scenario["users"].values())
    scenario |= {"locustfile": f"load/{Path(scenario['locustfile']).name}", "spawn_rate": users / RAMP_S}
    servers = {"DATABASE_URL": f"{database}/{{side}}", "REDIS_URL": redis}
    address = {**servers, "PYTHONPATH": str(REPOSITORY)}  # where the service's code is
    del document["service"]["before_each"]  # which would add two trials to each run: main resets instead
    document["service"] |= {"command": " ".join((*SERVICE, "--port", "{port}")), **case.service}
    document["service"]["env"] = address
    if not case.has_metrics:
        del document["probes"]["metrics"]
    document["probes"] |= {"postgres": address["DATABASE_URL"], "redis": redis}
    document["profiles"] = {"short": {"duration": f"{seconds:g}s", "warmup": "2s"}}
    document["compare"] = {"max_duration": "30s"}
    document["scenarios"] = {case.scenario: scenario}
    shutil.copytree(SCENARIOS, folder / "load", ignore=shutil.ignore_patterns("__pycache__"))
    write_thresholds(folder, document)
    if case.has_base:
        commit(folder)
    document["service"]["env"] = {**address, "FAULTS": case.fault}
    write_thresholds(folder, document)


def write_thresholds(folder: Path, document: dict[str, object]) -> None:
    """Over the old one."""
    (folder / "thresholds.yaml").write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


def commit(folder: Path) -> None:
    """Everything in the folder, as the base of what comes after."""
    git = ("git", "-c", "user.name=benchmark", "-c", "user.email=benchmark@example.invalid")
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-qm", "base")):
        subprocess.run([*git, *arguments], cwd=folder, check=True)


def run(case: Case, database: str, redis: str, seconds: float, keep: Path | None) -> Diagnosis:
    """One run through the real command line; its diagnosis."""
    for side in SIDES if case.has_base else SIDES[:1]:
        env = {**os.environ, "DATABASE_URL": f"{database}/{side}", "REDIS_URL": redis}
        subprocess.run([*SERVICE, "reset"], env=env, cwd=REPOSITORY, check=True, timeout=60)
    with tempfile.TemporaryDirectory(prefix="ci-gate-diagnoses-") as name:
        folder = Path(name)
        write_repository(folder, case, database, redis, seconds)
        out = keep or folder / "out"
        command = [
            sys.executable,
            "-m",
            "ci_gate",
            "run",
            "--quiet",
            "--profile",
            "short",
            "--out",
            str(out),
        ]
        if case.has_base:
            command += ["--base", "HEAD"]
        subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=False, timeout=300)
        return judge_again(out)


def is_right(case: Case, diagnosis: Diagnosis) -> bool:
    """The first cause is an expected one, or there is none where none is expected."""
    if not diagnosis.causes:
        return not case.expected
    return diagnosis.causes[0].code in case.expected


def describe(diagnosis: Diagnosis) -> str:
    """Every cause with its share, in rank order."""
    shares = (f"{cause.share:.0%}" if cause.share is not None else "-" for cause in diagnosis.causes)
    codes = (cause.code for cause in diagnosis.causes)
    return (
        ", ".join(f"{code} {share}" for code, share in zip(codes, shares, strict=True)) or "nothing saturated"
    )


def summarise(case: Case, diagnoses: list[Diagnosis]) -> tuple[str, ...]:
    """A row of the table."""
    right = [each for each in diagnoses if is_right(case, each)]
    shares = [each.causes[0].share for each in right if each.causes and each.causes[0].share is not None]
    spread = f"{min(shares):.0%} to {max(shares):.0%}, median {median(shares):.0%}" if shares else "-"
    others = {describe(each) for each in diagnoses if not is_right(case, each)}
    expected = " or ".join(case.expected) or "nothing saturated"
    named = f"{len(right)} of {len(diagnoses)}"
    return (
        case.name if case.fault else "none",
        case.scenario,
        expected,
        named,
        spread,
        "; ".join(sorted(others)),
    )


def run_all(cases: list[Case], options: argparse.Namespace) -> dict[str, list[Diagnosis]]:
    """The diagnoses by case; each case in turn, so that a noisy minute is no case's alone. Ctrl-C ends it."""
    found: dict[str, list[Diagnosis]] = {case.name: [] for case in cases}
    with (
        suppress(KeyboardInterrupt),
        tempfile.TemporaryDirectory() as name,
        running_postgres(Path(name)) as url,
        running_redis(Path(name)) as redis,
    ):
        make_databases(url)
        for number in range(options.runs):
            for case in cases:
                keep = case.folder(options.keep) / f"{number:02}" if options.keep else None
                began_s, load = time.monotonic(), os.getloadavg()[0]
                diagnosis = run(case, url.rpartition("/")[0], redis, options.seconds, keep)
                found[case.name].append(diagnosis)
                word = "right" if is_right(case, diagnosis) else "WRONG"
                circumstances = f"{time.monotonic() - began_s:.0f} s, load average before {load:.1f}"
                print(
                    f"{number + 1:3} {word} {case.name}: {describe(diagnosis)} ({circumstances})", flush=True
                )
    return found


def judge_all(cases: list[Case], kept: Path) -> dict[str, list[Diagnosis]]:
    """The diagnoses of evidence that --keep left, by case."""
    return {case.name: [judge_again(out) for out in sorted(case.folder(kept).glob("*"))] for case in cases}


def judge_again(out: Path) -> Diagnosis:
    """The diagnosis of the one scenario in an evidence folder."""
    info = read_run(out)
    thresholds = parse_thresholds(info.thresholds_text, info.thresholds_file)
    diagnosis = judge(thresholds, info, read_recordings(out, info)).scenarios[0].diagnosis
    assert diagnosis is not None
    return diagnosis


def main() -> int:
    """Exit code 1 where a case was named right in less than 9 of 10 runs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [case.name for case in CASES]
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"only these, of: {', '.join(names)}")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=12.0, help="of the steady phase")
    parser.add_argument("--keep", type=Path, help="keep the evidence of each run below this folder")
    parser.add_argument("--judge", type=Path, help="run nothing: judge what --keep has left in this folder")
    options = parser.parse_args()
    if unknown := set(options.cases) - set(names):
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    cases = [case for case in CASES if not options.cases or case.name in options.cases]
    found = judge_all(cases, options.judge) if options.judge else run_all(cases, options)
    headers = ("fault", "scenario", "expected first", "named", "its share", "else")
    rows = [summarise(case, found[case.name]) for case in cases]
    print(tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True))
    shares = ([is_right(case, each) for each in found[case.name]] for case in cases)
    return int(any(sum(right) < MIN_RIGHT * max(len(right), 1) for right in shares))


if __name__ == "__main__":
    sys.exit(main())
