"""The recorder inside a real Locust against a real server, with locustfiles that know nothing of it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from ci_gate.evidence.samples import (
    ENDED_BY_CHECK,
    ENDED_BY_STATUS,
    ENDED_NEVER,
    ENDED_UNREPORTED,
    ENDED_WELL,
    ENDED_WITHOUT_REPLY,
    FLAG_HTML,
    FLAG_RETRY_AFTER,
    NOT_HTTP,
)

EVERY_ENDING = """
    import gc
    from locust import {base}, constant, task

    class Visitor({base}):
        wait_time = constant(0.05)
        host = "http://127.0.0.1:9"

        @task
        def visit(self):
            assert gc.isenabled()
            self.client.get("/", name="/home")
            self.client.get("/status/404", name="/missing")
            self.client.get("/throttled")
            self.client.get("/html")
            self.client.get("/size/10000")
            self.client.get("http://127.0.0.1:9/", name="/refused")
            with self.client.post("/ok", name="/checked", catch_response=True) as reply:
                reply.failure("not what was asked")
            with self.client.get("/status/404", name="/forgiven", catch_response=True) as reply:
                reply.success()
            self.client.get("/ok", name="/forgotten", catch_response=True)
            try:
                with self.client.get("/ok", name="/raises", catch_response=True) as reply:
                    reply.json()["no such key"]
            except KeyError:
                pass
"""


def rows_of(recording, endpoint):
    return recording.samples[recording.samples["endpoint"] == recording.strings.index(endpoint)]


@pytest.mark.parametrize("base", ["FastHttpUser", "HttpUser"])
def test_recorder__every_ending_of_a_request(run_locust, base):
    recording = run_locust(EVERY_ENDING.replace("{base}", base), users={"Visitor": 2})
    expected = {
        "GET /home": (200, ENDED_WELL),
        "GET /missing": (404, ENDED_BY_STATUS),
        "GET /throttled": (429, ENDED_BY_STATUS),
        "GET /html": (500, ENDED_BY_STATUS),
        "GET /size/10000": (200, ENDED_WELL),
        "GET /refused": (0, ENDED_WITHOUT_REPLY),
        "POST /checked": (200, ENDED_BY_CHECK),
        "GET /forgiven": (404, ENDED_WELL),
        "GET /forgotten": (200, ENDED_UNREPORTED),
        "GET /raises": (200, ENDED_UNREPORTED),
    }
    seen = {
        endpoint: {(int(row["status"]), int(row["ending"])) for row in rows_of(recording, endpoint)}
        for endpoint in expected
    }
    assert seen == {endpoint: {pair} for endpoint, pair in expected.items()}
    left_by = {
        endpoint: {recording.strings[number] for number in rows_of(recording, endpoint)["error"]}
        for endpoint in ("GET /raises", "GET /forgotten")
    }
    assert left_by == {"GET /raises": {"KeyError('no such key')"}, "GET /forgotten": {""}}
    assert set(rows_of(recording, "GET /throttled")["flags"]) == {FLAG_RETRY_AFTER}
    assert set(rows_of(recording, "GET /html")["flags"]) == {FLAG_HTML}
    assert set(rows_of(recording, "GET /size/10000")["bytes"]) == {10000}
    assert set(recording.samples["user_class"]) == {recording.strings.index("Visitor")}
    assert len({int(row["body_crc"]) for row in rows_of(recording, "GET /home")}) == 1


@pytest.mark.parametrize("base", ["FastHttpUser", "HttpUser"])
def test_recorder__agrees_with_locust(run_locust, base):
    recording = run_locust(EVERY_ENDING.replace("{base}", base), users={"Visitor": 2})
    reported = recording.samples[recording.samples["ending"] != ENDED_UNREPORTED]
    ours = Counter(recording.strings[number] for number in reported["endpoint"])
    failed = Counter(recording.strings[row["endpoint"]] for row in reported if row["ending"] != ENDED_WELL)
    theirs = {total.endpoint: (total.requests, total.failures) for total in recording.totals.endpoints}
    assert {endpoint: (count, failed[endpoint]) for endpoint, count in ours.items()} == theirs


def test_recorder__exact_times(run_locust):
    recording = run_locust(
        """
        from locust import FastHttpUser, constant, events, task
        import json, pathlib

        SEEN = pathlib.Path(__file__).with_name("seen.jsonl").open("a", buffering=1)

        @events.request.add_listener
        def note(start_time, response_time, **_):
            SEEN.write(json.dumps([start_time, response_time]) + "\\n")

        class Visitor(FastHttpUser):
            wait_time = constant(0.01)

            @task
            def visit(self):
                self.client.get("/sleep/0.12")
        """,
        users={"Visitor": 3},
    )
    assert len(recording.samples) > 10
    assert (recording.samples["response_ms"] >= 120).all()
    # Locust itself rounds times above 100 ms to two digits.
    assert len(np.unique(np.round(recording.samples["response_ms"], -1))) < len(
        np.unique(recording.samples["response_ms"])
    )


HANGING = """
from locust import FastHttpUser, constant, events, task

class Patient(FastHttpUser):
    wait_time = constant(0.05)

    @task
    def visit(self):
        self.client.get("/hang", name="/hang")
"""


def test_recorder__requests_that_never_end_are_kept_with_the_time_waited(run_locust):
    recording = run_locust(HANGING, users={"Patient": 3}, drain_s=1.0)
    hanging = rows_of(recording, "GET /hang")
    assert len(hanging) == 3
    assert set(hanging["ending"]) == {ENDED_NEVER}
    assert (hanging["response_ms"] > 1900).all()  # warm-up, steady phase and drain
    assert recording.mark("ended") is not None


def test_recorder__a_test_that_is_stopped_twice_has_each_request_once(run_locust):
    stopping_again = """
