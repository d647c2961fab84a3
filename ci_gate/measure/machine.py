"""Meters the machine and the service beside the load, from outside the generator."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Final, Protocol, Self

import psutil

from ci_gate.evidence.readings import ForeignUse, MachineReading
from ci_gate.evidence.recording import LineWriter
from ci_gate.measure.cgroup import read_cpu_quota
from ci_gate.measure.listen_queue import read_listen_queue
from ci_gate.measure.usage import UsageMeter, read_cpu_of
from ci_gate.service.guard.process_group import find_below

_MAX_END: Final = 300  # characters


class Metered(Protocol):
    """What is read of a service under load."""

    def ended(self) -> str | None: ...

    def restarts(self) -> int | None: ...

    def process_ids(self) -> tuple[int, ...]: ...

    @property
    def is_container(self) -> bool: ...

    @property
    def own_port(self) -> int | None: ...


class MachineMeter:
    """One reading each time it is asked; CPU is of the time since the last. Leaving it closes its file."""

    def __init__(self, path: Path, service: Metered) -> None:
        self._lines = LineWriter(path)
        self._service = service
        self._spent_s, self._waited_s, self._throttled_s = Counters(), Counters(), Counters()
        self._usage = UsageMeter()
        self._at = time.monotonic()
        self._host = _HostCpu()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._lines.close()

    def take_reading(self, foreign: ForeignUse | None = None) -> bool:
        """Append what host and service used since the last reading; whether the service is alive.

        ``foreign`` is what others used meanwhile: it is the same for both services of a comparison.
        """
        end = self._service.ended()
        pids = self._service.process_ids()
        now = read_cpu_of(find_below(*pids))
        usage = self._usage.read(now, min(pids, default=None) if self._service.is_container else None)
        spent_s = {pid: cpu.own_s for pid, cpu in now.items()}
        used_s = self._spent_s.rise_to(spent_s)
        passed_s = time.monotonic() - self._at
        is_known = bool(used_s) and passed_s > 0
        cpus, throttled_s = self._read_quota(pids)
        waited_s = {pid: seconds for pid in spent_s if (seconds := _waited_s(pid)) is not None}
        waiting_s = sum(self._waited_s.rise_to(waited_s))
        port = self._service.own_port
        queue = read_listen_queue(port, now) if port else None
        self._at += passed_s
        self._lines.write(
            MachineReading(
                wall_s=time.time(),
                host_cpu_percent=self._host.read_percent(),
                load_average=os.getloadavg()[0],
                service_alive=end is None,
                service_end=(end or "")[:_MAX_END],
                service_cpu_percent=100 * sum(used_s) / passed_s if is_known else None,
                service_memory_bytes=usage.memory_bytes,
                service_restarts=self._service.restarts(),
                service_busiest_percent=100 * max(used_s) / passed_s if is_known else None,
                service_throttled_s=throttled_s,
                service_cpus=cpus,
                service_waited_s=waiting_s / passed_s if waited_s and passed_s > 0 else None,
                service_cpu_s=usage.cpu_s,
                host_cores=os.cpu_count(),
                foreign=foreign,
                service_listen_queue=queue.waiting if queue else None,
                service_accepting=queue.accepting if queue else None,
                service_listen_overflows=queue.overflows if queue else None,
            )
        )
        return end is None

    def _read_quota(self, pids: tuple[int, ...]) -> tuple[float | None, float | None]:
        """The quota in cores, and how long it held the service back since the last reading."""
        pid = min(pids, default=None)
        quota = read_cpu_quota(pid) if pid is not None else None
        if pid is None or quota is None:
            return None, None
        (throttled_s,) = self._throttled_s.rise_to({pid: quota.throttled_s})
        return quota.cpus, throttled_s


class Counters:
    """Counters by process, as they stood when they were last read."""

    def __init__(self) -> None:
        self._last: dict[int, float] = {}

    def rise_to(self, now: dict[int, float]) -> list[float]:
        """By how much each has risen since then.

        That of a process seen for the first time is of its past: it counts from the next reading on. One
        that fell has not risen: a sum over threads falls when one of them ends, and a pid is used again.
        """
        risen = [max(value - self._last.get(pid, value), 0.0) for pid, value in now.items()]
        self._last = now
        return risen


class _HostCpu:
    """The host's CPUs since they were last read.

    psutil's own count is one for all who ask: of two sides that are read one after the other, the second
    would be told of the moment between them.
    """

    def __init__(self) -> None:
        self._busy_s, self._passed_s = _read_host()

    def read_percent(self) -> float:
        """Of all cores, 0 to 100; 0 where no time has passed."""
        busy_s, passed_s = _read_host()
        busier_s, longer_s = busy_s - self._busy_s, passed_s - self._passed_s
        self._busy_s, self._passed_s = busy_s, passed_s
        return min(max(100 * busier_s / longer_s, 0.0), 100.0) if longer_s > 0 else 0.0


def _read_host() -> tuple[float, float]:
    """CPU seconds of all cores that were used, and that there were; guests are in the user's already."""
    times = psutil.cpu_times()
    passed_s = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return passed_s - times.idle - getattr(times, "iowait", 0.0), passed_s


def _waited_s(pid: int) -> float | None:
    """How long the threads that the process has now were ready to run and had no CPU; Linux only."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        tasks = Path(f"/proc/{pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[1]) for task in tasks) / 1e9
    return None
