"""What takes time without a request is reported by hand, in both ways; one kind of it fails."""

import contextlib
import time

import gevent
import iterations  # noqa: F401
from locust import User, constant, events, task


@contextlib.contextmanager
def report(name):
    started_s, error = time.perf_counter(), None
    try:
        yield
    except ValueError as raised:
        error = raised
    events.request.fire(
        request_type="manual",
        name=name,
        response_time=(time.perf_counter() - started_s) * 1000,
        response_length=0,
        exception=error,
        context={},
    )


class Worker(User):
    wait_time = constant(0.01)

    @task
    def work(self):
        with report("good"):
            gevent.sleep(0.01)
        with report("bad"):
            raise ValueError("the books do not balance")
        with self.environment.events.request.measure("manual", "measured"):
            gevent.sleep(0.01)
