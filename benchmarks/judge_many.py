"""How long judging takes and how much memory: evidence of many requests, judged by the real command.

Evidence of 2.4 million requests of one process of Locust, and of ten times as many of 8 processes, judged in
turn. Prints each, and the ratio of the medians. Goals: 2 GB, and 10 times the time.

python -m benchmarks.judge_many [--samples 2400000] [--rounds 3] [--processes 8] [--times 10]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.pairs import load_thresholds
from ci_gate.evidence.processes import WORKER
from ci_gate.evidence.readings import EndpointTotal, Mark, Reading, Totals
from ci_gate.evidence.recording import RUN_SCHEMA, LineWriter, RunInfo, recording_folder, write_json
from ci_gate.evidence.sample_table import SAMPLE_DTYPE
from ci_gate.evidence.samples import ENDED_BY_STATUS, ENDED_WELL, MAGIC
from ci_gate.evidence.workload import Workload
from ci_gate.run.plan import now, plan_recording

FAILURES = 100  # of each process: else every request counts, and nothing is left out
ENDPOINTS = ("POST /api/v1/deployments", "GET /api/v1/deployments", "GET /api/v1/deployments/{id}")


def write_evidence(out: Path, count: int, processes: int) -> None:
    """Evidence of concurrent-deployments with ``count`` requests of all processes, drawn at random."""
    thresholds = load_thresholds()
    scenario, profile = thresholds.scenarios[0], thresholds.profiles[-1]
    plan = plan_recording(scenario, profile, Workload(locustfile=scenario.locustfile, classes=(), error=None))
    offered = {"DeploymentUser": 1.0}
    plan = msgspec.structs.replace(plan, processes=processes, least_offered_per_s=offered)
    info = RunInfo(
        schema=RUN_SCHEMA,
        ci_gate_version="benchmark",
        profile=profile.name,
        started_at=now(),
        ended_at=now(),
        interrupted=False,
        thresholds_file=thresholds.file,
        thresholds_text=thresholds.text,
        recordings=(plan,),
        failures={},
        host={},
        versions={},
        git={},
    )
    folder = recording_folder(out, plan)
    folder.mkdir(parents=True)
    write_json(out / "run.json", info)
    draw = np.random.default_rng(1)
    if processes == 1:
        totals = write_process(folder, draw, count, profile.duration_s)
    else:
        write_samples(folder, np.zeros(0, dtype=SAMPLE_DTYPE))
        parts = [
            write_process(folder / WORKER.format(number), draw, count // processes, profile.duration_s)
            for number in range(1, processes + 1)
        ]
        totals = Counter()
        for part in parts:
            totals.update(part)
    write_marks(folder, profile.duration_s)
    write_totals(folder, totals, failures=FAILURES * processes, does_run_users=processes == 1)


def write_process(folder: Path, draw: np.random.Generator, count: int, duration_s: float) -> Counter[str]:
    """All that one process writes; how many requests of each endpoint."""
    folder.mkdir(exist_ok=True)
    rows = np.zeros(count, dtype=SAMPLE_DTYPE)
    starts_s = 1e9 + draw.uniform(0, duration_s, count)
    response_ms = draw.lognormal(1, 0.7, count)
    order = np.argsort(starts_s + response_ms / 1000)  # a row is written when its request ends
    rows["start_s"] = rows["intended_s"] = starts_s[order]
    rows["response_ms"] = response_ms[order]
    rows["endpoint"] = draw.choice([2, 3, 4], count, p=[0.6, 0.2, 0.2])
    rows["user_class"], rows["status"], rows["ending"] = 1, 200, ENDED_WELL
    failed = slice(0, count // FAILURES * FAILURES, count // FAILURES)
    rows["endpoint"][failed], rows["status"][failed], rows["ending"][failed] = 2, 500, ENDED_BY_STATUS
    rows["body_crc"] = draw.integers(1, 2**32, count)
    write_samples(folder, rows)
    totals = Counter(
        {text: int((rows["endpoint"] == 2 + place).sum()) for place, text in enumerate(ENDPOINTS)}
    )
    write_marks(folder, duration_s)
    write_totals(folder, totals, failures=FAILURES, does_run_users=True)
    return totals


def write_samples(folder: Path, rows: NDArray[np.void]) -> None:
    """The files of one process with its requests."""
    with (folder / "samples.bin").open("wb") as file:
        file.write(MAGIC)
        rows.tofile(file)
    (folder / "strings.jsonl").write_text(
        "".join(f'"{text}"\n' for text in ("", "DeploymentUser", *ENDPOINTS)), encoding="utf-8"
    )


def write_marks(folder: Path, duration_s: float) -> None:
    """When each phase began, and a reading each second."""
    times = {
        "started": -30.0,
        "spawned": -10.0,
        "steady": 0.0,
        "stopping": duration_s,
        "ended": 301.0,
    }
    with LineWriter(folder / "marks.jsonl") as marks, LineWriter(folder / "readings.jsonl") as readings:
        for name, at in times.items():
            marks.write(Mark(name=name, wall_s=1e9 + at, monotonic_s=1000 + at))  # type: ignore[arg-type]
        for second in range(-29, int(duration_s) + 1):
            readings.write(
                Reading(
                    wall_s=1e9 + second,
                    monotonic_s=1000 + second,
                    users={"DeploymentUser": 100},
                    ready=100,
                    cpu_percent=30,
                    lag_ms=1,
                    memory_bytes=10**8,
                )
            )


def write_totals(folder: Path, requests: Counter[str], *, failures: int, does_run_users: bool) -> None:
    """As Locust counts them; a process that runs no user has heard of none itself."""
    totals = tuple(
        EndpointTotal(endpoint=text, requests=number, failures=failures if text == ENDPOINTS[0] else 0)
        for text, number in requests.items()
    )
    write_json(
        folder / "totals.json",
        Totals(
            endpoints=totals,
            heard=totals if does_run_users else (),
            start_failures=(),
            task_errors=(),
            listener_errors=0,
            locust_version="2",
        ),
    )


def main() -> None:
    """Judge three times, print the figures of each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=2_400_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--times", type=int, default=10)
    options = parser.parse_args()
    sizes = {1: options.samples, options.processes: options.samples * options.times}
    took_s: dict[int, list[float]] = {processes: [] for processes in sizes}
    with tempfile.TemporaryDirectory() as name:
        for processes, samples in sizes.items():
            write_evidence(Path(name) / str(processes), samples, processes)
        for _ in range(options.rounds):
            for processes, samples in sizes.items():
                seconds, memory_mb = judge(Path(name) / str(processes))
                took_s[processes].append(seconds)
                print(
                    f"{samples:,} samples of {processes}: {seconds:.2f} s of CPU, {memory_mb:,.0f} MB",
                    flush=True,
                )
    few_s, many_s = (statistics.median(each) for each in took_s.values())
    print(f"medians: {few_s:.2f} and {many_s:.2f} s, {many_s / few_s:.1f} times the time")


def judge(out: Path) -> tuple[float, float]:
    """The seconds of CPU it takes, and the most memory in MB: of this process alone, and once."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ci_gate", "judge", str(out)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(printed.decode())
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6


if __name__ == "__main__":
    main()
