"""What the three probes cost: CPU of ci-gate and of the servers they ask, and transactions a second.

Starts PostgreSQL (with idle connections, as a pool leaves them), Redis and the reference service, and reads
them once a second while nothing else goes on; then pgbench loads PostgreSQL, with the probe and without in
turn. Prints both. Needs PostgreSQL with pgbench, and Redis:

    python -m benchmarks.probe_cost
"""

from __future__ import annotations

import argparse
import contextlib
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import psutil
import psycopg
from tabulate import tabulate

from ci_gate.measure.probes import ProbeTargets, run_probes
from ci_gate.measure.probes.targets import NO_PROBES
from tests.reference.processes import started_service
from tests.servers import postgres_bin, running_postgres, running_redis

IDLE_CONNECTIONS = 50
METRICS = (
    ("pool_size", "reference_db_pool_size"),
    ("pool_in_use", "reference_db_pool_in_use"),
    ("pool_waits", "reference_db_pool_waits_total"),
    ("statements", "reference_db_statements_total"),
    ("requests", "reference_requests_total"),
)


def main() -> None:
    """Both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=int, default=20, help="of each measurement (default: 20)")
    parser.add_argument("--rounds", type=int, default=5, help="of pgbench with and without (default: 5)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        postgres = stack.enter_context(running_postgres(folder))
        redis = stack.enter_context(running_redis(folder))
        settings = {"DATABASE_URL": postgres, "REDIS_URL": redis}
        service = stack.enter_context(started_service(settings, folder))
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        for _ in range(IDLE_CONNECTIONS):
            stack.enter_context(psycopg.connect(postgres, autocommit=True))
        targets = ProbeTargets(
            addresses={"postgres": postgres, "redis": redis},
            metrics_url=f"{service.url}/metrics",
            metrics=METRICS,
        )
        servers = {"PostgreSQL": find_server(postgres), "Redis": find_server(redis)}
        print_cpu({**servers, "the service": service.process.pid}, targets, folder, asked.seconds)
        print_throughput(postgres, folder, asked.rounds, asked.seconds)


def find_server(url: str) -> int:
    """The first process that listens on the URL's port."""
    port = int(url.rpartition(":")[2].partition("/")[0])
    listening = (each for each in psutil.net_connections("tcp4") if each.status == psutil.CONN_LISTEN)
    return next(each.pid for each in listening if each.laddr.port == port)


def print_cpu(servers: dict[str, int], targets: ProbeTargets, folder: Path, seconds: int) -> None:
    """A row for ci-gate and one for each server, which are given by their first process."""
    without = measure_cpu(servers, NO_PROBES, folder, seconds)
    probed = measure_cpu(servers, targets, folder, seconds)
    rows = [(name, f"{1000 * without[name]:.2f} ms", f"{1000 * probed[name]:.2f} ms") for name in probed]
    print(tabulate(rows, headers=("CPU per second of", "without probes", "with all three")))


def measure_cpu(
    servers: dict[str, int], targets: ProbeTargets, folder: Path, seconds: int
) -> dict[str, float]:
    """Seconds of CPU per second, by name."""
    with run_probes(targets, folder):
        time.sleep(2)  # connected, and past the first reading
        before, own_s = read_cpu(servers), time.process_time()
        time.sleep(seconds)
        own_s = time.process_time() - own_s  # before the servers are looked at, which costs as well
        after = read_cpu(servers)
    return {
        "ci-gate": own_s / seconds,
        **{name: (after[name] - before[name]) / seconds for name in servers},
    }


def read_cpu(servers: dict[str, int]) -> dict[str, float]:
    """Seconds of CPU so far of each server with what it has forked."""
    return {name: sum(map(read_threads, find_family(pid))) for name, pid in servers.items()}


def find_family(pid: int) -> list[int]:
    """The process and all that it has forked."""
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


def read_threads(pid: int) -> float:
    """Seconds on a CPU, to the nanosecond: ticks are too coarse for what is asked here."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def print_throughput(url: str, folder: Path, rounds: int, seconds: int) -> None:
    """The transactions that PostgreSQL serves, with and without, in turn."""
    pgbench(url, "--initialize", "--quiet", "--scale", "5")
    rates: dict[bool, list[float]] = {False: [], True: []}
    for number in range(2 * rounds):
        is_probed = number % 4 in {1, 2}  # without, with, with, without: a drift of the machine hits both
        with run_probes(ProbeTargets(addresses={"postgres": url}) if is_probed else NO_PROBES, folder):
            output = pgbench(url, "--client", "8", "--select-only", "--time", str(seconds))
        rates[is_probed].append(float(re.findall(r"tps = ([\d.]+)", output)[0]))
    without, probed = statistics.median(rates[False]), statistics.median(rates[True])
    spread = statistics.stdev(rates[False]) / without if rounds > 1 else 0.0
    print(f"\npgbench --select-only, 8 clients, median of {rounds} rounds of {seconds} s:")
    change = f"{probed / without - 1:+.1%}; rounds scatter by {spread:.1%}"
    print(f"{without:,.0f}/s without the probe, {probed:,.0f}/s with it ({change})")


def pgbench(url: str, *options: str) -> str:
    """What it printed."""
    command = [str((postgres_bin() or Path()) / "pgbench"), *options, url]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
