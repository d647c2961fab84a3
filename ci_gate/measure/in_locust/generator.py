"""Meters the load generator itself: a starved generator measures its own delay. Runs inside Locust."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import gevent
import psutil

from ci_gate.evidence.readings import Reading
from ci_gate.evidence.recording import LineWriter

_LAG_INTERVAL_S = 0.02


class GeneratorMeter:
    """One reading a second: users, CPU, memory, and by how much the event loop was late at worst."""

    def __init__(
        self,
        path: Path,
        count_users: Callable[[], tuple[dict[str, int], int]],
        read_target: Callable[[], int | None],
        report: Callable[[dict[str, int], int], None],
    ) -> None:
        """``report`` is called once a second with the users by class, and how many are ready."""
        self._path = path
        self._count_users = count_users
        self._read_target = read_target
        self._report = report
        self._worst_lag_s = self._waited_s2 = 0.0

    def watch_lag(self) -> None:
        """Sleep shortly, again and again, and keep the longest oversleep. Never returns."""
        while True:
            before = time.perf_counter()
            gevent.sleep(_LAG_INTERVAL_S)
            lag_s = max(time.perf_counter() - before - _LAG_INTERVAL_S, 0.0)
            self._worst_lag_s = max(self._worst_lag_s, lag_s)
            self._waited_s2 += lag_s**2 / 2  # who comes while it is late waits for half of that on average

    def write_readings(self) -> None:
        """Append a reading every second. Never returns."""
        process = psutil.Process()
        with LineWriter(self._path) as lines:
            cpu_s, at = time.process_time(), time.monotonic()
            while True:
                gevent.sleep(1.0)
                users, ready = self._count_users()
                self._report(users, ready)
                spent_s, cpu_s = time.process_time() - cpu_s, time.process_time()
                passed_s, at = time.monotonic() - at, time.monotonic()
                lag_s, waited_s2 = self._worst_lag_s, self._waited_s2
                self._worst_lag_s = self._waited_s2 = 0.0
                lines.write(
                    Reading(
                        wall_s=time.time(),
                        monotonic_s=at,
                        users=users,
                        ready=ready,
                        cpu_percent=100 * spent_s / passed_s,
                        lag_ms=lag_s * 1000,
                        mean_lag_ms=1000 * waited_s2 / passed_s,
                        target_users=self._read_target(),
                        memory_bytes=process.memory_info().rss,
                    )
                )
