"""What recording costs the generator: request rate of plain Locust against Locust with the recorder.

Both are run in turn, several times, at their rate limit, against a server that does nothing; the server
counts. Prints a table and the median ratio. Run on a machine with two free cores:

    python benchmarks/recorder_cost.py
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil
from tabulate import tabulate

from ci_gate.evidence.recording import RecordingPlan, write_json
from ci_gate.measure.load_run import locust_command

USERS = 50
LOCUSTFILE = """
from locust import FastHttpUser, constant, task

class Visitor(FastHttpUser):
    wait_time = constant(0)

    @task
    def visit(self):
        self.client.get("/api/v1/things/1", name="/api/v1/things/{id}")
"""
BODY = json.dumps({"id": 1, "status": "pending", "text": "x" * 200}).encode()
HEADER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


class Counter(asyncio.Protocol):
    """Answers every request alike and counts; ``GET /count`` says how many."""

    served = 0

    def connection_made(self, transport):
        self.transport = transport
        self.rest = b""

    def data_received(self, data):
        *requests, self.rest = (self.rest + data).split(b"\r\n\r\n")
        for request in requests:
            body = str(Counter.served).encode() if request.startswith(b"GET /count") else BODY
            Counter.served += 1
            self.transport.write(HEADER % len(body) + body)


def serve(listener: socket.socket) -> None:
    """Serve on an open socket for as long as the process lives."""
    import uvloop

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Counter, sock=listener)
        await server.serve_forever()

    uvloop.run(run())


def count(url: str) -> int:
    """How many requests the server has answered."""
    with urllib.request.urlopen(f"{url}/count", timeout=10) as reply:  # noqa: S310 - our own server
        return int(reply.read())


def measure(folder: Path, url: str, *, recorded: bool, seconds: float) -> tuple[float, float]:
    """Requests per second, and microseconds of generator CPU per request, over ``seconds``."""
    folder.mkdir()
    (folder / "visit.py").write_text(LOCUSTFILE, encoding="utf-8")
    plan = RecordingPlan(
        scenario="cost",
        recording="head",
        locustfile=str(folder / "visit.py"),
        users={"Visitor": USERS},
        spawn_rate=USERS,
        warmup_s=0,
        duration_s=600,
        drain_s=1,
        spawn_timeout_s=10,
        seed=1,
        arrivals_per_s=None,
        ramp_s=0,
        offered_per_s=None,
    )
    write_json(folder / "plan.json", plan)
    command = locust_command(plan, folder, url)
    if not recorded:
        command = (sys.executable, "-m", "locust", *command[5:])
    with (folder / "locust.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=dict(os.environ))
    try:
        time.sleep(4)
        meter = psutil.Process(process.pid)
        before, cpu_before, began = count(url), meter.cpu_times(), time.monotonic()
        time.sleep(seconds)
        after, cpu_after, took_s = count(url), meter.cpu_times(), time.monotonic() - began
    finally:
        process.kill()
        process.wait()
    spent_s = cpu_after.user + cpu_after.system - cpu_before.user - cpu_before.system
    return (after - before) / took_s, spent_s / (after - before) * 1e6


def main() -> None:
    """Measure in turn, print every round and the medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=6)
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        server = multiprocessing.get_context("fork").Process(target=serve, args=(listener,), daemon=True)
        server.start()
        stack.callback(server.terminate)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        rows = []
        for number in range(options.rounds):
            order = (False, True) if number % 2 else (True, False)
            seen = {
                recorded: measure(
                    folder / f"{number}-{recorded}", url, recorded=recorded, seconds=options.seconds
                )
                for recorded in order
            }
            (plain, plain_us), (ours, ours_us) = seen[False], seen[True]
            rows.append(
                (number + 1, plain, ours, 1 - ours / plain, plain_us, ours_us, ours_us / plain_us - 1)
            )
            print(
                f"round {number + 1}: rate {1 - ours / plain:+.1%}, CPU {ours_us / plain_us - 1:+.1%}",
                flush=True,
            )
    medians = ["median", *(statistics.median(column) for column in list(zip(*rows, strict=True))[1:])]
    table = [
        (
            name,
            f"{plain:,.0f}",
            f"{ours:,.0f}",
            f"{lost:.1%}",
            f"{plain_us:.1f}",
            f"{ours_us:.1f}",
            f"{more:+.1%}",
        )
        for name, plain, ours, lost, plain_us, ours_us, more in [*rows, medians]
    ]
    headers = ("round", "plain /s", "recorded /s", "rate lost", "plain CPU us", "recorded CPU us", "CPU more")
    print(tabulate(table, headers=headers, disable_numparse=True, stralign="right"))


if __name__ == "__main__":
    main()
