"""The processes that put the load on, as the one that conducts them knows them. Runs inside Locust."""

from __future__ import annotations

import contextlib
import socket
from typing import Final, Protocol

import psutil

LOOPBACK: Final = "127.0.0.1"


class Members(Protocol):
    """The processes that run users, as the master knows them."""

    def join(self, client_id: str, pid: int) -> None:
        """Locust's name of one, and its process id on its machine."""

    def begin(self) -> None:
        """The load begins."""

    def has_ended(self) -> bool:
        """Whether one has ended."""

    def has_lost(self) -> bool:
        """Whether one has ended, or is not heard of any more."""

    def is_awaited(self, missing: frozenset[str]) -> bool:
        """Whether one has not written all yet, but of these: who says nothing any more is not waited for."""

    def end_rest(self) -> None:
        """End those that have not ended by themselves."""


class Forked:
    """Processes that Locust has forked from this one."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.processes: list[psutil.Process] = []
        self._clients: dict[str, int] = {}  # Locust's name of a worker, and its process id
        # A port of the loopback that is this process's own: Locust may listen there too, none other.
        self._holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._holder.bind((LOOPBACK, 0))

    @property
    def port(self) -> int:
        """Where the conducting process is to listen for them."""
        return int(self._holder.getsockname()[1])

    def join(self, client_id: str, pid: int) -> None:
        self._clients[client_id] = pid

    def begin(self) -> None:
        """All of them are there already."""

    def has_ended(self) -> bool:
        return len(self._living()) < self._count

    has_lost = has_ended

    def is_awaited(self, missing: frozenset[str]) -> bool:
        pids = {self._clients.get(client_id) for client_id in missing}
        return any(process.pid not in pids for process in self._living())

    def end_rest(self) -> None:
        for process in self._living():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def _living(self) -> list[psutil.Process]:
        return [process for process in self.processes if _is_living(process)]


def _is_living(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False
