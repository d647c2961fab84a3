"""Can an unmodified locustfile put each request on both sides? The share of twins that go right, by scenario.

python -m benchmarks.mirrored [--scenario NAME ...] [--seconds 60]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from tabulate import tabulate

from benchmarks.pairs import REPOSITORY, Pair, find_scenario, load_thresholds, start_pairs
from ci_gate.cli.options import service_environment
from ci_gate.evidence.readings import Mark
from ci_gate.evidence.recording import Recording, read_lines, read_recording, write_json
from ci_gate.measure.load_run import locust_command
from ci_gate.service.guard.watchdog import Watchdog
from ci_gate.service.log import open_log
from ci_gate.service.process import Command, GuardedProcess, start_process

HEADERS = ("scenario", "endpoint", "pairs", "same status", "otherwise", "same content")


@contextlib.contextmanager
def start_mirrored(
    pair: Pair, folder: Path, watchdog: Watchdog, *, by_position: bool = False
) -> Iterator[GuardedProcess]:
    """A Locust whose users, as many as one side of a duet has, send every request to both sides of a pair."""
    folder.mkdir(parents=True)
    write_json(folder / "plan.json", pair.plan)
    urls = [service.url for service in pair.services]
    command = locust_command(pair.plan, folder.resolve(), urls[0])
    at = command.index("ci_gate.measure.in_locust.recorder")
    words = [*command[:at], "benchmarks.mirrored_locust", command[at + 1], *urls, *command[at + 2 :]]
    words += ["--by-position"] * by_position
    guarded = Command(
        words=tuple(word for word in words if word != "-P"),  # the benchmarks are not installed
        env=service_environment(),
        cwd=REPOSITORY,
        log=open_log(folder / "locust.log"),
        grace_s=5.0,
    )
    with start_process(guarded, watchdog) as process:
        yield process


def read_mirrored(folder: Path) -> tuple[Recording, Recording]:
    """Base's and head's requests, with the phases that both had."""
    marks = read_lines(folder / "marks.jsonl", Mark)
    sides = [read_recording(folder / side) for side in ("base", "head")]
    base, head = (msgspec.structs.replace(side, marks=marks) for side in sides)
    return base, head


def main() -> None:
    """Run each scenario mirrored on equal versions, and print a row per endpoint."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    thresholds = load_thresholds()
    names = [scenario.name for scenario in thresholds.scenarios]
    parser.add_argument("--scenario", action="append", choices=names)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--users", type=int, help="of a duet of the same load; half of them are mirrored")
    parser.add_argument("--by-position", action="store_true", help="pair the items of lists by place")
    options = parser.parse_args()
    rows = []
    for name in options.scenario or names:
        print(name, file=sys.stderr, flush=True)
        scenario = find_scenario(thresholds, name, users=options.users)
        with (
            Watchdog() as watchdog,
            start_pairs(
                thresholds, scenario, [("", "")], duration_s=options.seconds, watchdog=watchdog
            ) as pairs,
        ):
            folder = pairs[0].folder / "mirrored"
            with start_mirrored(pairs[0], folder, watchdog, by_position=options.by_position) as locust:
                deadline = time.monotonic() + options.seconds + 120
                while locust.exit_status() is None and time.monotonic() < deadline:
                    time.sleep(0.2)
            rows += describe_twins(name, folder)
    print(tabulate(rows, headers=HEADERS, tablefmt="github"))


def describe_twins(scenario: str, folder: Path) -> list[tuple[str, ...]]:
    """A row for each endpoint; ``200/404`` counts pairs whose user saw 200 where the other side said 404."""
    twins = json.loads((folder / "twins.json").read_text(encoding="utf-8"))
    rows = []
    for endpoint, counts in sorted(twins["statuses"].items()):
        same = sum(count for pair, count in counts.items() if len(set(pair.split("/"))) == 1)
        other = {pair: count for pair, count in counts.items() if len(set(pair.split("/"))) > 1}
        total = sum(counts.values())
        said = ", ".join(f"{pair}: {count}" for pair, count in sorted(other.items()))
        alike = twins["alike"].get(endpoint, 0) / total
        rows.append((scenario, endpoint, f"{total:,}", f"{same / total:.2%}", said, f"{alike:.1%}"))
    learnt = f"{twins['learnt']:,} names learnt, {twins['contradicted']:,} contradicted"
    return [*rows, (scenario, "", "", "", learnt, "")]


if __name__ == "__main__":
    main()
