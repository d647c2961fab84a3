"""What ci-gate takes beside its work, as ratios to what cannot be less, measured side by side in one run.

`--help` against its libraries, `check` against `import locust`, `judge` against `import numpy`, and a run of
one scenario against a URL against plain Locust with the same locustfile and load: what each takes beyond the
load, and, apart from that, the memory of all its processes together at their highest. Each pair is measured
in turn; of times the medians.

python -m benchmarks.startup [--rounds 5] [--seconds 20]
"""

from __future__ import annotations

import argparse
import contextlib
import http.server
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
from tabulate import tabulate

ROOT = Path(__file__).parents[1]
CI_GATE = (sys.executable, "-m", "ci_gate")
USERS = 5
LOCUSTFILE = """
from locust import FastHttpUser, constant, task

class Visitor(FastHttpUser):
    wait_time = constant(0.1)

    @task
    def visit(self):
        self.client.get("/")
"""
THRESHOLDS = """
schema: 1
service: {{url: "{url}", ready: /}}
profiles: {{pull_request: {{duration: {seconds}s, warmup: 0s}}}}
scenarios:
  visits:
    locustfile: load.py
    users: {{Visitor: {users}}}
    spawn_rate: {users}
    limits: {{GET /: {{p50: 1s}}}}
"""


class Page(http.server.BaseHTTPRequestHandler):
    """Answers at once."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """The address of a server of that page."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def measure_time(command: Sequence[str], folder: Path) -> float:
    """Seconds that it took."""
    began_s = time.monotonic()
    with start(command, folder) as process:
        process.wait()
    assert process.returncode == 0, f"{command}: exit status {process.returncode}"
    return time.monotonic() - began_s


def measure_memory(command: Sequence[str], folder: Path) -> float:
    """MiB of it and all processes below it, at their highest. To look takes as much CPU as they do."""
    most = 0
    with start(command, folder) as process:
        root = psutil.Process(process.pid)
        while process.poll() is None:
            with contextlib.suppress(psutil.Error):
                most = max(most, sum(map(memory, (root, *root.children(recursive=True)))))
            time.sleep(0.02)
    assert process.returncode == 0, f"{command}: exit status {process.returncode}"
    return most / 2**20


def start(command: Sequence[str], folder: Path) -> subprocess.Popen[bytes]:
    """The command, without its output."""
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def memory(process: psutil.Process) -> int:
    """Of pages that processes share, each has its part; 0 for one that has just ended."""
    with contextlib.suppress(psutil.Error):
        return int(process.memory_full_info().pss)
    return 0


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, serving() as url:
        folder = Path(name)
        (folder / "load.py").write_text(LOCUSTFILE)
        text = THRESHOLDS.format(url=url, seconds=options.seconds, users=USERS)
        (folder / "thresholds.yaml").write_text(text)
        print(tabulate(compare(folder, url, options), headers="keys", tablefmt="github", floatfmt=".2f"))


def compare(folder: Path, url: str, options: argparse.Namespace) -> list[dict[str, object]]:
    """A row for each pair: the seconds beside the load and the memory of both, and the ratio of the times."""
    load = (*("-f", "load.py", "--headless", "--host", url), *("-u", str(USERS), "-r", str(USERS)))
    pairs = {
        "--help against its libraries": (
            *((*CI_GATE, "--help"), (sys.executable, "-c", "import click, yaml, msgspec")),
            *(ROOT, 0, options.rounds),
        ),
        "check of four scenarios against import locust": (
            *((*CI_GATE, "check"), (sys.executable, "-c", "import locust")),
            *(ROOT, 0, options.rounds),
        ),
        "a run against plain Locust": (
            (*CI_GATE, "run", "--quiet", "--out", "evidence-{round}"),
            (sys.executable, "-m", "locust", *load, "--run-time", f"{options.seconds}s", "--only-summary"),
            *(folder, options.seconds, max(options.rounds // 2, 1)),
        ),
        "judge against import numpy": (
            *((*CI_GATE, "judge", "evidence-0"), (sys.executable, "-c", "import numpy")),
            *(folder, 0, options.rounds),
        ),
    }
    rows = []
    for what, (ours, theirs, where, load_s, rounds) in pairs.items():
        times_s = [
            (measure_time([word.format(round=turn) for word in ours], where), measure_time(theirs, where))
            for turn in range(rounds)
        ]
        our_s, their_s = map(statistics.median, zip(*times_s, strict=True))
        our_mib = measure_memory([word.format(round=rounds) for word in ours], where)
        their_mib = measure_memory(theirs, where)
        rows.append(
            {
                "what": what,
                "s": our_s - load_s,
                "s of the other": their_s - load_s,
                "ratio": (our_s - load_s) / (their_s - load_s),
                "MiB": our_mib,
                "MiB of the other": their_mib,
            }
        )
    return rows


if __name__ == "__main__":
    main()
