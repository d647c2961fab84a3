"""An open workload on unmodified user classes: tasks begin at fixed times, however slow the replies are.

In a closed workload a service that stalls also stops being asked, and the stall is measured once per user
(coordinated omission; G. Tene, "How NOT to Measure Latency", 2015). Here each task has an intended start on
a schedule, and a late task carries its lateness. Runs inside Locust.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

from locust.exception import StopUser
from locust.user.task import TaskSet

from ci_gate.measure.in_locust.schedule import Schedule

_INTENDED = "_ci_gate_intended_s"
_IDLE_S = 0.2


class Arrivals:
    """Hands the next intended start to whichever user is free. Before ``begin`` nobody starts a task."""

    def __init__(self, schedule: Schedule, clock: Callable[[], float] = time.time) -> None:
        self._schedule = schedule
        self._clock = clock
        self._next = 0
        self._begin_s: float | None = None
        self._without_request: list[float] = []
        self._is_over = False
        self._waiting: dict[int, tuple[Any, float]] = {}  # each user that waits, and the start it waits for

    def take_part(self, process: int, processes: int) -> None:
        """Hand out what is for this one of several processes alone."""
        self._schedule = self._schedule.part_of(process, processes)

    def begin_at(self, begin_s: float) -> None:
        """Start the schedule at this moment, in Unix seconds, which is the same in all processes."""
        self._begin_s = begin_s

    def begin(self) -> float:
        """Start the schedule as soon as every idle user has looked: that many seconds from now."""
        self._begin_s = self._clock() + _IDLE_S
        return _IDLE_S

    def pace(self) -> None:
        """Make every user wait for the schedule, whatever its own wait time is."""
        wait: Any = TaskSet.wait

        @functools.wraps(wait)
        def scheduled_wait(tasks: Any) -> None:
            tasks.wait_time = lambda: _IDLE_S
            while self._begin_s is None:
                wait(tasks)
            intended_s = self._begin_s + self._schedule.start_of(self._next)
            self._next += 1
            tasks.wait_time = lambda: max(intended_s - self._clock(), 0.0)
            self._waiting[id(tasks.user)] = tasks.user, intended_s
            wait(tasks)
            if self._is_over:  # its start was due when the test ended, and its turn came before its end
                raise StopUser
            self._waiting.pop(id(tasks.user), None)
            if (unused_s := take_intended(tasks.user)) is not None:  # the last task made no request
                self._without_request.append(unused_s)
            setattr(tasks.user, _INTENDED, intended_s)

        TaskSet.wait = scheduled_wait  # type: ignore[method-assign]

    def take_unused(self) -> tuple[float, ...]:
        """Take the intended starts that have passed without a request: no user was free, or it made none.

        For the moment in which all users that wait are ended: none of them begins any more.
        """
        if self._begin_s is None:
            return ()
        self._is_over = True
        overdue, self._without_request = self._without_request, []
        waiting, self._waiting = tuple(self._waiting.values()), {}
        of_last_tasks = (take_intended(user) for user, _ in waiting)
        overdue += [intended_s for intended_s in of_last_tasks if intended_s is not None]
        overdue += [intended_s for _, intended_s in waiting if intended_s <= self._clock()]
        while (intended_s := self._begin_s + self._schedule.start_of(self._next)) <= self._clock():
            overdue.append(intended_s)
            self._next += 1
        return tuple(overdue)


def take_intended(user: Any) -> float | None:
    """The intended start of the task that ``user`` is in, for its first request; None for those after it."""
    intended_s: float | None = user.__dict__.pop(_INTENDED, None)
    return intended_s
