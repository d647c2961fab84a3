"""A run over time and by response time: timeline.json, so that charts need no samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from ci_gate.evidence.ranges import Count, Quantity, Version
from ci_gate.evidence.readings import StrictValue
from ci_gate.evidence.recording import RESET_CHECKS, Recording, RunInfo, decode_document
from ci_gate.judge.steady import select_steady_phase
from ci_gate.judge.timeline.timeline import Timeline, draw_timeline
from ci_gate.thresholds import Accepted, Thresholds

TIMELINE_SCHEMA: Final = 1
MAX_TIMELINE_BYTES: Final = 64 * 1024**2

_BINS_PER_DECADE: Final = 20
_MIN_MS: Final = 1e-3  # finest response time that a logarithmic axis shows


class ScenarioTimeline(StrictValue, frozen=True):
    """A scenario's recordings over time, and how the latencies of their successes are spread.

    ``counts[recording][i]`` successes of the steady phase took from ``edges_ms[i]`` to ``edges_ms[i + 1]``.
    """

    scenario: str
    recordings: dict[str, Timeline]
    edges_ms: tuple[Quantity, ...]
    counts: dict[str, tuple[Count, ...]]


class RunTimeline(StrictValue, frozen=True):
    """timeline.json."""

    schema: Version
    scenarios: tuple[ScenarioTimeline, ...]


def draw_timelines(
    thresholds: Thresholds, run: RunInfo, recordings: Mapping[tuple[str, str], Recording]
) -> RunTimeline:
    """Every scenario of which anything was recorded, in the order in which they were planned."""
    drawn = []
    for name in dict.fromkeys(plan.scenario for plan in run.recordings):
        scenario = thresholds.scenario(name)
        own = {
            side: each for (of, side), each in recordings.items() if of == name and side not in RESET_CHECKS
        }
        if own:
            drawn.append(_draw_scenario(name, own, scenario.accept if scenario else ()))
    return RunTimeline(schema=TIMELINE_SCHEMA, scenarios=tuple(drawn))


def _draw_scenario(
    name: str, recordings: Mapping[str, Recording], accept: Iterable[Accepted]
) -> ScenarioTimeline:
    steady = {side: select_steady_phase(recording, accept) for side, recording in recordings.items()}
    latencies = {side: phase.latency_ms[phase.success] for side, phase in steady.items()}
    edges_ms = _log_edges(latencies.values())
    return ScenarioTimeline(
        scenario=name,
        recordings={side: draw_timeline(recording, accept) for side, recording in recordings.items()},
        edges_ms=tuple(float(f"{edge:.5g}") for edge in edges_ms),
        counts={
            side: tuple(np.histogram(np.maximum(values, _MIN_MS), edges_ms)[0].tolist())
            for side, values in latencies.items()
        }
        if edges_ms.size
        else {},
    )


def _log_edges(latencies: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Edges of bins that are equally wide on a logarithmic axis and hold everything; none for no values."""
    known = [values for values in latencies if values.size]
    if not known:
        return np.empty(0)
    least = max(min(float(values.min()) for values in known), _MIN_MS)
    greatest = max(*(float(values.max()) for values in known), _MIN_MS)
    first = np.floor(np.log10(least) * _BINS_PER_DECADE)
    last = np.floor(np.log10(greatest) * _BINS_PER_DECADE) + 1
    edges: NDArray[np.float64] = 10 ** (np.arange(first, last + 1) / _BINS_PER_DECADE)
    return edges


def encode_timeline(timeline: RunTimeline) -> bytes:
    """timeline.json, on one line: it is for programs."""
    return msgspec.json.encode(timeline) + b"\n"


def decode_timeline(text: bytes) -> RunTimeline:
    """The reverse. Raises EvidenceError for anything but a timeline of this version."""
    return decode_document(
        text, RunTimeline, name="timeline", schema=TIMELINE_SCHEMA, max_bytes=MAX_TIMELINE_BYTES
    )
