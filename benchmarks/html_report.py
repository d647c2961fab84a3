"""How long a report.html takes and how large it is: evidence of 250,000 requests, and Chromium to show it.

Evidence of concurrent-deployments, five minutes alone, and base and head together for as long, is drawn at
random with a reading a second of everything that is probed. Made are the verdict, the timeline and the page:
what `ci-gate judge` does after Python has started. Shown is what passes in Chromium from asking for the file
until every chart is drawn.

python -m benchmarks.html_report [--samples 250000] [--rounds 5] [--out report.html]
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.judge_many import write_evidence
from ci_gate.evidence.readings import MachineReading, ProbeReading
from ci_gate.evidence.recording import (
    DUET_BASE,
    DUET_HEAD,
    LineWriter,
    read_run,
    recording_folder,
    write_json,
)
from ci_gate.report.files import REPORT_FILE, TIMELINE_FILE, write_reports
from ci_gate.run.judging import judge_folder
from tests.browser import running_chromium

BEGIN_S = 1_000_000_000
DRAWN = "document.documentElement.dataset.ready"


def write_run(out: Path, count: int) -> None:
    """A third of the requests to head alone, and to each side of the duet."""
    write_evidence(out, count // 3)
    run = read_run(out)
    (head,) = run.recordings
    plans = [msgspec.structs.replace(head, recording=name) for name in (DUET_BASE, DUET_HEAD)]
    for plan in plans:
        recording_folder(out, plan).symlink_to(recording_folder(out, head).name)
    write_json(out / "run.json", msgspec.structs.replace(run, recordings=(head, *plans)))
    write_readings(recording_folder(out, head))


def write_readings(folder: Path) -> None:
    """Machine and probes, a line a second."""
    draw = np.random.default_rng(2)
    with LineWriter(folder / "machine.jsonl") as machine, LineWriter(folder / "probes.jsonl") as probes:
        for second in range(-29, 301):
            busy = float(draw.uniform(20, 80))
            machine.write(
                MachineReading(
                    wall_s=BEGIN_S + second,
                    host_cpu_percent=busy,
                    load_average=1,
                    service_alive=True,
                    service_cpu_percent=busy,
                    service_memory_bytes=10**8,
                    service_busiest_percent=busy,
                )
            )
            for probe, names in PROBED.items():
                values = {name: float(draw.integers(0, 9)) for name in names}
                probes.write(ProbeReading(wall_s=BEGIN_S + second, probe=probe, took_ms=2, values=values))


PROBED = {
    "service": ("pool_size", "pool_in_use", "pool_waiting", "workers", "workers_busy", "in_progress"),
    "postgres": ("connections_active", "on_cpu", "waiting_lock", "waiting_io", "blocked"),
    "redis": ("commands", "blocked_clients"),
}


def show(browser, page_file: Path) -> tuple[float, int]:
    """Seconds until all charts are drawn, and how many there are."""
    with browser.open(page_file) as page:
        charts = page.run("document.querySelectorAll('.plot canvas').length")
        assert page.run(DRAWN) == "true"
        assert page.complaints == []
        return page.run("performance.getEntriesByName('drawn')[0].startTime") / 1000, charts


def main() -> None:
    """Make and show the same report several times, print the figures of each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=250_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="Keep the page here.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, running_chromium() as browser:
        out = Path(name)
        write_run(out, options.samples)
        for _ in range(options.rounds):
            began = time.monotonic()
            write_reports(out, *judge_folder(out, None))
            made_s = time.monotonic() - began
            shown_s, charts = show(browser, out / REPORT_FILE)
            print(f"{options.samples:,} requests: made in {made_s:.2f} s, shown in {shown_s:.2f} s")
        print(f"{charts} charts")
        for file in (REPORT_FILE, TIMELINE_FILE):
            print(f"{file}: {(out / file).stat().st_size / 1024:,.0f} KiB")
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"at most {memory:,.0f} MiB of memory")
        if options.out:
            options.out.write_bytes((out / REPORT_FILE).read_bytes())


if __name__ == "__main__":
    main()
