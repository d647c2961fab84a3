"""What the source of tasks says: every task below names in its docstring what must be found."""

from __future__ import annotations

import os
import re

import pytest

from ci_gate.measure.locustfile.workloads import describe_workloads
from ci_gate.thresholds import LocustSettings

SHOP = LocustSettings(locustfiles=("shop.py",))

LOCUSTFILE = '''
import functools
import random
import time
from locust import FastHttpUser, TaskSet, between, task

API = "/api"


def fetch(client):
    client.get("/unseen")


def pause():
    time.sleep(1)


def twice(function):
    @functools.wraps(function)
    def called(user):
        function(user)
        function(user)
    return called


def report(environment, began_s):
    environment.events.request.fire(request_type="X", name="x", response_time=time.time() - began_s)


class Transaction:
    def __init__(self, environment):
        self.environment = environment

    def __enter__(self):
        pass

    def __exit__(self, *_):
        report(self.environment, 0)
        self.environment.events.request.fire(request_type="X", name="x")


class Keeper:
    def order(self):
        pass


class Parent(FastHttpUser):
    abstract = True

    def inherited(self):
        self.client.get("/inherited")

    def named(self, kind):
        self.client.post(f"{API}/{kind}", name=f"{API}/{kind}")


class ShopUser(Parent):
    wait_time = between(1, 3)
    cart = Keeper()
    known = []

    @task
    def plain(self):
        """most: GET /a, POST /b; fewest: 2"""
        self.client.get("/a")
        with self.client.post("/b", catch_response=True) as reply:
            if reply.status_code != 201:
                reply.failure("no")
                return

    @task
    def constants(self):
        """most: DELETE /api/{id}, OPTIONS /x; fewest: 2"""
        name = f"{API}/{{id}}"
        self.client.delete(f"/api/{random.random()}", name=name)
        self.client.request("OPTIONS", "/x")

    @task
    def followed(self):
        """most: GET /inherited, POST /api/buy; fewest: 2"""
        self.inherited()
        self.named("buy")

    @task
    def either(self):
        """most: GET /a, GET /b, GET /b; fewest: 1"""
        if self.known:
            self.client.get("/a")
        else:
            self.client.get("/b")
            self.client.get("/b")

    @task
    def leaves_early(self):
        """most: GET /a, GET /b, GET /c; fewest: 1"""
        self.client.get("/a")
        if self.known:
            return
        self.client.get("/b")
        self.client.get("/c")

    @task
    def leaves_at_once(self):
        """most: GET /a; fewest: 0"""
        if not self.known:
            return
        self.client.get("/a")

    @task
    def perhaps(self):
        """most: GET /a, GET /b; fewest: 0"""
        self.known or self.client.get("/a")
        try:
            self.client.get("/b")
        except ValueError:
            pass

    @task
    def keeps_data(self):
        """most: GET /a; fewest: 1"""
        self.known.append(1)
        self.client.get("/a")

    @task
    def looks_at_itself(self):
        """most: GET /a; fewest: 1"""
        if not hasattr(self, "seen") and isinstance(self, Parent):
            setattr(self, "seen", f"{self} {id(self)}")
        print(type(self))
        self.client.get("/a")

    @task
    def hands_itself_to_itself(self):
        """most: unknown; fewest: 1"""
        setattr(self, "other", self)
        self.client.get("/a")

    @task
    def asks_for_its_client(self):
        """most: unknown; fewest: 1"""
        getattr(self, "client").get("/b")
        self.client.get("/a")

    @task
    def loops(self):
        """most: unknown; fewest: 1"""
        self.client.get("/a")
        for _ in range(3):
            self.client.get("/b")

    @task
    def comprehends(self):
        """most: unknown; fewest: 0"""
        [self.client.get("/b") for _ in range(3)]

    @task
    def hands_on_the_client(self):
        """most: unknown; fewest: 0"""
        fetch(self.client)

    @task
    def hands_on_itself(self):
        """most: unknown; fewest: 0"""
        fetch(self)

    @task
    def renames_the_client(self):
        """most: unknown; fewest: 1"""
        client = self.client
        client.get("/a")

    @task
    def asks_a_helper(self):
        """most: unknown; fewest: 0"""
        self.cart.order()

    @task
    def asks_its_parent(self):
        """most: unknown; fewest: 0"""
        super().inherited()

    @task
    def unknown_name(self):
        """most: unknown; fewest: 1"""
        self.client.get(self.known[0])

    @task
    def named_otherwise(user):
        """most: GET /a; fewest: 1"""
        user.client.get("/a")

    @task
    def hands_on_whatever_it_is_called(user):
        """most: unknown; fewest: 0"""
        fetch(user)

    @task
    @twice
    def wrapped(self):
        """most: unknown; fewest: 0"""
        self.client.get("/a")

    @property
    def token(self):
        return self.client.get("/token").text

    @task
    def reads_a_property(self):
        """most: unknown; fewest: 1"""
        self.client.get("/a", headers={"token": self.token})

    @task
    def reports_by_a_function(self):
        """most: unknown; fewest: 1"""
        report(self.environment, time.time())
        self.client.get("/a")

    @task
    def reports_by_a_class(self):
        """most: unknown; fewest: 1"""
        with Transaction(self.environment):
            self.client.get("/a")

    @task
    def draws_its_path(self):
        """most: unknown; fewest: 1"""
        self.client.get(f"/a/{random.randint(1, 500)}")

    @task
    def reads_the_clock(self):
        """most: unknown; fewest: 1"""
        path = "/a/{}".format(time.time())
        self.client.get(path)

    @task
    def formats_constants(self):
        """most: GET /api/a; fewest: 1"""
        self.client.get("{}/a".format(API.lower()))

    @task
    def pauses(self):
        """most: GET /a; fewest: 0"""
        time.sleep(1)
        self.client.get("/a")

    @task
    def waits(self):
        """most: GET /a; fewest: 0"""
        self.client.get("/a")
        self.wait()

    @task
    class Nested(TaskSet):
        """most: unknown; fewest: 0"""

        @task
        def inside(self):
            self.client.get("/a")
'''


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workload")
    (folder / "shop.py").write_text(LOCUSTFILE)
    workload = describe_workloads([SHOP], folder, dict(os.environ))[SHOP]
    assert workload.error is None
    (user_class,) = workload.classes
    return {task.name: task for task in user_class.tasks}


