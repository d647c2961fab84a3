"""Who else uses this machine: CPU of processes that are neither ours nor servers of the service (Linux)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import Final

import psutil

from ci_gate.evidence.readings import ForeignProcess, ForeignUse
from ci_gate.measure.usage import CpuTotal, ProcessCpu, read_cpu_of
from ci_gate.service.guard.process_group import find_below, read_stat

SERVERS: Final = frozenset(
    {
        "postgres", "postmaster", "pgbouncer", "redis-server", "valkey-server", "memcached",
        "mysqld", "mariadbd", "mongod", "rabbitmq-server", "beam.smp", "nginx", "haproxy",
        "dockerd", "docker-proxy", "containerd", "containerd-shim", "rootlesskit",
    }
)  # fmt: skip
"""Names of processes that may work for the service under test, with all below them: nobody else's."""

_INIT: Final = 1
_KERNEL_THREADS: Final = 2  # kthreadd: what works for the network works for the load
_MIN_CORES: Final = 0.1  # less is not looked into: that takes a look at every process of the machine
_MAX_SHOWN: Final = 3


class ForeignMeter:
    """What others used since it was last asked; ``cores`` is None where that is not known yet."""

    def __init__(self) -> None:
        self._at = time.monotonic()
        self._busy_s, self._steal_s = _read_host()
        self._ours, self._others = CpuTotal(), CpuTotal()
        self._ours_s = self._others_s = 0.0
        self._seen: dict[int, ProcessCpu] | None = None

    def read(self, roots: Iterable[int]) -> ForeignUse | None:
        """Since the last call. ``roots`` are processes of ours that do not descend from this one.

        None where it cannot be told yet: what a process used is the difference of two looks at it.
        """
        passed_s, (busy_s, steal_s) = self._step_clock(), _read_host()
        host_s, stolen_s = busy_s - self._busy_s, max(steal_s - self._steal_s, 0.0)
        self._busy_s, self._steal_s = busy_s, steal_s
        ours = set(find_below(os.getpid(), *roots))
        ours_s = self._ours.add(read_cpu_of(ours))
        own_s, self._ours_s = ours_s - self._ours_s, ours_s
        if passed_s <= 0:
            return None
        if host_s - own_s < _MIN_CORES * passed_s:
            self._seen = None
            return ForeignUse(cores=stolen_s / passed_s, stolen_cores=stolen_s / passed_s, processes=())
        return self._look_at_others(ours, passed_s, stolen_s, host_s - own_s)

    def _step_clock(self) -> float:
        now = time.monotonic()
        passed_s, self._at = now - self._at, now
        return passed_s

    def _look_at_others(
        self, ours: set[int], passed_s: float, stolen_s: float, most_s: float
    ) -> ForeignUse | None:
        """``most_s`` is what all but us used: who awaits a server's process is told all that it ever used."""
        names = _find_foreign(ours)
        now = read_cpu_of(names)
        before, self._seen = self._seen, now
        if before is None:
            self._others = CpuTotal()
            self._others.add(now)
            self._others_s = 0.0
            return None
        others_s = self._others.add(now)
        used_s, self._others_s = min(others_s - self._others_s, most_s), others_s
        by_name: dict[str, float] = {}
        for pid, cpu in now.items():
            last = before.get(pid)
            own_s = cpu.own_s - last.own_s if last else cpu.own_s
            by_name[names[pid]] = by_name.get(names[pid], 0.0) + min(max(own_s, 0.0), used_s)
        return ForeignUse(
            cores=(used_s + stolen_s) / passed_s,
            stolen_cores=stolen_s / passed_s,
            processes=tuple(
                ForeignProcess(name=name, cores=each_s / passed_s)
                for name, each_s in sorted(by_name.items(), key=lambda item: -item[1])[:_MAX_SHOWN]
                if each_s > 0
            ),
        )


def _read_host() -> tuple[float, float]:
    """CPU seconds of all cores that processes used, and those that the host of this machine took away."""
    times = psutil.cpu_times()
    return times.user + times.nice + times.system, getattr(times, "steal", 0.0)


def _find_foreign(ours: set[int]) -> dict[int, str]:
    """The names of the processes that are somebody else's, by process id.

    Not what was started in this session (a terminal, or a job of CI) or descends from what was: other steps
    of the job may have started what the service needs. Init takes in whoever lost its parent, and in a
    container it may be of this session: what is below it is not ours for that.
    """
    stats = {pid: stat for pid in psutil.pids() if (stat := read_stat(pid))}
    session = os.getsid(0)
    own = {pid for pid, stat in stats.items() if stat.session == session or stat.name in SERVERS} | ours
    is_own = dict.fromkeys(own - {_INIT}, True) | {0: False, _INIT: _INIT in ours, _KERNEL_THREADS: True}
    for first in tuple(stats):
        above, pid = [], first
        while pid not in is_own:
            above.append(pid)
            pid = stats[pid].parent if pid in stats else 0
        is_own |= dict.fromkeys(above, is_own[pid])
    return {pid: stat.name for pid, stat in stats.items() if not is_own[pid] and pid not in own}
