"""Users of the small services."""

from __future__ import annotations

import random
import time

from locust import FastHttpUser, constant, task

ITEMS = 60_000
BURNS_S = 0.008


def name_item() -> str:
    """The path of one of them."""
    return f"/items/{random.randrange(ITEMS)}"  # noqa: S311 - no secret


class ItemUser(FastHttpUser):
    """Looks at one item, five times a second."""

    wait_time = constant(0.2)

    @task
    def find(self) -> None:
        self.client.get(name_item(), name="/items/{id}")


class PatientUser(ItemUser):
    """One of many: waits a second."""

    wait_time = constant(1)


class ReportUser(FastHttpUser):
    """Looks at four items and a report."""

    wait_time = constant(0.1)

    @task
    def look(self) -> None:
        for _ in range(4):
            self.client.get(name_item(), name="/items/{id}")
        self.client.get("/report")


class BurningUser(FastHttpUser):
    """Computes something in Locust for each reply, as to sign it or to read a large document."""

    wait_time = constant(0.1)

    @task
    def find(self) -> None:
        self.client.get(name_item(), name="/items/{id}")
        end_s = time.thread_time() + BURNS_S
        while time.thread_time() < end_s:
            pass
