"""Reads a recording while it grows, to say how the run goes. Reads the evidence; asks nobody."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from ci_gate.evidence.clocks import read_clock
from ci_gate.evidence.processes import find_worker_folders
from ci_gate.evidence.readings import Mark, Reading
from ci_gate.evidence.sample_table import read_samples
from ci_gate.evidence.strict_json import read_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_RECENT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One moment of a run; ``rate_per_s`` and ``p95_ms`` are of the successes of the last ten seconds."""

    phase: str
    users: int
    requests: int
    failures: int
    rate_per_s: float | None
    p95_ms: float | None


class _SampleTail:
    """Follows the samples of one process, reading each once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rows = 0
        self._texts: list[str] = []
        self._text_bytes = 0  # of strings.jsonl, read so far

    def read(self) -> tuple[NDArray[np.void], tuple[str, ...]]:
        """The rows since the last call, and all texts so far."""
        rows = read_samples(self._folder / "samples.bin", first_row=self._rows)
        self._rows += len(rows)
        self._take_texts()  # after the rows: a text is written before the first row that has it
        return rows, tuple(self._texts)

    def _take_texts(self) -> None:
        with (self._folder / "strings.jsonl").open("rb") as file:
            file.seek(self._text_bytes)
            new = file.read()
        complete = new[: new.rfind(b"\n") + 1]
        self._text_bytes += len(complete)
        self._texts += [msgspec.json.decode(line, type=str) for line in complete.splitlines()]


class RecordingTail:
    """Follows one recording, of one process of Locust or several.

    ``find_successes`` says which of some rows are successes, given all texts: the judge's word counts here,
    and not the scenario's.
    """

    def __init__(
        self,
        folder: Path,
        find_successes: Callable[[NDArray[np.void], tuple[str, ...]], NDArray[np.bool_]],
    ) -> None:
        self._folder = folder
        self._find_successes = find_successes
        self._requests = self._failures = 0
        self._tails: dict[Path, _SampleTail] = {}
        self._marks: dict[str, float] = {}
        self._steady_began_s: float | None = None  # by the wall clock, as samples are
        self._recent = np.empty((0, 2))  # end of request in s, response time in ms
        self._called: set[str] = set()
        self._first_s: float | None = None  # by the wall clock, when the first request was sent

    def read(self) -> Progress:
        """Take in what was written since the last call."""
        if (self._folder / "samples.bin").exists():
            self._take_samples(self._folder)
        for _, folder in find_worker_folders(self._folder):
            self._take_samples(folder)
        marks = read_lines(self._folder / "marks.jsonl", Mark)
        self._marks = {mark.name: mark.monotonic_s for mark in marks}
        self._steady_began_s = next((mark.wall_s for mark in marks if mark.name == "steady"), None)
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
    def failures(self) -> int:
        """How many requests have failed so far, in the ramp too."""
        return self._failures

    @property
    def called(self) -> frozenset[str]:
        """The endpoints that were called so far, in the ramp too."""
        return frozenset(self._called)

    @property
    def lasted_s(self) -> float:
        """How long ago the first request was sent; 0 before it."""
        return 0.0 if self._first_s is None else time.time() - self._first_s

    @property
    def is_steady_reached(self) -> bool:
        """Whether the steady phase has begun."""
        return self._steady_began_s is not None

    @property
    def no_success_for_s(self) -> float:
        """How long nothing has succeeded in the steady phase; 0 before it, and once it is over."""
        begin_s = self._steady_began_s
        if begin_s is None or "stopping" in self._marks:
            return 0.0
        last_s = float(self._recent[:, 0].max()) if len(self._recent) else begin_s
        return time.time() - max(last_s, begin_s)

    @property
    def steady_for_s(self) -> float:
        """How long the steady phase has lasted at the last read."""
        begin_s = self._marks.get("steady")
        return 0.0 if begin_s is None else self._marks.get("stopping", time.monotonic()) - begin_s

    def _take_samples(self, folder: Path) -> None:
        rows, texts = self._tails.setdefault(folder, _SampleTail(folder)).read()
        if clock := read_clock(folder):
            clock.shift_samples(rows)
        self._requests += len(rows)
        self._called |= {texts[number] for number in {*rows["endpoint"].tolist()}}
        if self._first_s is None and len(rows):
            self._first_s = float(rows["start_s"].min())
        success = self._find_successes(rows, texts)
        self._failures += int((~success).sum())
        good = rows[success]
        ends = good["start_s"] + good["response_ms"] / 1000
        recent = np.concatenate([self._recent, np.column_stack([ends, good["response_ms"]])])
        self._recent = recent[recent[:, 0] > recent[:, 0].max() - _RECENT_S] if len(recent) else recent
