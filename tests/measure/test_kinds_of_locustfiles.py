"""Locustfiles of the usual kinds count as many requests and failures with the recorder as without it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from simple_websocket import ConnectionClosed, Server

from ci_gate.evidence.recording import read_recording, write_json
from ci_gate.evidence.samples import ENDED_WELL
from ci_gate.measure.load_run import locust_command
from tests.measure.conftest import make_plan

KINDS = Path(__file__).with_name("kinds")
USERS = 3
ITERATIONS = 4
FILES = {  # class, and what is counted of each user: requests, and failures of them
    "sequential": ("Buyer", 4 * ITERATIONS, ITERATIONS),
    "nested": ("Reader", 2 * ITERATIONS, 0),
    "csv_feeder": ("Member", ITERATIONS + 1, 0),
    "connection_pool": ("Pooled", ITERATIONS, 0),
    "custom_wait": ("Hesitant", ITERATIONS, 0),
    "semaphore": ("Patient", ITERATIONS + 1, 0),
    "own_events": ("Buyer", 2 * ITERATIONS, 0),
    "manual_reporting": ("Worker", 3 * ITERATIONS, ITERATIONS),
    "multiple_hosts": ("Both", 2 * ITERATIONS, 0),
    "rest": ("Caller", 2 * ITERATIONS, ITERATIONS),
    "web_socket": ("Talker", ITERATIONS, 0),
    "grpc_calls": ("Caller", 2 * ITERATIONS, ITERATIONS),
}


class WebSocketEcho(BaseHTTPRequestHandler):
    def do_GET(self):
        headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in self.headers.items()}
        server = Server({**headers, "werkzeug.socket": self.connection})
        with contextlib.suppress(ConnectionClosed):
            while True:
                server.send(server.receive())

    def log_message(self, *_args):
        pass


@contextlib.contextmanager
def running_web_socket():
    with ThreadingHTTPServer(("127.0.0.1", 0), WebSocketEcho) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


GRPC_SERVER = """
import sys
from concurrent import futures
import grpc

orders = {"List": grpc.unary_unary_rpc_method_handler(lambda request, context: request * 10)}
server = grpc.server(futures.ThreadPoolExecutor(4))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("shop.Orders", orders),))
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
sys.stdin.read()
"""


@contextlib.contextmanager
def running_grpc():
    """In a process of its own: its threads would keep this one from forking well."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", GRPC_SERVER], **pipes) as server:
        yield f"127.0.0.1:{int(server.stdout.readline())}"
        server.stdin.close()


@pytest.fixture(scope="module")
def environ(site):
    with running_web_socket() as web_socket, running_grpc() as target:
        other = site.replace("127.0.0.1", "localhost")
        yield {**os.environ, "WS_URL": web_socket, "GRPC_TARGET": target, "OTHER_HOST": other}


def run(command, folder, environ):
    with (folder / "locust.log").open("wb") as log:
        process = subprocess.run(
            command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
            timeout=60, check=False,
        )  # fmt: skip
    assert process.returncode == 0, (folder / "locust.log").read_text()
    return process.stdout


def count_plainly(file, user_class, site, folder, environ):
    """What a Locust without the recorder counts, by endpoint: requests and failures."""
    folder.mkdir()
    options = ("--headless", "--only-summary", "--json", "--exit-code-on-error", "0")
    load = ("--users", str(USERS), "--spawn-rate", "100", "--host", site)
    command = (sys.executable, "-m", "locust", "--locustfile", str(file), *options, *load, user_class)
    printed = json.loads(run(command, folder, environ))
    return {
        f"{each['method']} {each['name']}": (each["num_requests"], each["num_failures"]) for each in printed
    }


def count_recorded(file, user_class, site, folder, environ):
    """The samples of the same load under the recorder."""
    folder.mkdir()
    plan = make_plan(str(file), {user_class: USERS}, duration_s=20.0)
    write_json(folder / "plan.json", plan)
    run(locust_command(plan, folder, site), folder, environ)
    recording = read_recording(folder)
    names = [recording.strings[number] for number in recording.samples["endpoint"]]
    failed = recording.samples["ending"] != ENDED_WELL
    requests, failures = Counter(names), Counter(name for name, bad in zip(names, failed, strict=True) if bad)
    return recording, {name: (count, failures[name]) for name, count in requests.items()}


@pytest.mark.slow
@pytest.mark.parametrize("kind", FILES)
def test_kind__counts_as_plain_locust_does(kind, site, tmp_path, environ):
    user_class, requests, failures = FILES[kind]
    file = KINDS / f"{kind}.py"
    plainly = count_plainly(file, user_class, site, tmp_path / "plain", environ)
    recording, counts = count_recorded(file, user_class, site, tmp_path / "recorded", environ)
    assert counts == plainly
    assert sum(count for count, _ in counts.values()) == USERS * requests
    assert sum(count for _, count in counts.values()) == USERS * failures
    assert recording.totals.left_users == {user_class: USERS}
    assert recording.totals.task_errors == recording.totals.start_failures == ()
    texts = {recording.strings[row["error"]] for row in recording.samples if row["ending"] != ENDED_WELL}
    assert "" not in texts  # a failure says what went wrong
