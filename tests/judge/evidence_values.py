"""Values that evidence is made of, each with what a test does not care about filled in."""

from __future__ import annotations

from typing import Any

from ci_gate.evidence.readings import MachineReading
from ci_gate.evidence.recording import RUN_SCHEMA, RunInfo
from ci_gate.evidence.workload import Workload
from ci_gate.run.plan import plan_recording
from ci_gate.thresholds import Thresholds


def make_run(thresholds: Thresholds, **changes: Any) -> RunInfo:
    """A finished run of head alone, of every scenario."""
    values: dict[str, Any] = {
        "schema": RUN_SCHEMA,
        "ci_gate_version": "1",
        "profile": "quick",
        "started_at": "2026-01-01T00:00:00+00:00",
        "ended_at": "2026-01-01T00:01:00+00:00",
        "interrupted": False,
        "thresholds_file": thresholds.file,
        "thresholds_text": thresholds.text,
        "recordings": tuple(
            plan_recording(
                scenario,
                thresholds.profiles[0],
                Workload(locustfile=scenario.locustfile, classes=(), error=None),
            )
            for scenario in thresholds.scenarios
        ),
        "failures": {},
        "host": {},
        "versions": {},
        "git": {},
    }
    return RunInfo(**{**values, **changes})


def make_machine_reading(wall_s: float, **changes: Any) -> MachineReading:
    """Of a machine and a service that are half busy."""
    values: dict[str, Any] = {
        "wall_s": wall_s,
        "host_cpu_percent": 50.0,
        "load_average": 1.0,
        "service_alive": True,
        "service_cpu_percent": 60.0,
        "service_memory_bytes": 100_000_000,
    }
    return MachineReading(**{**values, **changes})
