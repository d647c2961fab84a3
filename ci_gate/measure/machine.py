"""Meters the machine and the service beside the load, from outside the generator."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Protocol, Self

import psutil

from ci_gate.evidence import LineWriter
from ci_gate.measure.cgroup import read_cpu_quota
from ci_gate.readings import MachineReading


class Metered(Protocol):
    """What is read of a service under load."""

    def alive(self) -> bool: ...

    def restarts(self) -> int | None: ...

    def process_ids(self) -> tuple[int, ...]: ...


class MachineMeter:
    """One reading each time it is asked; CPU is of the time since the last. Leaving it closes its file."""

    def __init__(self, path: Path, service: Metered) -> None:
        self._lines = LineWriter(path)
        self._service = service
        self._spent_s, self._waited_s, self._throttled_s = _Counters(), _Counters(), _Counters()
        self._at = time.monotonic()
        psutil.cpu_percent()  # the first reading only starts the count

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._lines.close()

    def take_reading(self) -> None:
        """Append what host and service used since the last reading."""
        pids = self._service.process_ids()
        processes = _with_descendants(pids)
        spent_s = {process.pid: seconds for process in processes if (seconds := _cpu_s(process)) is not None}
        used_s = self._spent_s.rise_to(spent_s)
        passed_s = time.monotonic() - self._at
        is_known = bool(used_s) and passed_s > 0
        cpus, throttled_s = self._read_quota(pids)
        waited_s = {pid: seconds for pid in spent_s if (seconds := _waited_s(pid)) is not None}
        waiting_s = sum(self._waited_s.rise_to(waited_s))
        self._at += passed_s
        self._lines.write(
            MachineReading(
                wall_s=time.time(),
                host_cpu_percent=psutil.cpu_percent(),
                load_average=os.getloadavg()[0],
                service_alive=self._service.alive(),
                service_cpu_percent=100 * sum(used_s) / passed_s if is_known else None,
                service_memory_bytes=sum(map(_memory_bytes, processes)) if processes else None,
                service_restarts=self._service.restarts(),
                service_busiest_percent=100 * max(used_s) / passed_s if is_known else None,
                service_throttled_s=throttled_s,
                service_cpus=cpus,
                service_waited_s=waiting_s / passed_s if waited_s and passed_s > 0 else None,
            )
        )

    def _read_quota(self, pids: tuple[int, ...]) -> tuple[float | None, float | None]:
        """The quota in cores, and how long it held the service back since the last reading."""
        pid = min(pids, default=None)
        quota = read_cpu_quota(pid) if pid is not None else None
        if pid is None or quota is None:
            return None, None
        (throttled_s,) = self._throttled_s.rise_to({pid: quota.throttled_s})
        return quota.cpus, throttled_s


class _Counters:
    """Counters by process, as they stood when they were last read."""

    def __init__(self) -> None:
        self._last: dict[int, float] = {}

    def rise_to(self, now: dict[int, float]) -> list[float]:
        """By how much each has risen since then.

        That of a process seen for the first time tells of its past: it counts from the next reading on. One
        that fell has not risen: a sum over threads falls when one of them ends, and a pid is used again.
        """
        risen = [max(value - self._last.get(pid, value), 0.0) for pid, value in now.items()]
        self._last = now
        return risen


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


def _waited_s(pid: int) -> float | None:
    """How long the threads that the process has now were ready to run and had no CPU; Linux only."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        tasks = Path(f"/proc/{pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[1]) for task in tasks) / 1e9
    return None


def _memory_bytes(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0
