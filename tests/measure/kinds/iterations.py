"""Lets each user of a locustfile stop after so many tasks, and the test end with the last of them.

Without this, two runs of one file never make equally many requests. Runs inside Locust.
"""

from __future__ import annotations

import functools

import gevent
from locust import events
from locust.exception import StopUser
from locust.user.users import DefaultTaskSet

ITERATIONS = 4
_run_next = DefaultTaskSet.execute_next_task


@functools.wraps(_run_next)
def _run_next_or_stop(tasks):
    done = tasks.user.__dict__.get("_done", 0)
    if done == ITERATIONS:
        raise StopUser
    tasks.user.__dict__["_done"] = done + 1
    _run_next(tasks)


DefaultTaskSet.execute_next_task = _run_next_or_stop


@events.test_start.add_listener
def _end_with_the_last(environment, **_):
    def wait():
        while not environment.runner.user_count:
            gevent.sleep(0.05)
        while environment.runner.user_count:
            gevent.sleep(0.05)
        environment.runner.quit()

    gevent.spawn(wait)
