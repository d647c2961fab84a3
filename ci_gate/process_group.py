"""The processes that belong to something that was started: found whatever they forked, and ended.

Standard library only, because the watchdog imports it and must be up within milliseconds.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

MARK_VARIABLE = "CI_GATE_GUARD"
"""Environment variable that marks a process and all that it forks, even into a session of their own."""

PROC = Path("/proc")
POLL_S = 0.02
KILL_WAIT_S = 5.0
"""How long a process may take to vanish after SIGKILL: only one stuck in the kernel takes longer."""


class ProcessStat(NamedTuple):
    """What /proc/<pid>/stat says: fields 3, 5 and 22. ``started`` is in clock ticks after boot."""

    state: str
    pgid: int
    started: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessGroup:
    """The processes with ``mark`` in their environment, and those of the group ``pgid``.

    ``started`` is the leader's start time: a group whose leader started at another time is somebody
    else's, who was given the same number. It is None while the leader has not been seen.
    """

    mark: str | None = None
    pgid: int | None = None
    started: int | None = None


def read_stat(pid: int) -> ProcessStat | None:
    """None if there is no such process."""
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # The name in field 2 may hold spaces and brackets; the last bracket ends it.
    fields = text.rpartition(")")[2].split()
    return ProcessStat(fields[0], int(fields[2]), int(fields[19])) if len(fields) > 19 else None  # noqa: PLR2004


def find_members(group: ProcessGroup) -> tuple[int, ...]:
    """Process ids of all living members. A zombie is not living: only its parent can remove it."""
    pgid = group.pgid if _is_still_ours(group) else None
    wanted = f"{MARK_VARIABLE}={group.mark}".encode() if group.mark else None
    return tuple(pid for pid in _all_pids() if _belongs(pid, pgid, wanted))


def end_groups(*groups: ProcessGroup, grace_s: float) -> tuple[int, ...]:
    """SIGTERM to all members, ``grace_s`` to end, then SIGKILL. Returns the ids of those that still live."""
    # A stopped process acts on SIGTERM only once it is continued.
    for number in (signal.SIGTERM, signal.SIGCONT):
        _signal_all(groups, number)
    if not _wait_until_gone(groups, grace_s):
        return ()
    deadline = time.monotonic() + KILL_WAIT_S
    while (left := _find_all(groups)) and time.monotonic() < deadline:
        # Again and again, for a process that was being forked when the others were killed.
        _signal_all(groups, signal.SIGKILL)
        time.sleep(POLL_S)
    return left


def _is_still_ours(group: ProcessGroup) -> bool:
    if group.pgid is None or group.started is None:
        return False
    leader = read_stat(group.pgid)
    # Without a leader the number is still taken as long as the group has a member.
    return leader is None or leader.started == group.started


def _all_pids() -> tuple[int, ...]:
    me = os.getpid()
    return tuple(int(name) for name in os.listdir(PROC) if name.isdigit() and int(name) != me)  # noqa: PTH208 - a plain list of names is 10 times faster


def _belongs(pid: int, pgid: int | None, wanted: bytes | None) -> bool:
    stat = read_stat(pid)
    if stat is None or stat.state in "ZX":
        return False
    if stat.pgid == pgid:
        return True
    return wanted is not None and wanted in _read_environment(pid)


def _read_environment(pid: int) -> list[bytes]:
    try:
        return (PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _find_all(groups: tuple[ProcessGroup, ...]) -> tuple[int, ...]:
    return tuple(pid for group in groups for pid in find_members(group))


def _signal_all(groups: tuple[ProcessGroup, ...], number: int) -> None:
    for group in groups:
        _signal_members(group, find_members(group), number)


def _signal_members(group: ProcessGroup, members: tuple[int, ...], number: int) -> None:
    # The group at once first, so that a master cannot replace the worker that was ended before it.
    if group.pgid is not None and members and _is_still_ours(group):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group.pgid, number)
    for pid in members:
        stat = read_stat(pid)
        if stat is not None and stat.pgid != group.pgid:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)


def _wait_until_gone(groups: tuple[ProcessGroup, ...], timeout_s: float) -> tuple[int, ...]:
    deadline = time.monotonic() + timeout_s
    while (left := _find_all(groups)) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return left
