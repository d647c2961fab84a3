"""FastHttpUser's REST client: a reply that is not as expected is a failure."""

import iterations  # noqa: F401
from locust import FastHttpUser, constant, task


class Caller(FastHttpUser):
    wait_time = constant(0.01)

    @task
    def call(self):
        with self.rest("GET", "/ok", name="/rest") as reply:
            assert reply.js["ok"] is True
        with self.rest("POST", "/ok", name="/wrong") as reply:
            assert reply.js["ok"] is False, "it was ok"
