"""What recording costs several processes of Locust: CPU of the generator for each request.

Three ways to put the same load on nginx (Debian's package, on the loopback): plain Locust with
``--processes 2``, the same with the recorder, and the whole of `ci-gate run` with its own processes. Each
round takes all three, in an order that turns; nginx counts the requests. Every measurement is a line of
--out, and a call that was ended goes on where it was. Prints the ratio to plain Locust with its 95 %
interval. On a quiet machine:

python -m benchmarks.generator_cost --out generator-cost.jsonl [--rounds 20] [--seconds 10] [--processes 2]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil

from ci_gate.evidence.recording import RecordingPlan, write_json
from ci_gate.judge.distributions import t_quantile
from ci_gate.measure.load_run import locust_command

USERS = 50
PLAIN, RECORDED, GATE = KINDS = ("plain", "recorded", "ci-gate")
LONGEST_S = 60.0
LOCUSTFILE = """
from locust import FastHttpUser, constant, task

class Visitor(FastHttpUser):
    wait_time = constant(0)

    @task
    def visit(self):
        self.client.get("/things/1", name="/things/{id}")
"""
NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location = /count {{ stub_status; }}
        location / {{ default_type application/json; return 200 '{{"id": 1, "text": "{text}"}}'; }}
    }}
}}
"""
THRESHOLDS = """
schema: 1
service: {{url: "{url}", ready: /}}
profiles: {{long: {{duration: {seconds}s, warmup: 2s}}}}
generator: {{processes: {processes}}}
scenarios:
  visits:
    locustfile: visit.py
    users: {{Visitor: {users}}}
    spawn_rate: {users}
    limits: {{all: {{failures: 1%}}}}
"""


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The URL of an nginx that answers every request alike."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port, text="x" * 200), encoding="utf-8")
    server = subprocess.Popen(["nginx", "-c", str(config), "-p", str(folder)], stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        await_true(lambda: count_requests(url) > 0, folder / "error.log")
        yield url
    finally:
        server.terminate()
        server.wait()


def count_requests(url: str) -> int:
    """How many requests nginx has answered; 0 where it does not answer."""
    try:
        with urllib.request.urlopen(f"{url}/count", timeout=5) as reply:  # noqa: S310 - our own server
            found = re.search(rb"\n\s*\d+\s+\d+\s+(\d+)", reply.read())
    except OSError:
        return 0
    return int(found[1]) if found else 0


def await_true(is_so: Callable[[], bool], log: Path) -> None:
    """Raises SystemExit, with what the log says, where it is not so in time."""
    deadline = time.monotonic() + LONGEST_S
    while not is_so():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited in vain: {log.read_text(encoding='utf-8')[-2000:]}")
        time.sleep(0.1)


def make_command(kind: str, folder: Path, url: str, options: argparse.Namespace) -> tuple[str, ...]:
    """What puts the load on, until it is ended."""
    (folder / "visit.py").write_text(LOCUSTFILE, encoding="utf-8")
    lasts_s = int(options.seconds + 2 * LONGEST_S)
    if kind == GATE:
        text = THRESHOLDS.format(url=url, seconds=lasts_s, processes=options.processes, users=USERS)
        (folder / "thresholds.yaml").write_text(text, encoding="utf-8")
        named = ("--thresholds", str(folder / "thresholds.yaml"), "--out", str(folder / "out"))
        return (sys.executable, "-m", "ci_gate", "run", "--quiet", "--profile", "long", *named)
    if kind == PLAIN:
        load = ("--users", str(USERS), "--spawn-rate", str(USERS), "--processes", str(options.processes))
        run = ("--headless", "--only-summary", "--host", url, "-f", str(folder / "visit.py"))
        port = str(find_port())
        return (
            sys.executable,
            "-m",
            "locust",
            *run,
            *load,
            "--master-port",
            port,
            "--master-bind-port",
            port,
        )
    plan = RecordingPlan(
        scenario="cost",
        recording="head",
        locustfile=str(folder / "visit.py"),
        users={"Visitor": USERS},
        spawn_rate=USERS,
        warmup_s=2,
        duration_s=lasts_s,
        drain_s=1,
        spawn_timeout_s=30,
        seed=1,
        arrivals_per_s=None,
        ramp_s=0,
        offered_per_s=None,
        processes=options.processes,
    )
    write_json(folder / "plan.json", plan)
    return locust_command(plan, folder, url)


def find_port() -> int:
    """One that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def measure(kind: str, folder: Path, url: str, options: argparse.Namespace) -> dict[str, object]:
    """Requests per second, and microseconds of CPU for each request of all processes below the command."""
    folder.mkdir()
    command = make_command(kind, folder, url, options)
    with (folder / "log").open("wb") as log:
        process = psutil.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        before = count_requests(url)
        await_true(lambda: is_on(kind, folder, count_requests(url) - before), folder / "log")
        time.sleep(2)
        first, spent_s, began_s = count_requests(url), read_cpu_s(process), time.monotonic()
        time.sleep(options.seconds)
        last, spent_s = count_requests(url), read_cpu_s(process) - spent_s
        took_s = time.monotonic() - began_s
    finally:
        end(process)
    return {
        "kind": kind,
        "per_s": (last - first) / took_s,
        "us": spent_s / (last - first) * 1e6,
        "load": os.getloadavg()[0],
    }


def is_on(kind: str, folder: Path, requests: int) -> bool:
    """Whether all users run: by the mark of the steady phase, of plain Locust by what has come."""
    marks = {RECORDED: folder / "marks.jsonl", GATE: folder / "out" / "visits" / "head" / "marks.jsonl"}
    if kind in marks:
        return marks[kind].exists() and b'"steady"' in marks[kind].read_bytes()
    return requests > 100 * USERS


def read_cpu_s(process: psutil.Process) -> float:
    """The CPU that a process and all below it have used, in seconds."""
    spent_s = 0.0
    for each in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            spent_s += sum(each.cpu_times()[:2])
    return spent_s


def end(process: psutil.Popen) -> None:
    """It, and all below it."""
    below = process.children(recursive=True)
    process.terminate()
    with contextlib.suppress(psutil.TimeoutExpired):
        process.wait(LONGEST_S)
    for each in (process, *below):
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()
    process.wait()


def read_rounds(out: Path) -> list[dict[str, dict[str, float]]]:
    """The whole rounds so far, each by kind."""
    rounds: dict[int, dict[str, dict[str, float]]] = {}
    for line in out.read_text(encoding="utf-8").splitlines() if out.exists() else ():
        each = json.loads(line)
        rounds.setdefault(each["round"], {})[each["kind"]] = each
    return [rounds[number] for number in sorted(rounds) if len(rounds[number]) == len(KINDS)]


def find_missing(out: Path, rounds: int) -> list[tuple[int, str]]:
    """The measurements to be made, in their order: each kind is first equally often."""
    lines = out.read_text(encoding="utf-8").splitlines() if out.exists() else []
    known = {(each["round"], each["kind"]) for each in map(json.loads, lines)}
    turns = [KINDS[turn:] + KINDS[:turn] for turn in range(len(KINDS))]
    return [
        (number, kind)
        for number in range(1, rounds + 1)
        for kind in (turns[number % 3] if number % 2 else turns[number % 3][::-1])
        if (number, kind) not in known
    ]


def describe(rounds: Sequence[dict[str, dict[str, float]]]) -> Iterator[str]:
    """The medians of each kind, then each ratio to plain Locust: the geometric mean and its 95 % interval."""
    for kind in KINDS:
        us, per_s = (statistics.median(each[kind][name] for each in rounds) for name in ("us", "per_s"))
        yield f"{kind}: {us:.1f} us of CPU for each request, {per_s:,.0f}/s (medians of {len(rounds)})"
    if len(rounds) == 1:
        return
    for kind in (RECORDED, GATE):
        logs = [math.log(each[kind]["us"] / each[PLAIN]["us"]) for each in rounds]
        mean = statistics.fmean(logs)
        half = t_quantile(0.975, len(logs) - 1) * statistics.stdev(logs) / math.sqrt(len(logs))
        low, middle, high = (math.exp(value) for value in (mean - half, mean, mean + half))
        yield f"{kind} / plain: {middle:.3f} ({low:.3f} to {high:.3f})"


def main() -> None:
    """Measure what is missing, print each, then the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, serving(Path(name)) as url:
        for number, kind in find_missing(options.out, options.rounds):
            measured = {"round": number, **measure(kind, Path(name) / f"{number}-{kind}", url, options)}
            with options.out.open("a", encoding="utf-8") as file:
                file.write(f"{json.dumps(measured)}\n")
            print(f"round {number}, {kind}: {measured['us']:.1f} us, {measured['per_s']:,.0f}/s", flush=True)
    print("\n".join(describe(read_rounds(options.out))))


if __name__ == "__main__":
    main()
