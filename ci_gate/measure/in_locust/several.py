"""Several processes: Locust's own master, which conducts, and its workers, which run users.

On one machine Locust forks the workers once it has loaded the locustfile (its option ``--processes``); for
those on other machines see `remote`. Each records into a folder of its own. What passes between them is
small, and goes by Locust's own messages: how many users are ready, which phase begins. Runs inside Locust.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol
from uuid import UUID

import gevent
import locust.runners
import msgspec
import psutil
from gevent.event import Event

from ci_gate.evidence.processes import WORKER
from ci_gate.evidence.ranges import Count
from ci_gate.evidence.readings import StrictValue
from ci_gate.measure.in_locust.crew import Alone, Conducted, Pacer, Phase
from ci_gate.measure.in_locust.members import LOOPBACK, Forked, Members

if TYPE_CHECKING:
    from collections.abc import Callable

    from ci_gate.evidence.recording import RecordingPlan

_USERS: Final = "ci_gate_users"  # a message of a worker to the master: how many users it runs
_STOPPED: Final = "ci_gate_stopped"  # the same: its locustfile ends the test
_PHASE: Final = "ci_gate_phase"  # a message of the master to its workers
_POLL_S: Final = 0.1
_TO_ARRIVE_S: Final = 0.5  # for a message, so that all workers begin the schedule at the same moment
_AGAIN_AFTER_S: Final = 1.0
_END_ALLOWANCE_S: Final = 15.0  # beyond the drain, for a worker to write its totals


class Samples(Protocol):
    """What is needed of the recorder."""

    def move_to(self, folder: Path) -> None: ...


class Conducting(Protocol):
    """What is needed of the conductor before Locust begins."""

    def take_role(self, crew: Alone, folder: Path) -> None: ...


class Worker(Alone):
    """One of several: it runs users, and another process conducts."""

    conducts = False

    def __init__(self, arrivals: Pacer | None, find_offset_s: Callable[[], float]) -> None:
        """``find_offset_s`` is as in `become_worker`."""
        self._arrivals = arrivals
        self._find_offset_s = find_offset_s
        self._conductor: Conducted | None = None
        self._runner: Any = None
        self._has_spawned = self._is_told = False

    def join(self, environment: Any, conductor: Conducted) -> None:
        self._conductor, self._runner = conductor, environment.runner
        environment.events.spawning_complete.add_listener(self._note_spawned)
        environment.runner.register_message(_PHASE, self._follow)
        handle = environment.runner.handle_message

        def hear(message: Any) -> None:
            if message.type == "quit":  # also where the end of the phase was lost on the way
                self._is_told = True
                conductor.note_quitting()
            handle(message)

        environment.runner.handle_message = hear

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
            self._arrivals.begin_at(begin_s - self._find_offset_s())
        elif phase == "steady":
            self._conductor.begin_steady()
        elif phase == "end":
            self._is_told = True
            self._conductor.end_phase()


class _Users(StrictValue, frozen=True):
    """What a worker says of its users, once a second."""

    pid: Count
    users: dict[str, Count]
    ready: Count
    has_spawned: bool


class Master(Alone):
    """It runs no user, and conducts those that do."""

    runs_users = False

    def __init__(self, plan: RecordingPlan, members: Members) -> None:
        self._plan = plan
        self._members = members
        self._users: dict[str, _Users] = {}  # by Locust's name of a worker
        self._runner: Any = None
        self._is_ending = self._is_quitting = False
        self._has_quit = Event()
        self._quit: Callable[[], None] = lambda: None

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
            if self._members.has_ended():
                logging.getLogger(__name__).error("A worker process of Locust ended before the load began")
                self._members.end_rest()
                os.kill(os.getpid(), signal.SIGTERM)
                return
            gevent.sleep(_POLL_S)

    def watch(self, runner: Any) -> None:
        self._members.begin()
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
            self._runner.clients.missing or self._members.has_lost()
        )

    def count_users(self, runner: Any) -> tuple[dict[str, int], int]:
        del runner
        running: Counter[str] = Counter()
        for each in self._users.values():
            running.update(each.users)
        return dict(running), sum(each.ready for each in self._users.values())

    def knows_users(self) -> bool:
        return sum(each.has_spawned for each in self._users.values()) >= self._plan.processes

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
        users = msgspec.convert(msg.data, _Users)
        self._members.join(msg.node_id, users.pid)
        self._users[msg.node_id] = users

    def _end_for_all(self, **_more: Any) -> None:
        """What one locustfile ends, ends in all processes: the rest would be another load."""
        self._conductor.end(self._runner)

    def _quit_after_workers(self) -> None:
        if gevent.getcurrent() in self._runner.greenlet:
            gevent.spawn(self._quit_after_workers)  # else nobody would hear the workers meanwhile
            return
        if self._is_quitting:
            self._has_quit.wait()
            return
        self._is_quitting = True
        self._runner.stop(send_stop_to_client=False)
        self._is_ending = True
        self._runner.send_message("quit")
        sent_s = time.monotonic()
        deadline = sent_s + self._plan.drain_s + _END_ALLOWANCE_S
        while self._members.is_awaited(self._find_missing()) and time.monotonic() < deadline:
            gevent.sleep(_POLL_S)
            if time.monotonic() > sent_s + _AGAIN_AFTER_S:  # one that was cut off has not heard it
                sent_s = time.monotonic()
                self._send("end", time.time())
                self._runner.send_message("quit")
        self._members.end_rest()
        self._quit()
        self._has_quit.set()

    def _find_missing(self) -> frozenset[str]:
        return frozenset(client.id for client in self._runner.clients.missing)


def become_worker(
    plan: RecordingPlan,
    number: int,
    folder: Path,
    arrivals: Pacer | None,
    conductor: Conducting,
    find_offset_s: Callable[[], float] = lambda: 0.0,
) -> None:
    """Make this process the worker of that number, which records into ``folder``.

    ``find_offset_s`` says what is to be added to this machine's time to have the master's.
    """
    conductor.take_role(Worker(arrivals, find_offset_s), folder)
    if arrivals:
        arrivals.take_part(number - 1, plan.processes)
    random.seed(f"{plan.seed} {number}")  # else all of them would draw alike


def distribute(
    plan: RecordingPlan, folder: Path, samples: Samples, arrivals: Pacer | None, conductor: Conducting
) -> list[str]:
    """Make this process the master, and what Locust forks from it its workers; returns Locust's options."""
    members, fork = Forked(plan.processes), gevent.fork
    conductor.take_role(Master(plan, members), folder)

    def fork_worker() -> int:
        if sys._getframe(1).f_globals.get("__name__") != "locust.main":  # noqa: SLF001 - of the locustfile
            return int(fork())
        number = len(members.processes) + 1
        own = folder / WORKER.format(number)
        own.mkdir()
        if pid := int(fork()):
            members.processes.append(psutil.Process(pid))
            return pid
        if plan.worker_cpus:
            os.sched_setaffinity(0, plan.worker_cpus[number - 1 : number])
        samples.move_to(own)
        become_worker(plan, number, own, arrivals, conductor)
        # Locust shares out users in the order of its workers' names: so base's and head's shares are alike.
        locust.runners.uuid4 = lambda: UUID(int=number)  # type: ignore[attr-defined]
        return pid

    gevent.fork = fork_worker
    port = str(members.port)
    return [
        *("--master-host", LOOPBACK, "--master-port", port),
        *("--master-bind-host", LOOPBACK, "--master-bind-port", port),
    ]
