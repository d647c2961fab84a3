"""Samples as rows of text and numbers, for a spreadsheet or a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ci_gate.evidence.recording import Recording, RecordingPlan
from ci_gate.evidence.samples import (
    ENDED_BY_CHECK,
    ENDED_BY_STATUS,
    ENDED_DAMAGED,
    ENDED_NEVER,
    ENDED_UNREPORTED,
    ENDED_WELL,
    ENDED_WITHOUT_REPLY,
    NOT_HTTP,
)
from ci_gate.judge.steady import classify
from ci_gate.thresholds import Accepted

COLUMNS: Final = {
    "start_utc": "when the request was sent, ISO 8601 with microseconds",
    "since_steady_s": "the same in seconds since the steady phase began; empty where it never did",
    "scenario": "its name in thresholds.yaml",
    "recording": "head, or duet-base and duet-head of a comparison (confirm-: of its second start)",
    "endpoint": "METHOD name",
    "user_class": "of the user who sent it; empty: unknown",
    "phase": "ramp (warm-up included), steady or drain; limits are judged on steady alone",
    "status": "HTTP status; 0: no reply; empty: not HTTP",
    "ending": "ok, failed by status, failed by check, no reply, never answered, never reported, or damaged",
    "success": "true or false, as the verdict counts it",
    "response_ms": "from the send; of what was never answered, the time waited",
    "latency_ms": "from the intended start, which an overdue arrival has missed; limits are judged on it",
    "bytes": "of the reply",
    "error": "its text",
}
_ENDINGS: Final = {
    ENDED_WELL: "ok",
    ENDED_BY_STATUS: "failed by status",
    ENDED_BY_CHECK: "failed by check",
    ENDED_WITHOUT_REPLY: "no reply",
    ENDED_NEVER: "never answered",
    ENDED_UNREPORTED: "never reported",
    ENDED_DAMAGED: "damaged",
}
_PHASES: Final = np.array(["ramp", "steady", "drain"], dtype=object)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "'")
_CHUNK: Final = 50_000


def export_rows(
    plan: RecordingPlan, recording: Recording, accept: Iterable[Accepted]
) -> Iterator[tuple[object, ...]]:
    """The cells under COLUMNS for each request, in the order of the recording."""
    classified = classify(recording, accept)
    bounds_s = classified.steady.begin_s, classified.steady.end_s
    texts = np.array([keep_text(text) for text in recording.strings], dtype=object)
    names = keep_text(plan.scenario), plan.recording
    for first in range(0, len(recording.samples), _CHUNK):
        samples = recording.samples[first : first + _CHUNK]
        success = classified.success[first : first + _CHUNK]
        latency_ms = classified.latency_ms[first : first + _CHUNK]
        yield from _make_rows(names, samples, success, latency_ms, texts, bounds_s)


def keep_text(text: str) -> str:
    """``text``, with an apostrophe before it where a spreadsheet would take it for a formula.

    One that begins with ``=``, ``+``, ``-``, ``@``, a tab or the end of a line has a ``'`` before it, and so
    has one that begins with ``'``: without its first ``'`` every cell is the text again.
    """
    return f"'{text}" if text.startswith(_FORMULA) else text


def _make_rows(
    names: tuple[str, str],
    samples: NDArray[np.void],
    success: NDArray[np.bool_],
    latency_ms: NDArray[np.float64],
    texts: NDArray[np.object_],
    bounds_s: tuple[float, float],
) -> Iterator[tuple[object, ...]]:
    begin_s, _ = bounds_s
    count = len(samples)
    start = np.rint(samples["start_s"] * 1e6).astype("int64").astype("datetime64[us]")
    since_s = np.round(samples["start_s"] - begin_s, 6).tolist() if np.isfinite(begin_s) else [""] * count
    phases = _PHASES[np.searchsorted(bounds_s, samples["intended_s"], side="right")]
    endings = np.array([_ENDINGS.get(number, "") for number in range(max(_ENDINGS) + 1)], dtype=object)
    return zip(
        np.datetime_as_string(start, timezone="UTC").tolist(),
        since_s,
        *([name] * count for name in names),
        texts[samples["endpoint"]].tolist(),
        texts[samples["user_class"]].tolist(),
        phases.tolist(),
        np.where(samples["status"] == NOT_HTTP, "", samples["status"].astype(object)).tolist(),
        endings[samples["ending"]].tolist(),
        np.where(success, "true", "false").tolist(),
        samples["response_ms"].tolist(),
        latency_ms.tolist(),
        samples["bytes"].tolist(),
        texts[samples["error"]].tolist(),
        strict=True,
    )
