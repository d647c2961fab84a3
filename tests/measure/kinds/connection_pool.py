"""All users share one pool of connections."""

import iterations  # noqa: F401
from locust import HttpUser, constant, task
from urllib3 import PoolManager


class Pooled(HttpUser):
    wait_time = constant(0.01)
    pool_manager = PoolManager(maxsize=2, block=True)

    @task
    def visit(self):
        self.client.get("/sleep/0.01", name="/pooled")
