"""User classes that inherit from each other, in whatever order Locust meets them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

FAMILY = """
    import abc, pathlib
    from locust import FastHttpUser, constant, task, user
    from locust.user.users import UserMeta

    STARTS = pathlib.Path(__file__).with_name("starts.txt").open("a", buffering=1)

    class Meta(UserMeta, abc.ABCMeta):
        pass

    class Noting:
        def on_start(self):
            STARTS.write(f"{type(self).__name__}\\n")
            super().on_start()

    class Base(Noting, FastHttpUser, metaclass=Meta):
        abstract = True
        wait_time = constant(0.05)

        @task
        def visit(self):
            self.client.get("/ok")

    class Parent(Base):
        def on_start(self):
            super().on_start()
            START

    class Heir(Parent):
        pass

    class Child(Parent):
        def on_start(self):
            super().on_start()

    class Grandchild(Child):
        def on_start(self):
            super().on_start()

    class Mixin:
        def on_start(self):
            super().on_start()

    class Mixed(Mixin, Heir):
        pass
"""
USERS = {"Parent": 1, "Heir": 1, "Child": 1, "Grandchild": 1, "Mixed": 1}


@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_inheritance__each_failed_start_counts_once(run_locust, tmp_path, monkeypatch, seed):
    monkeypatch.setenv("PYTHONHASHSEED", seed)
    locustfile = FAMILY.replace("START\n", "raise ValueError('no')\n")
    recording = run_locust(locustfile, users=USERS, spawn_rate=5.0)
    begun = Counter((tmp_path / "starts.txt").read_text().split())
    assert {each.subject: each.count for each in recording.totals.start_failures} == begun
    assert set(begun) == set(USERS)


def assert_each_arrival_once(recording):
    """20/s of them, for the second that the phase lasts at least."""
    intended_s = np.sort(recording.samples["intended_s"])
    intended_s = intended_s[intended_s > recording.mark("spawned").wall_s]  # users asked before that, too
    assert len(intended_s) >= 20
    assert np.diff(intended_s) == pytest.approx(0.05, abs=1e-6)


@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_inheritance__each_user_takes_one_arrival_at_a_time(run_locust, monkeypatch, seed):
    monkeypatch.setenv("PYTHONHASHSEED", seed)
    recording = run_locust(FAMILY.replace("START\n", "pass\n"), users=USERS, arrivals_per_s=20.0)
    assert_each_arrival_once(recording)
    classes = {recording.strings[number] for number in recording.samples["user_class"]}
    assert classes - {""} == set(USERS)  # nobody's are those that a machine that stood still left over


def test_inheritance__a_start_that_the_scenario_makes_again_is_its_own(run_locust):
    again = FAMILY.replace("START\n", "pass\n").replace('self.client.get("/ok")', "self.on_start()")
    recording = run_locust(
        again.replace("super().on_start()\n            pass", 'self.client.get("/ok")'),
        users={"Parent": 2},
        arrivals_per_s=20.0,
    )
    assert_each_arrival_once(recording)
