"""Several processes on this machine: Locust's own master, which conducts, and its workers, which run users.

Locust forks the workers once it has loaded the locustfile (its option ``--processes``). Each records into a
folder of its own, so that nothing of a request passes between processes. What does is small, and goes by
Locust's own messages: how many users are ready, and which phase begins. Runs inside Locust.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import signal
import socket
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol
from uuid import UUID

import gevent
import locust.runners
import psutil

from ci_gate.evidence.processes import WORKER
from ci_gate.measure.in_locust.crew import Alone, Conducted, Pacer, Phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from ci_gate.evidence.recording import RecordingPlan

_LOOPBACK: Final = "127.0.0.1"
_USERS: Final = "ci_gate_users"  # a message of a worker to the master: how many users it runs
_STOPPED: Final = "ci_gate_stopped"  # the same: its locustfile ends the test
_PHASE: Final = "ci_gate_phase"  # a message of the master to its workers
_POLL_S: Final = 0.1
_TO_ARRIVE_S: Final = 0.5  # for a message, so that all workers begin the schedule at the same moment
_END_ALLOWANCE_S: Final = 15.0  # beyond the drain, for a worker to write its totals


class _Samples(Protocol):
    def move_to(self, folder: Path) -> None: ...


class _Conductor(Protocol):
    def take_role(self, crew: Alone, folder: Path) -> None: ...


class Worker(Alone):
    """One of several: it runs users, and another process conducts."""

    conducts = False

    def __init__(self, arrivals: Pacer | None) -> None:
        self._arrivals = arrivals
        self._conductor: Conducted | None = None
        self._runner: Any = None
        self._has_spawned = self._is_told = False

    def join(self, environment: Any, conductor: Conducted) -> None:
        self._conductor, self._runner = conductor, environment.runner
        environment.events.spawning_complete.add_listener(self._note_spawned)
        environment.runner.register_message(_PHASE, self._follow)

    def report(self, users: dict[str, int], ready: int) -> None:
        known = {"pid": os.getpid(), "users": users, "ready": ready, "has_spawned": self._has_spawned}
        self._runner.send_message(_USERS, known)

    def announce(self, phase: Phase) -> None:
        if phase == "end" and not self._is_told:
            self._runner.send_message(_STOPPED)

    def _note_spawned(self, **_more: Any) -> None:
        self._has_spawned = True

    def _follow(self, *, environment: Any, msg: Any) -> None:
        del environment
        phase, begin_s = msg.data["phase"], msg.data["begin_s"]
        if self._conductor is None:
            return
        if phase == "begin" and self._arrivals:
            self._arrivals.begin_at(begin_s)
        elif phase == "steady":
            self._conductor.begin_steady()
        elif phase == "end":
            self._is_told = True
            self._conductor.end_phase()


class Master(Alone):
    """It runs no user. ``processes`` are the workers that Locust has forked from it."""

    runs_users = False

    def __init__(self, plan: RecordingPlan) -> None:
        self._plan = plan
        self.processes: list[psutil.Process] = []
        self._users: dict[int, tuple[dict[str, int], int]] = {}  # by process id
        self._spawned: set[int] = set()
        self._clients: dict[str, int] = {}  # Locust's name of a worker, and its process id
        self._runner: Any = None
        self._is_ending = False
        self._quit: Callable[[], None] = lambda: None
        # A port of the loopback that is this process's own: Locust may listen there too, none other.
        self._holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._holder.bind((_LOOPBACK, 0))

    @property
    def port(self) -> int:
        """Where it is to listen for its workers."""
        return int(self._holder.getsockname()[1])

    def join(self, environment: Any, conductor: Conducted) -> None:
        self._runner = environment.runner
        self._conductor = conductor
        self._runner.register_message(_USERS, self._note_users)
        self._runner.register_message(_STOPPED, self._end_for_all, concurrent=True)
        # Locust's own quit gives its workers half a second, and they await what is in flight.
        self._quit = self._runner.quit
        self._runner.quit = self._quit_after_workers
        # Locust ends its workers as soon as it quits itself: this must be heard before that.
        environment.events.quitting.add_listener(lambda **_more: conductor.note_quitting())
        gevent.spawn(self._await_connections)

    def _await_connections(self) -> None:
        """A worker that ends before it has connected is not awaited; why it ended is in the log."""
        while len(self._runner.clients) < self._plan.processes:
            if len(self._living()) < self._plan.processes:
                logging.getLogger(__name__).error("A worker process of Locust ended before the load began")
                self._kill_rest()
                os.kill(os.getpid(), signal.SIGTERM)
                return
            gevent.sleep(_POLL_S)

    def watch(self, runner: Any) -> None:
        gevent.spawn(self._watch_workers, runner)

    def _watch_workers(self, runner: Any) -> None:
        while not self._is_ending:
            if self.has_lost():
                self._conductor.end_by_loss(runner)
                return
            gevent.sleep(_POLL_S)

    def has_lost(self) -> bool:
        """Whether a process has ended, or Locust has heard nothing of it for as long as it allows."""
        if self._is_ending:
            return False
        return len(self._runner.clients) < self._plan.processes or bool(
            self._runner.clients.missing or len(self._living()) < self._plan.processes
        )

    def count_users(self, runner: Any) -> tuple[dict[str, int], int]:
        del runner
        running: Counter[str] = Counter()
        for users, _ in self._users.values():
            running.update(users)
        return dict(running), sum(ready for _, ready in self._users.values())

    def knows_users(self) -> bool:
        return len(self._spawned) >= self._plan.processes

    def has_users(self, runner: Any) -> bool:
        return any(self.count_users(runner)[0].values())

    def begin_arrivals(self, arrivals: Pacer) -> float:
        del arrivals
        self._send("begin", time.time() + _TO_ARRIVE_S)
        return _TO_ARRIVE_S

    def announce(self, phase: Phase) -> None:
        self._is_ending = self._is_ending or phase == "end"
        self._send(phase, time.time())

    def _send(self, phase: Phase, begin_s: float) -> None:
        if self._runner is not None:
            self._runner.send_message(_PHASE, {"phase": phase, "begin_s": begin_s})

    def _note_users(self, *, environment: Any, msg: Any) -> None:
        del environment
        self._clients[msg.node_id] = msg.data["pid"]
        self._users[msg.data["pid"]] = msg.data["users"], msg.data["ready"]
        if msg.data["has_spawned"]:
            self._spawned.add(msg.data["pid"])

    def _end_for_all(self, **_more: Any) -> None:
        """What one locustfile ends, ends in all processes: the rest would be another load."""
        self._conductor.end(self._runner)

    def _living(self) -> list[psutil.Process]:
        return [process for process in self.processes if _is_living(process)]

    def _quit_after_workers(self) -> None:
        self._runner.stop(send_stop_to_client=False)
        self._is_ending = True
        self._runner.send_message("quit")
        deadline = time.monotonic() + self._plan.drain_s + _END_ALLOWANCE_S
        while self._is_any_awaited() and time.monotonic() < deadline:
            gevent.sleep(_POLL_S)
        self._kill_rest()
        self._quit()

    def _is_any_awaited(self) -> bool:
        """Whether one lives that is not lost: who says nothing any more is not waited for."""
        missing = {self._clients.get(client.id) for client in self._runner.clients.missing}
        return any(process.pid not in missing for process in self._living())

    def _kill_rest(self) -> None:
        for process in self._living():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def _is_living(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def distribute(
    plan: RecordingPlan, folder: Path, samples: _Samples, arrivals: Pacer | None, conductor: _Conductor
) -> list[str]:
    """Make this process the master, and what Locust forks from it its workers; returns Locust's options."""
    master, fork = Master(plan), gevent.fork
    conductor.take_role(master, folder)

    def fork_worker() -> int:
        if sys._getframe(1).f_globals.get("__name__") != "locust.main":  # noqa: SLF001 - of the locustfile
            return int(fork())
        number = len(master.processes) + 1
        own = folder / WORKER.format(number)
        own.mkdir()
        if pid := int(fork()):
            master.processes.append(psutil.Process(pid))
            return pid
        if plan.worker_cpus:
            os.sched_setaffinity(0, plan.worker_cpus[number - 1 : number])
        samples.move_to(own)
        conductor.take_role(Worker(arrivals), own)
        if arrivals:
            arrivals.take_part(number - 1, plan.processes)
        random.seed(f"{plan.seed} {number}")  # else all of them would draw alike
        # Locust shares out users in the order of its workers' names: so base's and head's shares are alike.
        locust.runners.uuid4 = lambda: UUID(int=number)  # type: ignore[attr-defined]
        return pid

    gevent.fork = fork_worker
    port = str(master.port)
    return [
        *("--master-host", _LOOPBACK, "--master-port", port),
        *("--master-bind-host", _LOOPBACK, "--master-bind-port", port),
    ]
