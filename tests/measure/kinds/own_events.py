"""An event of the locustfile's own, listeners of Locust's, and a request that only a listener makes."""

import iterations  # noqa: F401
from locust import HttpUser, constant, events, task
from locust.event import EventHook

bought = EventHook()
lengths = []


@events.request.add_listener
def measure_length(response_length, **_kwargs):
    lengths.append(response_length)


@bought.add_listener
def confirm(user, **_kwargs):
    user.client.post("/ok", name="/confirmed")


@events.test_start.add_listener
def begin(environment, **_kwargs):
    environment.begun = True


class Buyer(HttpUser):
    wait_time = constant(0.01)

    @task
    def buy(self):
        assert self.environment.begun
        with self.client.get("/ok", name="/buy", catch_response=True) as reply:
            if len(lengths) < 0 or not reply.ok:
                reply.failure("no")
            else:
                reply.success()
        bought.fire(user=self)
