"""The processes that belong to something that was started: found whatever they forked, and ended.

Standard library only, because the watchdog imports it and must be up within milliseconds.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Mapping
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
    """What /proc/<pid>/stat says: fields 2 to 6 and 22. ``started`` is in clock ticks after boot."""

    name: str
    state: str
    parent: int
    pgid: int
    session: int
    started: int

    @property
    def is_living(self) -> bool:
        """A zombie is not: only its parent can remove it."""
        return self.state not in "ZX"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessGroup:
    """The processes with ``mark`` in their environment, those of the group ``pgid``, and all below them.

    The leader of ``pgid`` is ended last: it is a keeper (keeper.py), to which what the others leave
    behind comes back. ``started`` is its start time: a group whose leader started at another time is somebody
    else's, who was given the same number. It is None until the leader is known.
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
    before, _, after = text.rpartition(")")
    fields = after.split()
    if len(fields) <= 19:  # noqa: PLR2004 - field 22, without the two before
        return None
    parent, pgid, session = (int(field) for field in fields[1:4])
    return ProcessStat(before.partition("(")[2], fields[0], parent, pgid, session, int(fields[19]))


def find_members(*groups: ProcessGroup) -> dict[int, ProcessStat]:
    """All living members by their process id, without this process."""
    processes = {pid: stat for pid in _list_pids() if (stat := read_stat(pid))}
    below: dict[int, list[int]] = {}
    for pid, stat in processes.items():
        below.setdefault(stat.parent, []).append(pid)
    found: set[int] = set()
    left = list(_find_roots(groups, processes))
    while left:
        pid = left.pop()
        if pid not in found:
            found.add(pid)
            left += below.get(pid, ())
    return {pid: processes[pid] for pid in sorted(found) if processes[pid].is_living}


def find_below(*pids: int) -> tuple[int, ...]:
    """The processes that descend from ``pids``, these included, as far as they are there.

    It asks only them for their children, and no other process of the machine. One whose sibling ends at that
    moment may be missed: good enough to meter, not to end them.
    """
    found: set[int] = set()
    left = list(pids)
    while left:
        pid = left.pop()
        if pid not in found and (children := _read_children(pid)) is not None:
            found.add(pid)
            left += children
    return tuple(sorted(found))


def end_groups(*groups: ProcessGroup, grace_s: float) -> tuple[int, ...]:
    """SIGTERM to all members, ``grace_s`` to end, then SIGKILL. Returns the ids of those that still live."""
    # A stopped process acts on SIGTERM only once it is continued.
    for number in (signal.SIGTERM, signal.SIGCONT):
        _signal_all(find_members(*groups), number)
    deadline = time.monotonic() + grace_s
    while (left := find_members(*groups)) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    keepers = {group.pgid for group in groups}
    deadline = time.monotonic() + KILL_WAIT_S
    while (left := find_members(*groups)) and time.monotonic() < deadline:
        # Again and again, for a process that was being forked when the others were killed.
        _signal_all({pid: left[pid] for pid in left if pid not in keepers} or left, signal.SIGKILL)
        time.sleep(POLL_S)
    return tuple(left)


def _find_roots(groups: Iterable[ProcessGroup], processes: Mapping[int, ProcessStat]) -> Iterable[int]:
    pgids = {group.pgid for group in groups if _is_still_ours(group)}
    marks = {f"{MARK_VARIABLE}={group.mark}".encode() for group in groups if group.mark}
    me = os.getpid()
    for pid, stat in processes.items():
        if pid != me and (stat.pgid in pgids or (marks and not marks.isdisjoint(_read_environment(pid)))):
            yield pid


def _is_still_ours(group: ProcessGroup) -> bool:
    if group.pgid is None or group.started is None:
        return False
    leader = read_stat(group.pgid)
    # Without a leader the number is still taken as long as the group has a member.
    return leader is None or leader.started == group.started


def _list_pids() -> list[int]:
    return [int(name) for name in os.listdir(PROC) if name.isdigit()]  # noqa: PTH208 - a plain list of names is 10 times faster


def _read_environment(pid: int) -> list[bytes]:
    try:
        return (PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _read_children(pid: int) -> list[int] | None:
    """Those of all its threads; None if there is no such process."""
    try:
        threads = os.listdir(PROC / str(pid) / "task")  # noqa: PTH208 - as above
    except OSError:
        return None
    children: list[int] = []
    for thread in threads:
        with contextlib.suppress(OSError):
            children += map(int, (PROC / str(pid) / "task" / thread / "children").read_text().split())
    return children


def _signal_all(members: Mapping[int, ProcessStat], number: int) -> None:
    # Their groups at once first, so that a master cannot replace the worker that was ended before it.
    led = {stat.pgid for stat in members.values()} & members.keys()
    for pgid in led:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pgid, number)
    for pid, stat in members.items():
        now = None if stat.pgid in led else read_stat(pid)
        if now is not None and now.started == stat.started:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
