"""How long judging takes and how much memory: evidence of 2.4 million requests, judged by the real command.

python -m benchmarks.judge_many [--samples 2400000]
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.pairs import load_thresholds
from ci_gate.evidence.readings import EndpointTotal, Mark, Reading, Totals
from ci_gate.evidence.recording import HEAD, RUN_SCHEMA, LineWriter, RunInfo, recording_folder, write_json
from ci_gate.evidence.sample_table import SAMPLE_DTYPE
from ci_gate.evidence.samples import ENDED_WELL, MAGIC
from ci_gate.evidence.workload import Workload
from ci_gate.run.plan import now, plan_recording

ENDPOINTS = ("POST /api/v1/deployments", "GET /api/v1/deployments", "GET /api/v1/deployments/{id}")


def write_evidence(out: Path, count: int) -> None:
    """Evidence of concurrent-deployments with ``count`` requests, drawn at random."""
    thresholds = load_thresholds()
    scenario, profile = thresholds.scenarios[0], thresholds.profiles[-1]
    plan = plan_recording(scenario, profile, Workload(locustfile=scenario.locustfile, classes=(), error=None))
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
    rows = np.zeros(count, dtype=SAMPLE_DTYPE)
    rows["start_s"] = rows["intended_s"] = 1e9 + np.sort(draw.uniform(0, profile.duration_s, count))
    rows["response_ms"] = draw.lognormal(1, 0.7, count)
    rows["endpoint"] = draw.choice([2, 3, 4], count, p=[0.6, 0.2, 0.2])
    rows["user_class"], rows["status"], rows["ending"] = 1, 200, ENDED_WELL
    rows["body_crc"] = draw.integers(1, 2**32, count)
    (folder / "samples.bin").write_bytes(MAGIC + rows.tobytes())
    (folder / "strings.jsonl").write_text(
        "".join(f'"{text}"\n' for text in ("", "DeploymentUser", *ENDPOINTS)), encoding="utf-8"
    )
    times = {
        "started": -30.0,
        "spawned": -10.0,
        "steady": 0.0,
        "stopping": profile.duration_s,
        "ended": 301.0,
    }
    with LineWriter(folder / "marks.jsonl") as marks, LineWriter(folder / "readings.jsonl") as readings:
        for name, at in times.items():
            marks.write(Mark(name=name, wall_s=1e9 + at, monotonic_s=1000 + at))  # type: ignore[arg-type]
        for second in range(-29, int(profile.duration_s) + 1):
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
    totals = tuple(
        EndpointTotal(endpoint=text, requests=int((rows["endpoint"] == 2 + place).sum()), failures=0)
        for place, text in enumerate(ENDPOINTS)
    )
    write_json(
        folder / "totals.json",
        Totals(endpoints=totals, start_failures=(), task_errors=(), listener_errors=0, locust_version="2"),
    )
    assert plan.recording == HEAD


def main() -> None:
    """Judge three times, print the figures of each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=2_400_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        write_evidence(Path(name), options.samples)
        for _ in range(3):
            began = time.monotonic()
            done = subprocess.run(
                [sys.executable, "-m", "ci_gate", "judge", name],
                capture_output=True,
                text=True,
                check=False,
            )
            took_s = time.monotonic() - began
            memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            if done.returncode:
                raise SystemExit(done.stdout + done.stderr)
            print(f"{options.samples:,} samples: {took_s:.2f} s, {memory:,.0f} MiB")
        print(done.stdout)


if __name__ == "__main__":
    main()
