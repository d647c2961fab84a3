"""What a service has used so far, with what ended in between: CPU seconds, and memory of its own (Linux)."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ci_gate.measure.cgroup import read_group_use

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_PROCESS_CLOCK: Final = (
    2  # of a process by its scheduler's clock: include/linux/posix-timers.h, CPUCLOCK_SCHED
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessCpu:
    """CPU seconds of one process: its own, threads that ended included, and of children it has awaited."""

    own_s: float
    awaited_s: float


def read_cpu_of(pids: Iterable[int]) -> dict[int, ProcessCpu]:
    """By process id, of those that there are."""
    return {pid: cpu for pid in pids if (cpu := read_process_cpu(pid))}


def read_process_cpu(pid: int) -> ProcessCpu | None:
    """None where there is no such process. Its own clock counts nanoseconds, that of its children ticks."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        own_s = time.clock_gettime((~pid << 3) | _PROCESS_CLOCK)
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        awaited_s = (int(fields[13]) + int(fields[14])) / _TICKS_PER_S  # 16 and 17, less name and id
        return ProcessCpu(own_s=own_s, awaited_s=awaited_s)
    return None


def read_own_memory(pids: Iterable[int]) -> int | None:
    """Bytes that the processes hold alone, and their part of what they share with others; None: not known.

    The sum of proportional set sizes (Linux, Documentation/filesystems/proc.rst, smaps_rollup).
    """
    sizes = [_read_pss(pid) for pid in pids]
    return sum(size for size in sizes if size is not None) if any(sizes) else None


def _read_pss(pid: int) -> int | None:
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("Pss:")).split()[1]) * 1024
    return None


_NEW: Final = ProcessCpu(own_s=0.0, awaited_s=0.0)


class CpuTotal:
    """The CPU seconds that some processes have used since they were first looked at."""

    def __init__(self) -> None:
        self._seen: dict[int, ProcessCpu] = {}  # every process as it was when it was last seen
        self._there: set[int] = set()
        self._used_s = 0.0

    def add(self, now: dict[int, ProcessCpu]) -> float:
        """The total with what was used since the last time, given all processes that there are now.

        A process seen for the first time was born since then, and counts whole. One that is gone counts with
        what its parent, by awaiting it, counts of it, as far as that was not counted before.
        """
        if self._seen:
            before = {pid: self._find_before(pid, cpu) for pid, cpu in now.items()}
            own_s = sum(cpu.own_s - before[pid].own_s for pid, cpu in now.items())
            awaited_s = sum(cpu.awaited_s - before[pid].awaited_s for pid, cpu in now.items())
            gone = [self._seen[pid] for pid in self._there - now.keys()]
            counted_s = sum(cpu.own_s + cpu.awaited_s for cpu in gone)
            self._used_s += own_s + max(awaited_s - counted_s, 0.0)
        self._seen |= now
        self._there = set(now)
        return self._used_s

    def _find_before(self, pid: int, cpu: ProcessCpu) -> ProcessCpu:
        """A process that was missed once is not new; one whose clocks fell is another with the same id."""
        seen = self._seen.get(pid, _NEW)
        return seen if cpu.own_s >= seen.own_s and cpu.awaited_s >= seen.awaited_s else _NEW


class GroupTotal:
    """The CPU seconds that a control group has used since it was first looked at; a new one begins at 0."""

    def __init__(self) -> None:
        self._last_s: float | None = None
        self._used_s = 0.0

    def add(self, now_s: float) -> float:
        """The total with what was used since the last time."""
        if self._last_s is not None:
            self._used_s += now_s - self._last_s if now_s >= self._last_s else now_s
        self._last_s = now_s
        return self._used_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """``cpu_s`` since the first look, and ``memory_bytes`` now; None is what could not be read."""

    cpu_s: float | None
    memory_bytes: int | None


class UsageMeter:
    """Reads a service: by its control group where it has one of its own, else process by process."""

    def __init__(self) -> None:
        self._processes, self._group = CpuTotal(), GroupTotal()

    def read(self, now: dict[int, ProcessCpu], container_pid: int | None) -> Usage:
        """What all processes that there are ``now`` use; of a container, ``container_pid`` is the first."""
        group = read_group_use(container_pid) if container_pid is not None else None
        if group is not None:
            return Usage(cpu_s=self._group.add(group.cpu_s), memory_bytes=group.memory_bytes)
        return Usage(
            cpu_s=self._processes.add(now) if now else None,
            memory_bytes=read_own_memory(now),
        )

    def read_cpu(self, now: dict[int, ProcessCpu], container_pid: int | None) -> float | None:
        """The CPU seconds alone: to add up what memory processes share takes longer."""
        group = read_group_use(container_pid) if container_pid is not None else None
        if group is not None:
            return self._group.add(group.cpu_s)
        return self._processes.add(now) if now else None
