"""What sampling its stacks costs a service: CPU of a success and p50, with it and without, in turn.

A small blocking service of eight connections at a fixed rate. Each pair of rounds, in an order that turns, is
appended to the file as soon as it is over, and the same command goes on where it was ended:

    python -m benchmarks.stack_cost --out FILE [--pairs 20] [--seconds 15]
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Final

import numpy as np
from scipy import stats
from tabulate import tabulate

from benchmarks.probe_cost import read_threads
from ci_gate.evidence.readings import StrictValue
from ci_gate.evidence.recording import LineWriter
from ci_gate.evidence.strict_json import read_lines
from ci_gate.measure.samplers import begin_sampling
from tests.run.code_regressions import SERVICE, SHOP
from tests.servers import free_port

CLIENTS: Final = 8
PACE_S: Final = 0.05
BEFORE_S: Final = 2.0  # until the samplers have read what they need at their start


class Round(StrictValue, frozen=True):
    """What a success took."""

    cpu_ms: float
    p50_ms: float
    successes: int


class Pair(StrictValue, frozen=True):
    """A round of each kind, one right after the other."""

    without: Round
    sampled: Round


def main() -> None:
    """The table of all pairs in the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="file of one line for each pair")
    parser.add_argument("--pairs", type=int, default=20, help="altogether (default: 20)")
    parser.add_argument("--seconds", type=int, default=15, help="of each round (default: 15)")
    asked = parser.parse_args()
    done = read_lines(asked.out, Pair) if asked.out.exists() else ()
    with tempfile.TemporaryDirectory() as name, started(Path(name)) as (process, port):
        measure_round(process.pid, port, 3)  # warm
        for number in range(len(done), asked.pairs):
            pair = measure_pair(process, port, Path(name) / str(number), asked.seconds, number)
            with LineWriter(asked.out) as lines:
                lines.write(pair)
    print_table(read_lines(asked.out, Pair))


@contextlib.contextmanager
def started(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The service, and its port."""
    (folder / "service.py").write_text(SERVICE)
    (folder / "shop.py").write_text(SHOP)
    port = free_port()
    process = subprocess.Popen([sys.executable, "service.py", str(port)], cwd=folder)
    try:
        for _ in range(300):
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            time.sleep(0.1)
        yield process, port
    finally:
        process.kill()
        process.wait()


def measure_pair(
    process: subprocess.Popen[bytes], port: int, folder: Path, seconds: int, number: int
) -> Pair:
    """The sampled round is the first of every other pair: a drift of the machine hits both kinds."""
    folder.mkdir()
    rounds = {}
    for is_sampled in (False, True) if number % 2 else (True, False):
        with sampling(process.pid, folder, seconds) if is_sampled else contextlib.nullcontext():
            time.sleep(BEFORE_S)
            rounds[is_sampled] = measure_round(process.pid, port, seconds)
    return Pair(without=rounds[False], sampled=rounds[True])


@contextlib.contextmanager
def sampling(pid: int, folder: Path, seconds: int) -> Iterator[None]:
    """As `ci-gate run` samples, a little longer than the round lasts."""
    service = SimpleNamespace(
        process_ids=lambda: (pid,), is_container=False, placement=SimpleNamespace(repository=folder)
    )
    temporary = folder / "temporary"
    temporary.mkdir()
    begun = begin_sampling(service, folder, temporary, seconds + 2 * BEFORE_S)
    try:
        yield
        while not begun.is_over():
            time.sleep(0.1)
        begun.keep()  # raises where nothing was sampled
    finally:
        begun.close()


def measure_round(pid: int, port: int, seconds: int) -> Round:
    """All clients for so long. Their connections stay open, so that no thread's CPU is lost with it."""
    took_ms: list[list[float]] = [[] for _ in range(CLIENTS)]
    turn = threading.Barrier(CLIENTS + 1)
    clients = [threading.Thread(target=call, args=(port, seconds, turn, each)) for each in took_ms]
    for client in clients:
        client.start()
    turn.wait()  # all are connected
    before_s = read_threads(pid)
    turn.wait()
    turn.wait()  # all are done
    used_ms = 1000 * (read_threads(pid) - before_s)
    turn.wait()
    for client in clients:
        client.join()
    every = [took for each in took_ms for took in each]
    return Round(cpu_ms=used_ms / len(every), p50_ms=statistics.median(every), successes=len(every))


def call(port: int, seconds: int, turn: threading.Barrier, took_ms: list[float]) -> None:
    """One client, at its pace."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        fetch(connection)
        turn.wait()
        turn.wait()
        begin_s = time.monotonic()
        for number in range(int(seconds / PACE_S)):
            time.sleep(max(begin_s + number * PACE_S - time.monotonic(), 0))
            sent_s = time.monotonic()
            fetch(connection)
            took_ms.append(1000 * (time.monotonic() - sent_s))
        turn.wait()
        turn.wait()


def fetch(connection: http.client.HTTPConnection) -> None:
    """One request, which succeeds."""
    connection.request("GET", "/")
    reply = connection.getresponse()
    reply.read()
    assert reply.status == 200  # noqa: PLR2004


def print_table(pairs: Sequence[Pair]) -> None:
    """Both figures with and without, and their ratio with its 95 % interval."""
    rows = []
    for name, field in (("CPU of a success", "cpu_ms"), ("p50", "p50_ms")):
        without, sampled = (
            np.array([getattr(getattr(pair, kind), field) for pair in pairs])
            for kind in ("without", "sampled")
        )
        row = (f"{np.median(without):.3g} ms", f"{np.median(sampled):.3g} ms")
        rows.append((name, *row, describe_ratio(np.log(sampled / without))))
    print(tabulate(rows, headers=(f"median of {len(pairs)} pairs", "without", "sampled", "ratio")))


def describe_ratio(logarithms: np.ndarray) -> str:
    """The geometric mean with its 95 % interval, by Student's t of the pairs."""
    mean, count = float(logarithms.mean()), len(logarithms)
    if count < 2:  # noqa: PLR2004 - one pair has no scatter
        return f"{np.exp(mean):.3f}"
    half = float(stats.t.ppf(0.975, count - 1) * logarithms.std(ddof=1) / np.sqrt(count))
    return f"{np.exp(mean):.3f} ({np.exp(mean - half):.3f} to {np.exp(mean + half):.3f})"


if __name__ == "__main__":
    main()
