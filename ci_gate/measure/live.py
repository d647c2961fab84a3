"""Reads a recording while it grows, to say how the run goes. Reads the evidence; asks nobody."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ci_gate.evidence import read_lines
from ci_gate.readings import Mark, Reading
from ci_gate.samples import ENDED_WELL, read_samples

_RECENT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One moment of a run; ``rate_per_s`` and ``p95_ms`` are of the last ten seconds."""

    phase: str
    users: int
    requests: int
    failures: int
    rate_per_s: float | None
    p95_ms: float | None


class RecordingTail:
    """Follows one recording, reading each sample once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._requests = self._failures = 0
        self._marks: dict[str, float] = {}
        self._recent = np.empty((0, 2))  # end of request in s, response time in ms

    def read(self) -> Progress:
        """Take in what was written since the last call."""
        if (self._folder / "samples.bin").exists():
            self._take_samples()
        marks = read_lines(self._folder / "marks.jsonl", Mark)
        self._marks = {mark.name: mark.monotonic_s for mark in marks}
        readings = read_lines(self._folder / "readings.jsonl", Reading)
        span_s = float(np.ptp(self._recent[:, 0])) if len(self._recent) > 1 else 0.0
        return Progress(
            phase=marks[-1].name if marks else "starting",
            users=sum(readings[-1].users.values()) if readings else 0,
            requests=self._requests,
            failures=self._failures,
            rate_per_s=len(self._recent) / span_s if span_s else None,
            p95_ms=float(np.percentile(self._recent[:, 1], 95)) if len(self._recent) else None,
        )

    @property
    def steady_for_s(self) -> float:
        """How long the steady phase has lasted at the last read."""
        begin_s = self._marks.get("steady")
        return 0.0 if begin_s is None else self._marks.get("stopping", time.monotonic()) - begin_s

    def _take_samples(self) -> None:
        rows = read_samples(self._folder / "samples.bin", first_row=self._requests)
        self._requests += len(rows)
        self._failures += int((rows["ending"] != ENDED_WELL).sum())
        ends = rows["start_s"] + rows["response_ms"] / 1000
        recent = np.concatenate([self._recent, np.column_stack([ends, rows["response_ms"]])])
        self._recent = recent[recent[:, 0] > recent[:, 0].max() - _RECENT_S] if len(recent) else recent
