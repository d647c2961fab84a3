"""One after the other: a sequence of pages, as somebody who buys something would see them."""

import iterations  # noqa: F401
from locust import HttpUser, SequentialTaskSet, constant, task


class Purchase(SequentialTaskSet):
    def on_start(self):
        self.client.get("/ok", name="/begin")

    @task
    def look(self):
        self.client.get("/ok", name="/item")

    @task
    def put(self):
        self.client.post("/ok", name="/cart")

    @task
    def pay(self):
        self.client.post("/status/402", name="/pay")

    @task
    def leave(self):
        self.interrupt()


class Buyer(HttpUser):
    wait_time = constant(0.01)
    tasks = [Purchase]  # noqa: RUF012 - as Locust's documentation has it
