"""A run over time and by response time: timeline.json, so that charts need no samples."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from ci_gate.evidence.ranges import Count, Quantity, Version
from ci_gate.evidence.readings import StrictValue
from ci_gate.evidence.recording import CODE_BASE, CODE_HEAD, CONFIRM, RESET_CHECKS
from ci_gate.evidence.strict_json import decode_document
from ci_gate.judge.code.flame import Flame, draw_flames
from ci_gate.judge.scenario_evidence import ScenarioEvidence
from ci_gate.judge.timeline.timeline import Timeline, draw_timeline

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
    flames: tuple[Flame, ...] = ()  # of the code of both sides, where it was sampled


class RunTimeline(StrictValue, frozen=True):
    """timeline.json."""

    schema: Version
    scenarios: tuple[ScenarioTimeline, ...]


def make_timeline(scenarios: Iterable[ScenarioTimeline]) -> RunTimeline:
    """The timeline of a run, of those of its scenarios of which anything was recorded."""
    return RunTimeline(schema=TIMELINE_SCHEMA, scenarios=tuple(each for each in scenarios if each.recordings))


def draw_scenario(evidence: ScenarioEvidence) -> ScenarioTimeline:
    """The timeline of one scenario; empty where nothing was recorded.

    Without reset checks, the second start of a comparison, and what stacks were sampled under: the page draws
    none of them.
    """
    left_out = {*RESET_CHECKS, *CONFIRM, CODE_BASE, CODE_HEAD}
    recordings = {name: recording for name, recording in evidence.recordings.items() if name not in left_out}
    latencies = {
        name: recording.steady.latency_ms[recording.steady.success] for name, recording in recordings.items()
    }
    edges_ms = _log_edges(latencies.values())
    return ScenarioTimeline(
        scenario=evidence.name,
        recordings={name: draw_timeline(recording) for name, recording in recordings.items()},
        edges_ms=tuple(float(f"{edge:.5g}") for edge in edges_ms),
        counts={
            name: tuple(np.histogram(np.maximum(values, _MIN_MS), edges_ms)[0].tolist())
            for name, values in latencies.items()
        }
        if edges_ms.size
        else {},
        flames=draw_flames(evidence.recordings),
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
