"""A wait time of the user's own, which grows from task to task."""

import iterations  # noqa: F401
from locust import FastHttpUser, task


class Hesitant(FastHttpUser):
    waited_s = 0.0

    def wait_time(self):
        self.waited_s += 0.01
        return self.waited_s

    @task
    def visit(self):
        self.client.get("/ok", name="/hesitant")
