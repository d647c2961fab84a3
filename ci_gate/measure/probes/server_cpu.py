"""CPU of a PostgreSQL server on this machine; the process that serves a connection of ours leads to it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

import psutil

from ci_gate.measure.usage import UsageMeter, read_cpu_of

_NAMES: Final = frozenset({"postgres", "postmaster"})


class ServerCpu:
    """Of the server whose process ``backend_pid`` serves the connection from ``client_port``; None: a socket.

    The process id is the server's own: of a container, it is another one here. Its title has the port.
    """

    def __init__(self, backend_pid: int, client_port: int | None) -> None:
        client = "[local]" if client_port is None else f"({client_port})"
        self._usage = UsageMeter()
        self._postmaster: int | None = None
        self._is_container = False
        for pid in psutil.pids():
            ids = _read_namespace_ids(pid)
            if ids and ids[-1] == backend_pid and _is_backend(pid, client):
                self._postmaster = _find_parent(pid)
                self._is_container = len(ids) > 1

    def read(self) -> float | None:
        """CPU seconds of all its processes since the first look; None where they are not on this machine."""
        if self._postmaster is None:
            return None
        now = read_cpu_of((self._postmaster, *_read_children(self._postmaster)))
        return self._usage.read_cpu(now, self._postmaster if self._is_container else None)


def _read_namespace_ids(pid: int) -> tuple[int, ...]:
    """Its process ids, from this namespace to the innermost that it is in; () where there is none."""
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines()
        line = next(line for line in lines if line.startswith("NSpid:"))
        return tuple(map(int, line.split()[1:]))
    return ()


def _is_backend(pid: int, client: str) -> bool:
    with contextlib.suppress(OSError):
        title = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
        return title.startswith("postgres:") and client in title
    return False


def _read_children(pid: int) -> tuple[int, ...]:
    """A PostgreSQL server starts all its processes from the first: there are none below its children."""
    with contextlib.suppress(OSError):
        return tuple(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    return ()


def _find_parent(pid: int) -> int | None:
    with contextlib.suppress(psutil.Error):
        parent = psutil.Process(pid).parent()
        return parent.pid if parent and parent.name() in _NAMES else None
    return None
