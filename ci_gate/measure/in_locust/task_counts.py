"""Counts the tasks that users run, and the requests of each. Runs inside Locust, for a reset check.

What a task calls in other greenlets counts for the task that its user is in.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import gevent
from locust import events
from locust.user.task import DefaultTaskSet, TaskSet

from ci_gate.evidence.readings import TaskCount
from ci_gate.evidence.samples import storable
from ci_gate.measure.in_locust.unreported import find_current_user

_TASK: Final = "_ci_gate_requests_of_task"


class TaskCounts:
    """How often each task of each user class ran to its end, and how many requests it made."""

    def __init__(self) -> None:
        self._runs: Counter[tuple[str, str]] = Counter()
        self._requests: Counter[tuple[str, str]] = Counter()

    def watch(self) -> None:
        """Attach to Locust, for as long as the process lives."""
        for task_set in (TaskSet, DefaultTaskSet):
            task_set.execute_task = self._watched(task_set.execute_task)  # type: ignore[method-assign]
        events.request.add_listener(_count_request)

    def _watched(self, execute: Callable[[Any, Any], None]) -> Any:
        @functools.wraps(execute)
        def execute_task(tasks: Any, task: Any) -> None:
            if isinstance(task, type):  # a nested task set, which comes here again with its own tasks
                execute(tasks, task)
                return
            user, key = tasks.user, (type(tasks.user).__name__, getattr(task, "__name__", "task"))
            setattr(user, _TASK, 0)
            try:
                execute(tasks, task)
            except gevent.GreenletExit:  # the end of the run: the task is not complete
                raise
            except BaseException:
                self._add(key, user)
                raise
            self._add(key, user)

        return execute_task

    def _add(self, key: tuple[str, str], user: Any) -> None:
        self._runs[key] += 1
        self._requests[key] += user.__dict__.pop(_TASK, 0)

    def totals(self) -> tuple[TaskCount, ...]:
        """The counts so far, by class and task."""
        return tuple(
            TaskCount(
                user_class=storable(key[0]),
                task=storable(key[1]),
                runs=runs,
                requests=self._requests[key],
            )
            for key, runs in sorted(self._runs.items())
        )


def _count_request(**_event: Any) -> None:
    user = find_current_user()
    if user is not None and _TASK in user.__dict__:
        user.__dict__[_TASK] += 1
