"""Recordings made in memory, for tests of what is judged from them."""

from __future__ import annotations

import numpy as np

from ci_gate.evidence.readings import EndpointTotal, Mark, Reading, Totals
from ci_gate.evidence.recording import Recording
from ci_gate.evidence.sample_table import SAMPLE_DTYPE
from ci_gate.evidence.samples import ENDED_BY_STATUS, ENDED_WELL

BEGIN_S, DURATION_S = 1000.0, 10.0


def make_rows(endpoint: int, times_ms, *, status=200, ending=None, begin_s=BEGIN_S, late_s=0.0, error=0):
    """Rows of one endpoint id, spread evenly over the steady phase."""
    times_ms = np.asarray(times_ms, dtype=float)
    rows = np.zeros(len(times_ms), dtype=SAMPLE_DTYPE)
    rows["intended_s"] = begin_s + np.arange(len(times_ms)) * DURATION_S / max(len(times_ms), 1)
    rows["start_s"] = rows["intended_s"] + late_s
    rows["response_ms"] = times_ms
    rows["endpoint"] = endpoint
    rows["error"] = error
    rows["user_class"] = 1
    rows["status"] = status
    rows["ending"] = ending or (ENDED_WELL if status < 400 else ENDED_BY_STATUS)
    return rows


def make_recording(*rows, strings=("", "Visitor", "GET /a", "POST /b"), **changes) -> Recording:
    """A finished recording with a steady phase of ten seconds, in which five Visitors run."""
    times = {
        "started": 980.0,
        "spawned": 990.0,
        "steady": BEGIN_S,
        "stopping": BEGIN_S + DURATION_S,
        "ended": 1011.0,
    }
    samples = np.concatenate([np.zeros(0, dtype=SAMPLE_DTYPE), *rows])
    values = {
        "samples": samples,
        "strings": strings,
        "marks": tuple(Mark(name=name, wall_s=at, monotonic_s=at) for name, at in times.items()),
        "readings": tuple(
            Reading(
                wall_s=at,
                monotonic_s=at,
                users={"Visitor": 5},
                ready=5,
                cpu_percent=10,
                lag_ms=1,
                memory_bytes=1,
            )
            for at in np.arange(981.0, 1011.0)
        ),
        "machine": (),
        "totals": count_totals(samples, strings),
    }
    return Recording(**{**values, **changes})


def count_totals(samples, strings) -> Totals:
    """What a Locust that agrees with the samples would have counted."""
    endpoints = []
    for number in np.unique(samples["endpoint"]):
        rows = samples[samples["endpoint"] == number]
        failures = int((rows["ending"] != ENDED_WELL).sum())
        endpoints.append(EndpointTotal(endpoint=strings[number], requests=len(rows), failures=failures))
    return Totals(
        endpoints=tuple(endpoints), start_failures=(), task_errors=(), listener_errors=0, locust_version="2"
    )