EXPECTED = re.findall(
    r"(?:def|class) (\w+)\(\w+\):\n +\"\"\"most: (.+); fewest: (\d)\"\"\"", LOCUSTFILE, re.MULTILINE
)


@pytest.mark.parametrize(("name", "most", "fewest"), EXPECTED, ids=str)
def test_task__calls_what_its_docstring_says(described, name, most, fewest):
    found = described[name]
    endpoints = "unknown" if found.endpoints is None else ", ".join(sorted(found.endpoints))
    assert (endpoints, found.fewest) == (most, int(fewest))


def test_tasks__all_are_expected(described):
    assert set(described) == {name for name, *_ in EXPECTED}


WAITS = """
from locust import User, between, constant, constant_pacing

class Usual(User):
    wait_time = between(1, 2)
class Tiny(User):
    wait_time = constant(5e-324)
class Paced(User):
    wait_time = constant_pacing(3)
class Negative(User):
    wait_time = constant(-1)
class Endless(User):
    wait_time = constant(float("inf"))
class Nothing(User):
    wait_time = constant(float("nan"))
class Worded(User):
    wait_time = between("1", "2")
"""


def test_waits__one_that_is_no_time_cannot_be_told(tmp_path):
    (tmp_path / "shop.py").write_text(WAITS)
    workload = describe_workloads([SHOP], tmp_path, dict(os.environ))[SHOP]
    assert workload.error is None
    assert {each.name: each.wait and each.wait.mean_s for each in workload.classes} == {
        "Usual": 1.5,
        "Tiny": 0.0,
        "Paced": 3.0,
        **dict.fromkeys(("Negative", "Endless", "Nothing", "Worded")),
    }
