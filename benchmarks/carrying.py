"""How many samples a second go from workers to the master, over Locust's socket, between hosts of their own.

The rows are made for it and lie in the workers' files before the clock starts; the master is a Locust without
load. Prints rows a second, all workers together, and whether each copy is equal to its file. As root:

    python -m benchmarks.carrying --workers 2 --rows 2000000
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import ci_gate
from ci_gate.addresses import HostPort
from ci_gate.evidence.samples import ENDED_WELL, SampleWriter
from ci_gate.measure.remote.connection import Connection
from ci_gate.measure.remote.messages import Acknowledgement, Hello, Work
from ci_gate.measure.remote.outbox import Outbox
from tests.hosts import MASTER_ADDRESS, running_hosts

PORT = 5557
SECRET = "of the benchmark of carrying"  # noqa: S105
REPOSITORY = Path(__file__).parents[1]


def make_rows(folder: Path, rows: int) -> None:
    """Write so many samples as a recorder would."""
    writer = SampleWriter(folder)
    endpoint = writer.string_id("GET /items")
    for number in range(rows):
        writer.write(1e9 + number, 1e9 + number, 5.0, 100, endpoint, 0, 0, 0, 200, 0, ENDED_WELL)
    writer.close()


def carry(folder: Path, rows: int) -> None:
    """One worker; waits for a line on standard input before it sends."""
    make_rows(folder, rows)
    with Connection(HostPort(MASTER_ADDRESS, PORT), SECRET) as connection:
        work = None
        while not isinstance(work, Work):
            connection.send(Hello(version=ci_gate.__version__, name=folder.name))
            work = connection.receive(1)
        outbox = Outbox(folder, work.recording, work.number)
        outbox.close()
        print("ready", flush=True)
        sys.stdin.readline()
        began_s = time.monotonic()
        while not outbox.is_empty():
            for block in outbox.take():
                connection.send(block)
            answer = connection.receive(1)
            while isinstance(answer, Acknowledgement):
                outbox.note(answer)
                answer = connection.receive(0)
        took_s = time.monotonic() - began_s
    done = {"number": work.number, "took_s": took_s, "sent_again": outbox.sent_again}
    print(json.dumps(done), flush=True)


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    """Make the hosts, let all workers send at once, and print one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--own", type=Path, help=argparse.SUPPRESS)  # as a worker
    options = parser.parse_args()
    if options.own:
        carry(options.own, options.rows)
        return
    with tempfile.TemporaryDirectory() as name, running_hosts(options.workers) as (master, *others):
        folder = Path(name)
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "cwd": REPOSITORY}
        arguments = (PORT, SECRET, folder, MASTER_ADDRESS, options.workers)
        with (folder / "master.log").open("wb") as log:
            driver = ("-m", "tests.measure.remote.master_driver", *arguments)
            master.python(*driver, **pipes, stderr=log).stdout.readline()
        senders = []
        for number, host in enumerate(others):
            own = folder / f"own-{number}"
            own.mkdir()
            words = ("-m", "benchmarks.carrying", "--rows", options.rows, "--own", own)
            senders.append((own, host.python(*words, **pipes)))
        for _, sender in senders:
            assert sender.stdout.readline() == b"ready\n"
        for _, sender in senders:
            sender.stdin.write(b"\n")
            sender.stdin.flush()
        done = [json.loads(sender.stdout.readline()) for _, sender in senders]
        rate = options.workers * options.rows / max(each["took_s"] for each in done)
        equal = all(
            digest(own / "samples.bin") == digest(folder / f"worker-{each['number']}" / "samples.bin")
            for (own, _), each in zip(senders, done, strict=True)
        )
        again = sum(each["sent_again"] for each in done)
        print(f"{options.workers} workers: {rate:,.0f} rows/s; equal: {equal}; blocks sent again: {again}")


if __name__ == "__main__":
    main()
