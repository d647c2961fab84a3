"""What the control groups of a process say (Linux, 1 and 2): its CPU quota, and what they have used."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuQuota:
    """``cpus`` may be used at a time on average; ``throttled_s``: how long threads were held back so far."""

    cpus: float
    throttled_s: float


def read_cpu_quota(pid: int, root: Path = _ROOT) -> CpuQuota | None:
    """The tightest quota of the process's group and those around it; None where there is none, or no process.

    ``root`` holds proc and sys. Formats: Linux, Documentation/admin-guide/cgroup-v2.rst (cpu.max, cpu.stat)
    and Documentation/scheduler/sched-bwc.rst (cpu.cfs_quota_us, throttled_time).
    """
    quotas = (_read_v2(folder) or _read_v1(folder) for folder in _find_folders(pid, root))
    return min(filter(None, quotas), key=lambda quota: quota.cpus, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupUse:
    """CPU seconds that all processes of a group have used, those that ended included, and memory in bytes.

    The memory is anonymous: the group's own, without files that the kernel keeps cached for it.
    """

    cpu_s: float
    memory_bytes: int


def read_group_use(pid: int, root: Path = _ROOT) -> GroupUse | None:
    """Of the innermost group of a container's process; None where that is this process's too, or not known.

    Formats: Linux, Documentation/admin-guide/cgroup-v2.rst (cpu.stat, memory.stat) and cgroup-v1/cpuacct.rst
    and memory.rst (cpuacct.usage in ns, total_rss).
    """
    with contextlib.suppress(OSError, ValueError, KeyError):
        cpu, memory = (_find_own_folder(pid, name, root) for name in ("cpuacct", "memory"))
        if cpu is None or memory is None:
            return None
        usage = cpu / "cpuacct.usage"
        cpu_s = int(usage.read_text()) / 1e9 if usage.exists() else _read_stat(cpu)["usage_usec"] / 1e6
        stat = _read_stat(memory, "memory.stat")
        return GroupUse(cpu_s=cpu_s, memory_bytes=stat["anon"] if "anon" in stat else stat["total_rss"])
    return None


def _find_own_folder(pid: int, controller: str, root: Path) -> Path | None:
    folder = next(_find_folders(pid, root, controller), None)
    ours = next(_find_folders("self", root, controller), None)
    return folder if folder != ours else None


def _find_folders(pid: int | str, root: Path, controller: str = "cpu") -> Iterator[Path]:
    """From the innermost group outwards, up to what is mounted."""
    mounts = root / "sys/fs/cgroup"
    for line in _read_lines(root / "proc" / str(pid) / "cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        for mount in (mounts / controllers, mounts / controller) if controllers else (mounts,):
            if mount.is_dir() and ".." not in path:
                inner = mount / path.lstrip("/")
                yield inner
                yield from (folder for folder in inner.parents if folder.is_relative_to(mount))
                break


def _read_lines(path: Path) -> list[str]:
    with contextlib.suppress(OSError):
        return path.read_text(errors="surrogateescape").splitlines()
    return []


def _read_v2(folder: Path) -> CpuQuota | None:
    with contextlib.suppress(OSError, ValueError, KeyError):
        quota_us, period_us = (folder / "cpu.max").read_text().split()
        if quota_us != "max":
            throttled_s = _read_stat(folder)["throttled_usec"] / 1e6
            return CpuQuota(cpus=int(quota_us) / int(period_us), throttled_s=throttled_s)
    return None


def _read_v1(folder: Path) -> CpuQuota | None:
    with contextlib.suppress(OSError, ValueError, KeyError):
        quota_us = int((folder / "cpu.cfs_quota_us").read_text())
        if quota_us > 0:
            period_us = int((folder / "cpu.cfs_period_us").read_text())
            throttled_s = _read_stat(folder)["throttled_time"] / 1e9
            return CpuQuota(cpus=quota_us / period_us, throttled_s=throttled_s)
    return None


def _read_stat(folder: Path, file: str = "cpu.stat") -> dict[str, int]:
    rows = (line.split() for line in (folder / file).read_text().splitlines())
    return {name: int(value) for name, value in rows}
