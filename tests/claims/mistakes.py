"""One locustfile with the mistakes of the report, a user class for each, and ``FixedUser`` without any."""

from __future__ import annotations

import random
import time
from itertools import count

from locust import FastHttpUser, constant, events, task

MIN_ITEMS = 100
starts = count()


class ShopUser(FastHttpUser):
    abstract = True
    wait_time = constant(0.05)
    account = "somebody"

    def sign_in(self):
        with self.client.post(f"/login/{self.account}", name="/login", catch_response=True) as reply:
            if reply.status_code == 200:
                self.client.auth_header = f"Bearer {reply.json()['token']}"


class FixedUser(ShopUser):
    def on_start(self):
        self.sign_in()

    @task(3)
    def list_items(self):
        with self.client.get("/items", catch_response=True) as reply:
            if len(reply.json()["items"]) < MIN_ITEMS:
                reply.failure("too few items")

    @task(2)
    def get_item(self):
        self.client.get(f"/items/{random.randrange(10**6)}", name="/items/{id}")

    @task(1)
    def get_limited(self):
        self.client.get("/limited")


class SilentUser(ShopUser):
    """5: the class that the scenario is named after makes no request."""

    @task
    def think(self):
        self.thoughts = self.account


class DyingUser(FixedUser):
    """6: some users die in on_start."""

    def on_start(self):
        if next(starts) % 4 == 0:
            raise ConnectionError("login refused")
        super().on_start()


class AnonymousUser(ShopUser):
    """10: who is logged in is exempt from throttling, but nobody is."""

    @task
    def get_limited(self):
        self.client.get("/limited")


class ForgivingUser(ShopUser):
    """12: a route that does not exist, and a script that calls 404 a success."""

    @task
    def approve(self):
        with self.client.post("/approvals/1/approve", catch_response=True) as reply:
            if reply.status_code in (200, 404):
                reply.success()


class PendingUser(ShopUser):
    """12: the list holds 17 items, where the plan says 100 or more."""

    @task
    def list_pending(self):
        with self.client.get("/approvals", catch_response=True) as reply:
            if len(reply.json()["items"]) < MIN_ITEMS:
                reply.failure("too few pending")


class NowhereUser(ShopUser):
    """13: endpoints that exist nowhere, all answered with the same page."""

    @task
    def publish(self):
        plane = random.choice(("intune", "jamf", "sccm"))
        with self.client.post(f"/connectors/{plane}/publish", catch_response=True) as reply:
            reply.success()


class UnreportedUser(ShopUser):
    """23: catch_response without with records nothing: the login fails, and nobody sees it."""

    def on_start(self):
        self.client.post("/login/nobody", name="/login", catch_response=True)

    @task
    def list_items(self):
        self.client.get("/items")

    @task
    def get_item(self):
        self.client.get("/items/1", name="/items/{id}")


class FlakyUser(ShopUser):
    """24: a listener that crashes when there is a failure to print."""

    @task
    def get_flaky(self):
        self.client.get("/flaky")


class NamelessUser(ShopUser):
    """25: random ids, and no name."""

    @task
    def get_item(self):
        self.client.get(f"/items/{random.randrange(10**6)}")


class OnceUser(ShopUser):
    """26: may sign in once until the state is reset."""

    account = "once/alice"

    def on_start(self):
        self.sign_in()

    @task
    def list_items(self):
        self.client.get("/items")


class BlockingUser(ShopUser):
    """Works for so long between its requests that the others have to wait for it."""

    @task
    def get_item(self):
        end = time.perf_counter() + 0.2
        while time.perf_counter() < end:
            pass
        self.client.get("/items/1", name="/items/{id}")


@events.request.add_listener
def print_failures(name, exception, **_):
    if exception and name == "/flaky":
        print(exception.response.json()["detail"])
