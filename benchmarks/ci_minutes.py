"""The runner minutes that a pull request bills: the workflow's job graph with measured times of its steps.

A job that loads runs once for each scenario. Steps are left out that only run where something failed, where
an earlier verdict stands, or where a caller asks for more than the four scenarios need. GitHub bills each job
by the minute, rounded up; what it takes itself to set a machine up and to pull images of services is unknown.

python -m benchmarks.ci_minutes                       the table, by the times in benchmarks/ci_minutes.json
python -m benchmarks.ci_minutes --set "Install ci-gate=38" --beyond-load 13.9     the same, with other times
python -m benchmarks.ci_minutes --measure             what a scenario takes beyond its load, here and now
python -m benchmarks.ci_minutes --record act.log --beyond-load 9.3 --note "what it was measured on"
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from tabulate import tabulate

from ci_gate.evidence.readings import Mark
from ci_gate.evidence.strict_json import read_lines
from ci_gate.thresholds import Profile, Scenario, parse_thresholds

ROOT = Path(__file__).parents[1]
WORKFLOW = ROOT / ".github" / "workflows" / "load-gate.yml"
TIMES = Path(__file__).with_suffix(".json")
GOAL_S = 45.0
LEFT_OUT = re.compile(
    r"reused != ''|failure\(\)|self-hosted|inputs\.requirements|inputs\.command|fresh-runner|needs\.reds"
)
LOADS = re.compile(r'ci-gate"? (run|measure)\b')
BUILDS = re.compile(r"docker build\b")
STEP = re.compile(
    r"^\[[^\]/]+/(?P<job>[^\]]+?) *\] .*(?:Success|Failure) - (?P<part>Pre|Main|Post) (?P<name>.*) "
    r"\[(?P<time>[\d.hmsµn]+)\]$"
)
UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job of a run: its seconds by what they are for, and the steps whose time is not known."""

    name: str
    load_s: float
    build_s: float
    beside_s: float
    unknown: tuple[str, ...]

    @property
    def billed(self) -> int:
        """Minutes."""
        return math.ceil((self.load_s + self.build_s + self.beside_s) / 60)


def read_jobs(
    workflow: Path, times: dict[str, object], profile_name: str, compared_s: float | None = None
) -> Iterator[Job]:
    """Each job that runs for a pull request. Without ``compared_s``, comparisons take all of their budget."""
    file = ROOT / "thresholds.yaml"
    thresholds = parse_thresholds(file.read_text(), str(file))
    profile = thresholds.profile(profile_name)
    assert profile is not None, f"there is no profile {profile_name}"
    for name, job in yaml.safe_load(workflow.read_text())["jobs"].items():
        if LEFT_OUT.search(str(job.get("if", "")).replace("reused == ''", "")):
            continue
        if "strategy" not in job:
            yield add_up(name, job, times, 0.0)
            continue
        for scenario in thresholds.scenarios:
            load_s = measure_load(scenario, profile, compared_s or thresholds.compare_scenario.max_duration_s)
            yield add_up(f"{name} ({scenario.name})", job, times, load_s)


def add_up(name: str, job: dict[str, object], times: dict[str, object], load_s: float) -> Job:
    """The job with its seconds."""
    build_s = beside_s = 0.0
    unknown = []
    for step in job["steps"]:
        text, title = str(step.get("run", "")), step.get("name", step.get("uses", "a step without a name"))
        if LEFT_OUT.search(str(step.get("if", ""))):
            continue
        took_s = times["beyond_load_s"] if LOADS.search(text) else times["steps"].get(title)
        if took_s is None:
            unknown.append(title)
        elif BUILDS.search(text):
            build_s += took_s
        else:
            beside_s += took_s
    return Job(name=name, load_s=load_s, build_s=build_s, beside_s=beside_s, unknown=tuple(unknown))


def measure_load(scenario: Scenario, profile: Profile, compared_s: float) -> float:
    """The seconds of load on head alone, and of a comparison whose steady phase lasts ``compared_s``."""
    ramp_s = scenario.user_count / scenario.spawn_rate + scenario.ramp_s + profile.warmup_s
    return ramp_s + profile.duration_s + (ramp_s + compared_s if scenario.regression else 0.0)


