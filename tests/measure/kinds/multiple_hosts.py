"""A user with a second client, for another host."""

import os

import iterations  # noqa: F401
from locust import HttpUser, constant, task
from locust.clients import HttpSession


class Both(HttpUser):
    wait_time = constant(0.01)

    def on_start(self):
        self.other = HttpSession(
            base_url=os.environ["OTHER_HOST"],
            request_event=self.environment.events.request,
            user=self,
        )

    @task
    def visit(self):
        self.client.get("/ok", name="/here")
        self.other.get("/ok", name="/there")
