"""What recording costs a process of Locust: CPU for each request, and what of it any listener would cost.

One user asks a server that does nothing, by batches in turn: Locust alone, Locust with a listener that does
nothing, and Locust with the recorder's. All are in one process, so they differ in nothing else. Prints the
medians, and by how much the second and the third are beyond the first in the same round. On a quiet machine:

python -m benchmarks.recorder_cost [--rounds 200] [--requests 500]
"""

from __future__ import annotations

import argparse
import functools
import gc
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tabulate import tabulate

ALONE, EMPTY, RECORDER = KINDS = ("Locust alone", "a listener that does nothing", "the recorder's")
BODY = json.dumps({"id": 1, "status": "pending", "text": "x" * 200}).encode()
REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
    len(BODY),
    BODY,
)
HEADER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
Listener = Callable[..., None]


def measure(
    user: Any, listeners: dict[str, Listener | None], rounds: int, requests: int
) -> list[dict[str, float]]:
    """Of each round the microseconds of CPU for each request, by what listened."""
    events = user.environment.events.request
    measured = []
    for number in range(rounds + 1):
        took_us = {}
        for kind in KINDS[number % 3 :] + KINDS[: number % 3]:
            if listener := listeners[kind]:
                events.add_listener(listener)
            began_s = time.process_time()
            for _ in range(requests):
                user.visit()
            took_us[kind] = (time.process_time() - began_s) / requests * 1e6
            if listener:
                events.remove_listener(listener)
        measured.append(took_us)
    return measured[1:]  # in the first, connections and caches were new


def run(folder: Path, rounds: int, requests: int) -> list[dict[str, float]]:
    """As `measure`; samples go to ``folder``. Locust is imported here alone, for it patches the process."""
    import gevent
    from gevent.server import StreamServer
    from locust import FastHttpUser, constant, task
    from locust.env import Environment
    from locust.event import Events

    from ci_gate.evidence.samples import SampleWriter
    from ci_gate.measure.in_locust.recorder import Recorder

    def answer(connection: Any, _address: object) -> None:
        while connection.recv(4096):
            connection.sendall(HEADER % len(BODY) + BODY)

    server = StreamServer(("127.0.0.1", 0), answer)
    server.init_socket()
    multiprocessing.get_context("fork").Process(target=server.serve_forever, daemon=True).start()

    class Visitor(FastHttpUser):
        host = f"http://127.0.0.1:{server.server_port}"
        wait_time = constant(0)

        @task
        def visit(self) -> None:
            self.client.get("/api/v1/things/1", name="/api/v1/things/{id}")

    environment = Environment(events=Events(), host=Visitor.host)
    environment.create_local_runner()  # which adds up each request, as in any run
    recorder = Recorder(SampleWriter(folder), None, Visitor.host, str)
    listeners = {ALONE: None, EMPTY: lambda **_event: None, RECORDER: recorder.make_listener()}
    gc.freeze()  # as the recorder does
    # As a user's greenlet: the recorder looks there for the user.
    return list(gevent.spawn(measure, Visitor(environment), listeners, rounds, requests).get())


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--requests", type=int, default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rounds = run(Path(folder), options.rounds, options.requests)
    print(tabulate(map(functools.partial(describe, rounds), KINDS), headers="keys", floatfmt=".1f"))


def describe(rounds: list[dict[str, float]], kind: str) -> dict[str, object]:
    """A row of the table."""
    more_us = statistics.quantiles([each[kind] - each[ALONE] for each in rounds], n=4)
    alone_us, own_us = (statistics.median(each[name] for each in rounds) for name in (ALONE, kind))
    return {
        "listening": kind,
        "us of a request": own_us,
        "more": more_us[1],
        "a quarter is below": more_us[0],
        "a quarter is above": more_us[2],
        "% more": 100 * more_us[1] / alone_us,
    }


if __name__ == "__main__":
    main()
