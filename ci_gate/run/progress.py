"""Says on standard error how a run goes: one line rewritten on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TextIO

from ci_gate.wording import count

if TYPE_CHECKING:
    from collections.abc import Callable

    from ci_gate.measure.live import Progress

_LOG_INTERVAL_S = 10.0


class ProgressPrinter:
    """Prints to ``out``. In a log, where lines stay, a scenario gets one every ten seconds."""

    def __init__(
        self, out: TextIO, *, quiet: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._out = out
        self._quiet = quiet
        self._clock = clock
        self._rewrites = out.isatty()
        self._began = self._last_line = clock()
        self._width = 0

    def start(self, what: str, planned_s: float) -> None:
        """Announce a scenario and start its clock."""
        self._began = self._last_line = self._clock()
        self.say(f"{what}: about {format_duration(planned_s)}")

    def say(self, text: str) -> None:
        """Print one line that stays."""
        if not self._quiet:
            self._clear()
            print(text, file=self._out, flush=True)

    def show(self, text: str) -> None:
        """Show what is going on; in a log only when the last line is ten seconds old."""
        now = self._clock()
        if self._quiet or not (self._rewrites or now - self._last_line >= _LOG_INTERVAL_S):
            return
        self._last_line = now
        line = f"  {format_duration(now - self._began):>6}  {text}"
        if self._rewrites:
            self._out.write("\r" + line.ljust(self._width))
            self._width = len(line)
            self._out.flush()
        else:
            print(line, file=self._out, flush=True)

    def finish(self) -> None:
        """Leave the line that was rewritten, before something else prints."""
        if not self._quiet:
            self._clear()

    def _clear(self) -> None:
        if self._width:
            self._out.write("\r" + " " * self._width + "\r")
            self._width = 0


def describe(progress: Progress) -> str:
    """One moment in words: phase, users, requests, rate, p95, failures."""
    load = f"{count(progress.users, 'user')}, {count(progress.requests, 'request')}"
    return f"{progress.phase}, {load}{describe_pace(progress)}"


def describe_pace(progress: Progress) -> str:
    """The part of it that says how well it goes: rate, p95, failures."""
    rate = "" if progress.rate_per_s is None else f", {progress.rate_per_s:,.0f}/s"
    p95 = "" if progress.p95_ms is None else f", p95 {progress.p95_ms:,.0f} ms"
    return f"{rate}{p95}, {count(progress.failures, 'failure')}"


def format_duration(seconds: float) -> str:
    """``45 s`` or ``5m 30s``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m {rest:02d}s" if minutes else f"{rest} s"
