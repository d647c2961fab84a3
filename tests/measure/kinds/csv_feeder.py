"""Each user takes the next line of a file that stands beside the locustfile."""

import csv
import itertools
import pathlib

import iterations  # noqa: F401
from locust import HttpUser, constant, task

LINES = itertools.cycle(csv.DictReader(pathlib.Path(__file__).with_name("people.csv").open()))


class Member(HttpUser):
    wait_time = constant(0.01)

    def on_start(self):
        self.person = next(LINES)
        self.client.post("/ok", params=self.person, name="/login")

    @task
    def see(self):
        self.client.get(f"/ok?name={self.person['name']}", name=f"/{self.person['name']}")