def read_log(log: str) -> dict[str, float]:
    """The seconds of each step in a log of act, its pre and post steps included, in the slowest job."""
    found: dict[tuple[str, str], float] = {}
    ran = set()  # the others were only prepared
    for line in log.splitlines():
        if step := STEP.match(line):
            key = step["job"], step["name"]
            found[key] = found.get(key, 0.0) + read_duration(step["time"])
            if step["part"] == "Main":
                ran.add(key)
    steps: dict[str, float] = {}
    for key in sorted(ran):
        steps[key[1]] = max(steps.get(key[1], 0.0), round(found[key], 2))
    return steps


def read_logs(logs: Sequence[str]) -> dict[str, float]:
    """The same of several: of each step the shortest, for other programs only ever make it longer."""
    least: dict[str, float] = {}
    for steps in map(read_log, logs):
        least |= {name: min(took_s, least.get(name, took_s)) for name, took_s in steps.items()}
    return least


def read_duration(text: str) -> float:
    """Seconds of what Go writes: ``1m2.5s``, ``28.7ms``."""
    return sum(
        float(number) * UNITS_S[unit] for number, unit in re.findall(r"([\d.]+)(h|ms|µs|ns|m|s)", text)
    )


def measure_beyond_load(scenario: str, repository: Path) -> float:
    """The seconds that a run of one scenario takes beside its ramp, warm-up and steady phase."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        command = [sys.executable, "-m", "ci_gate", "run", "--quiet", "--scenario", scenario]
        began_s = time.monotonic()
        subprocess.run(
            [*command, "--profile", "quick", "--out", out],
            cwd=repository,
            env={**os.environ, "PYTHONPATH": str(repository)},
            stdout=subprocess.DEVNULL,
            check=False,
        )
        took_s = time.monotonic() - began_s
        at_s = {
            mark.name: mark.monotonic_s for mark in read_lines(out / scenario / "head" / "marks.jsonl", Mark)
        }
    return took_s - (at_s["stopping"] - at_s["started"])


def parse_arguments() -> argparse.Namespace:
    """Of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workflow", type=Path, default=WORKFLOW)
    parser.add_argument("--times", type=Path, default=TIMES)
    parser.add_argument("--profile", default="pull_request")
    parser.add_argument("--compared", type=float, help="seconds until a comparison is decided")
    parser.add_argument("--set", action="append", default=[], metavar="STEP=SECONDS")
    parser.add_argument("--beyond-load", type=float, help="seconds that the measuring step takes beside load")
    parser.add_argument(
        "--record", type=Path, nargs="+", metavar="LOG", help="logs of act, to take times from"
    )
    parser.add_argument("--note", default="", help="what they were measured on")
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--scenario", default="cab-approvals", help="to measure")
    parser.add_argument("--repository", type=Path, default=ROOT, help="to measure: another version of it")
    return parser.parse_args()


def main() -> None:
    """Print the table, measure, or record step times."""
    options = parse_arguments()
    if options.measure:
        took_s = measure_beyond_load(options.scenario, options.repository)
        print(f"{options.scenario}: {took_s:.1f} s beyond the load; load average {os.getloadavg()[0]:.1f}")
        return
    times = {"note": options.note, "beyond_load_s": None, "steps": {}}
    if options.record:
        times["steps"] = read_logs([log.read_text(errors="replace") for log in options.record])
    else:
        times = json.loads(options.times.read_text())
    times["beyond_load_s"] = options.beyond_load or times["beyond_load_s"]
    for given in options.set:
        name, _, seconds = given.rpartition("=")
        times["steps"][name] = float(seconds)
    if options.record:
        options.times.write_text(json.dumps(times, indent=1, ensure_ascii=False) + "\n")
    print(render([*read_jobs(options.workflow, times, options.profile, options.compared)]))
    print(f"\nmeasured on: {times['note']}")


def render(jobs: list[Job]) -> str:
    """The table, its sums, and what is not known."""
    rows = [(job.name, job.load_s, job.build_s, job.beside_s, job.billed) for job in jobs]
    sums = ("all", *(sum(row[at] for row in rows) for at in range(1, 5)))
    headers = ["job", "load s", "image builds s", "beside them s", "billed minutes"]
    lines = [tabulate([*rows, sums], headers=headers, tablefmt="github", floatfmt=".1f")]
    most = max(jobs, key=lambda job: job.beside_s)
    lines.append(f"at most {most.beside_s:.1f} s beside them ({most.name}); the goal is {GOAL_S:.0f} s")
    unknown = sorted({step for job in jobs for step in job.unknown})
    lines += [f"not measured, so not counted: {step}" for step in unknown]
    return "\n\n".join(lines)


if __name__ == "__main__":
    main()
