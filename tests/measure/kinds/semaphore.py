"""Nobody begins before all users are there."""

import iterations  # noqa: F401
from gevent.lock import Semaphore
from locust import HttpUser, constant, events, task

all_are_there = Semaphore()
all_are_there.acquire()


@events.init.add_listener
def _(environment, **_kwargs):
    @environment.events.spawning_complete.add_listener
    def release(**_more):
        all_are_there.release()


class Patient(HttpUser):
    wait_time = constant(0.01)

    def on_start(self):
        all_are_there.wait()
        self.client.get("/ok", name="/after all")

    @task
    def visit(self):
        self.client.get("/ok", name="/patient")
