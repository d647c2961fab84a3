"""Meters the machine and the service beside the load, from outside the generator."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Protocol

import psutil

from ci_gate.evidence import LineWriter
from ci_gate.readings import MachineReading


class Metered(Protocol):
    """What is read of a service under load."""

    def alive(self) -> bool: ...

    def restarts(self) -> int | None: ...

    def process_ids(self) -> tuple[int, ...]: ...


class MachineMeter:
    """One reading each time it is asked; CPU is of the time since the last."""

    def __init__(self, path: Path, service: Metered) -> None:
        self._lines = LineWriter(path)
        self._service = service
        self._spent_s: dict[int, float] = {}
        self._at = time.monotonic()
        psutil.cpu_percent()  # the first reading only starts the count

    def take_reading(self) -> None:
        """Append what host and service used since the last reading."""
        processes = _with_descendants(self._service.process_ids())
        spent_s = {process.pid: seconds for process in processes if (seconds := _cpu_s(process)) is not None}
        # A process seen for the first time has spent its past before this second: it counts from the next on.
        used_s = sum(seconds - self._spent_s.get(pid, seconds) for pid, seconds in spent_s.items())
        passed_s = time.monotonic() - self._at
        self._spent_s, self._at = spent_s, self._at + passed_s
        self._lines.write(
            MachineReading(
                wall_s=time.time(),
                host_cpu_percent=psutil.cpu_percent(),
                load_average=os.getloadavg()[0],
                service_alive=self._service.alive(),
                service_cpu_percent=100 * used_s / passed_s if processes and passed_s else None,
                service_memory_bytes=sum(map(_memory_bytes, processes)) if processes else None,
                service_restarts=self._service.restarts(),
            )
        )


def _with_descendants(pids: tuple[int, ...]) -> tuple[psutil.Process, ...]:
    found: dict[int, psutil.Process] = {}
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            found.update({each.pid: each for each in (process, *process.children(recursive=True))})
    return tuple(found.values())


def _cpu_s(process: psutil.Process) -> float | None:
    with contextlib.suppress(psutil.Error):
        times = process.cpu_times()
        return float(times.user + times.system)
    return None


def _memory_bytes(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0
