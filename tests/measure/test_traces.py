"""A real Locust that sends trace ids: what the server gets, and what is kept of the slowest requests."""

from __future__ import annotations

import contextlib
import re
import threading

import pytest

from ci_gate.judge.slowest import find_slowest
from ci_gate.judge.steady import classify
from tests.site import Handler, Server

VISITOR = """
    from locust import {base}, constant, task

    class Visitor({base}):
        wait_time = constant(0.02)

        @task
        def visit(self):
            self.client.get("/ok")
            self.client.get("/own", headers={"TraceParent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01"})
            self.client.post("/sleep/0.1", name="/sleep", headers={"X-Mine": "1"})
            with self.client.get("/sleep/0.2", name="/checked", catch_response=True) as reply:
                reply.failure("too slow for me")
"""
PATHS = {"GET /ok": "/ok", "GET /own": "/own", "POST /sleep": "/sleep/0.1", "GET /checked": "/sleep/0.2"}
OWN = f"00-{'a' * 32}-{'b' * 16}-01"
HEADER = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-01")


@pytest.fixture
def heard():
    """A server that writes down the path and the traceparent of each request, and its address."""
    requests = []

    class Hearing(Handler):
        def do_GET(self):  # noqa: N802 - the name is the base class's
            requests.append((self.path, self.headers.get("traceparent"), self.headers.get("X-Mine")))
            super().do_GET()

        do_POST = do_GET  # noqa: N815 - the name is the base class's

    with Server(("127.0.0.1", 0), Hearing) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        with contextlib.ExitStack() as stack:
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            yield f"http://127.0.0.1:{server.server_address[1]}", requests


@pytest.mark.parametrize("base", ["FastHttpUser", "HttpUser"])
def test_each_request__carries_a_trace_id_of_its_own(run_locust, heard, base):
    url, requests = heard
    recording = run_locust(VISITOR.replace("{base}", base), users={"Visitor": 2}, host=url, trace=True)
    sent = [header for path, header, _ in requests if path != "/own"]
    ids = [found[1] for header in sent if (found := HEADER.fullmatch(header or ""))]
    assert len(ids) == len(sent) == len(set(ids)) > 10
    assert {header for path, header, _ in requests if path == "/own"} == {OWN}
    assert {mine for path, _, mine in requests if path == "/sleep/0.1"} == {"1"}
    classified = classify(recording, ())
    slowest = find_slowest(classified, None)
    paths = {found[1]: path for path, header, _ in requests if (found := HEADER.fullmatch(header or ""))}
    times_ms = sorted(classified.steady.samples["response_ms"], reverse=True)
    assert [request.response_ms for request in slowest] == times_ms[: len(slowest)]
    for request in slowest:
        assert paths[request.trace_id] == PATHS[request.endpoint]


def test_several_processes__keep_the_ids_of_their_own_requests(run_locust, heard):
    url, requests = heard
    visitor = VISITOR.replace("{base}", "FastHttpUser")
    recording = run_locust(visitor, users={"Visitor": 4}, host=url, trace=True, processes=2)
    ids = [found[1] for _, header, _ in requests if (found := HEADER.fullmatch(header or ""))]
    ids = [each for each in ids if each != "a" * 32]  # the locustfile's own
    assert len(ids) == len(set(ids))
    slowest = find_slowest(classify(recording, ()), None)
    assert len(slowest) == 10
    assert {request.trace_id for request in slowest} <= {*ids}


def test_without_trace__nothing_is_sent_or_kept(run_locust, heard):
    url, requests = heard
    recording = run_locust(VISITOR.replace("{base}", "HttpUser"), users={"Visitor": 1}, host=url)
    assert {header for path, header, _ in requests if path != "/own"} == {None}
    assert recording.traces == {}
    assert not any(request.trace_id for request in find_slowest(classify(recording, ()), None))