@events.test_stopping.add_listener
def stop_again(environment, once=[], **_):
    if not once:
        once.append(True)
        environment.events.test_stopping.fire(environment=environment)
"""
    recording = run_locust(HANGING + stopping_again, users={"Patient": 3}, drain_s=0.5)
    assert len(rows_of(recording, "GET /hang")) == 3


def test_recorder__slow_replies_are_awaited(run_locust):
    recording = run_locust(
        """
        from locust import HttpUser, constant, task

        class Patient(HttpUser):
            wait_time = constant(0)

            @task
            def visit(self):
                self.client.get("/sleep/1.5", name="/slow")
        """,
        users={"Patient": 2},
        drain_s=20.0,
    )
    last = rows_of(recording, "GET /slow")
    assert set(last["ending"]) == {ENDED_WELL}
    assert (last["start_s"] + last["response_ms"] / 1000).max() > recording.mark("stopping").wall_s


def test_recorder__other_protocols_and_child_greenlets(run_locust):
    recording = run_locust(
        """
        import gevent, time
        from locust import User, constant, task

        class Caller(User):
            wait_time = constant(0.05)

            def call(self, name, exception=None):
                self.environment.events.request.fire(
                    request_type="RPC", name=name, response_time=5.5, response_length=0,
                    exception=exception, context={}, start_time=time.time(), response=None,
                )

            @task
            def visit(self):
                self.call("good")
                gevent.spawn(self.call, "bad", ValueError("no")).join()
        """,
        users={"Caller": 2},
    )
    assert set(rows_of(recording, "RPC good")["status"]) == {NOT_HTTP}
    assert set(rows_of(recording, "RPC good")["ending"]) == {ENDED_WELL}
    bad = rows_of(recording, "RPC bad")
    assert set(bad["ending"]) == {ENDED_BY_CHECK}
    classes = Counter(recording.strings[number] for number in bad["user_class"])
    assert classes["Caller"] >= len(bad) - 2  # a child that outlives its user at the very end has none
    assert {recording.strings[number] for number in bad["error"]} == {"ValueError('no')"}


def test_recorder__requests_to_another_server_are_noted(run_locust):
    recording = run_locust(
        """
        from locust import FastHttpUser, constant, task

        class Astray(FastHttpUser):
            wait_time = constant(0.05)

            @task
            def visit(self):
                self.client.get("/ok")
                self.client.get("http://127.0.0.1:9/ok", name="/elsewhere")
        """,
        users={"Astray": 1},
    )
    assert recording.totals.other_hosts == {"GET /elsewhere": "127.0.0.1:9"}


def test_recorder__takes_no_options_from_files(run_locust, tmp_path):
    (tmp_path / "locust.conf").write_text("run-time = 1s\nexclude-tags = heavy\nreset-stats = true\n")
    (tmp_path / "pyproject.toml").write_text("[tool.locust]\nexclude-tags = ['heavy']\n")
    recording = run_locust(
        """
        from locust import FastHttpUser, constant, tag, task

        class Visitor(FastHttpUser):
            wait_time = constant(0.05)

            @tag("heavy")
            @task
            def heavy(self):
                self.client.get("/heavy")

            @task
            def light(self):
                self.client.get("/light")
        """,
        users={"Visitor": 2},
        duration_s=2.0,
    )
    assert "GET /heavy" in recording.strings
    assert recording.mark("stopping").monotonic_s - recording.mark("steady").monotonic_s > 1.9
    assert sum(total.requests for total in recording.totals.endpoints) == len(recording.samples)


def test_recorder__a_reply_without_a_status_is_no_http(run_locust):
    recording = run_locust(
        """
        import time
        from locust import User, constant, task

        class Resolver(User):
            wait_time = constant(0.05)

            @task
            def resolve(self):
                self.environment.events.request.fire(
                    request_type="DNS", name="name", response_time=1.5, response_length=0, exception=None,
                    context={}, start_time=time.time(), response=object(),
                )
        """,
        users={"Resolver": 1},
    )
    assert set(rows_of(recording, "DNS name")["status"]) == {NOT_HTTP}


def test_recorder__on_a_terminal_that_knows_ascii_alone(run_locust, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    recording = run_locust(
        """
        from locust import HttpUser, constant, task

        print("caf\u00e9")

        class Visitor(HttpUser):
            wait_time = constant(0.1)

            @task
            def visit(self):
                self.client.get("/", name="/caf\u00e9")
        """,
        users={"Visitor": 1},
    )
    assert recording.totals.endpoints[0].endpoint == "GET /caf\u00e9"


def test_recorder__a_reply_that_comes_while_users_are_ended_is_one_request(run_locust):
    """Before all have their end, others get their turn: gevent looks for replies after 50 of its calls."""
    recording = run_locust(
        """
        import time
        from locust import FastHttpUser, constant, task

        class Patient(FastHttpUser):
            wait_time = constant(0)
            is_first = True

            @task
            def visit(self):
                self.client.get("/sleep/1.5")

            def on_stop(self):
                until_s = time.monotonic() + 2 * Patient.is_first
                Patient.is_first = False
                while time.monotonic() < until_s:
                    pass
        """,
        users={"Patient": 100},
        drain_s=0.2,
        arrivals_per_s=100.0,
        duration_s=0.7,
    )
    # Both, but for a machine on which they come back late.
    assert set(recording.samples["ending"]) <= {ENDED_WELL, ENDED_NEVER}
    intended = np.sort(recording.samples["intended_s"])
    assert np.diff(intended) == pytest.approx(0.01, abs=1e-6)
    # Nobody's are those for which a machine that stood still had no user left.
    assert {recording.strings[number] for number in recording.samples["user_class"]} - {""} == {"Patient"}
