"""Evidence in a few lines of text, for tests of what is judged.

A line each, in any order, over ten seconds of ramp, then the steady phase, and five of drain::

    10 ShopUser                              users that thresholds.yaml asks for, and that run
    steady 20 s                              how long the steady phase is
    600 GET /items 200 5-50ms                requests, spread evenly over the phase, with these latencies
    3 GET /items 503 2ms retry-after ramp    words: html, same-body, empty, retry-after, ramp, by <class>,
                                             and how it ended: checked, unreachable, never, unreported
    limit GET /items p95 200ms               accept GET /items 404, 410; expect GET /items; relax <code> <why>
    arrivals 50/s                            an open workload; 9 (not sent) 0 90ms never: for want of users
    offers 50/s                              what the users can offer; least ShopUser 45/s: at least
    reading 3-6 s cpu 95 lag 400             also users Name=7; host 100: of the machine
    mark spawn_timeout                       a mark more; no mark ended: one less; no totals
    stopping at 12 s                         before the planned end
    wall clock +30 s at 5 s                  it jumps
    service ended at 5 s                     service restarted at 5 s
    start failure ShopUser 3 Error()         task error ShopUser 9 Error(); listener errors 3
    Locust counted GET /items 598 2          instead of what the samples say
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import yaml

from ci_gate.evidence import (
    EndpointTotal,
    ErrorCount,
    MachineReading,
    Mark,
    Reading,
    Recording,
    RecordingPlan,
    Totals,
)
from ci_gate.plan import plan_recording
from ci_gate.samples import (
    ENDED_BY_CHECK,
    ENDED_BY_STATUS,
    ENDED_NEVER,
    ENDED_UNREPORTED,
    ENDED_WELL,
    ENDED_WITHOUT_REPLY,
    FLAG_HTML,
    FLAG_RETRY_AFTER,
    SAMPLE_DTYPE,
)
from ci_gate.thresholds import Scenario, Thresholds, parse_thresholds
from ci_gate.workload import Workload

STARTED_S = 1_700_000_000.0
RAMP_S = 10.0
DRAIN_S = 5.0
GOLDEN = 0.618034  # multiples of it, modulo 1, are spread evenly in any stretch
SAME_BODY_CRC = 7
ENDINGS = {
    "checked": ENDED_BY_CHECK,
    "unreachable": ENDED_WITHOUT_REPLY,
    "never": ENDED_NEVER,
    "unreported": ENDED_UNREPORTED,
}

HEALTHY = """
10 ShopUser
steady 20 s
600 GET /items 200 5-50ms
300 POST /orders 201 10-80ms
limit all p50 100ms
limit GET /items p95 200ms
expect POST /orders
offers 50/s
least ShopUser 45/s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    thresholds: Thresholds
    plan: RecordingPlan
    recording: Recording

    @property
    def scenario(self) -> Scenario:
        return self.thresholds.scenarios[0]


@dataclass
class Draft:
    """What the lines have said so far."""

    users: dict[str, int] = field(default_factory=dict)
    steady_s: float = 20.0
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    strings: list[str] = field(default_factory=lambda: [""])
    scenario: dict[str, Any] = field(default_factory=dict)
    offered: dict[str, Any] = field(default_factory=dict)
    readings: list[tuple[float, float, dict[str, float]]] = field(default_factory=list)
    marks: list[str] = field(default_factory=lambda: ["started", "spawned", "steady", "stopping", "ended"])
    jump: tuple[float, float] = (0.0, 0.0)  # seconds, after which second
    stopping_s: float | None = None
    ended_s: float = np.inf
    restarted_s: float = np.inf
    start_failures: list[ErrorCount] = field(default_factory=list)
    task_errors: list[ErrorCount] = field(default_factory=list)
    listener_errors: int = 0
    counted: dict[str, tuple[int, int]] = field(default_factory=dict)
    has_totals: bool = True

    def text_id(self, text: str) -> int:
        if text not in self.strings:
            self.strings.append(text)
        return self.strings.index(text)


def draw(text: str) -> Evidence:
    """The evidence that ``text`` describes."""
    draft = Draft()
    for line in filter(None, map(str.strip, text.splitlines())):
        read_line(draft, line)
    thresholds = make_thresholds(draft)
    workload = Workload(locustfile="shop.py", classes=(), error=None)
    plan = plan_recording(thresholds.scenarios[0], thresholds.profiles[0], workload)
    return Evidence(
        thresholds=thresholds,
        plan=msgspec.structs.replace(plan, **draft.offered),
        recording=make_recording(draft),
    )


def read_line(draft: Draft, line: str) -> None:
    for pattern, read in LINES:
        if found := re.fullmatch(pattern, line):
            read(draft, *found.groups())
            return
    raise AssertionError(f"no such notation: {line}")


def read_requests(draft: Draft, count, endpoint, status, low, high, words) -> None:
    words = words.split()
    by = words[words.index("by") + 1] if "by" in words else next(iter(draft.users))
    ending = next((ENDINGS[word] for word in words if word in ENDINGS), None)
    if ending is None:
        ending = ENDED_WELL if int(status) < 400 else ENDED_BY_STATUS
    begin_s, length_s = (0.0, RAMP_S) if "ramp" in words else (RAMP_S, draft.steady_s)
    flags = FLAG_HTML * ("html" in words) | FLAG_RETRY_AFTER * ("retry-after" in words)
    for number in range(int(count)):
        start_s = STARTED_S + begin_s + length_s * (number + 0.5) / int(count)
        latency_ms = float(low) + (float(high or low) - float(low)) * (number * GOLDEN % 1)
        crc = 0 if "empty" in words else SAME_BODY_CRC if "same-body" in words else 1000 + len(draft.rows)
        ids = draft.text_id(endpoint), draft.text_id("an error") * (ending != ENDED_WELL)
        draft.rows.append(
            (start_s, start_s, latency_ms, 100, *ids, crc, draft.text_id(by), int(status), flags, ending)
        )


def read_reading(draft: Draft, begin, end, words) -> None:
    pairs = re.findall(r"(?:users )?(\w+)[ =](\d+)", words)
    draft.readings.append((float(begin), float(end or begin), {name: float(value) for name, value in pairs}))


def read_limit(draft: Draft, endpoint, metric, bound) -> None:
    draft.scenario.setdefault("limits", {}).setdefault(endpoint, {})[metric] = bound


def read_accept(draft: Draft, endpoint, statuses) -> None:
    draft.scenario.setdefault("accept", {})[endpoint] = [int(status) for status in statuses.split(",")]


def read_error(draft: Draft, kind, subject, count, error) -> None:
    errors = draft.start_failures if kind == "start failure" else draft.task_errors
    errors.append(ErrorCount(subject=subject, error=error, count=int(count)))


def read_least(draft: Draft, user_class, rate) -> None:
    draft.offered.setdefault("least_offered_per_s", {})[user_class] = float(rate)


LINES: tuple[tuple[str, Callable[..., None]], ...] = (
    (r"(\d+) ([A-Z]\w+)", lambda draft, count, name: draft.users.update({name: int(count)})),
    (r"steady ([\d.]+) s", lambda draft, seconds: setattr(draft, "steady_s", float(seconds))),
    (r"(\d+) ([A-Z]+ \S+|\(not sent\)) (\d+) ([\d.]+)(?:-([\d.]+))?ms ?(.*)", read_requests),
    (r"limit (all|\S+ \S+) (\S+) (\S+)", read_limit),
    (r"accept (\S+ \S+) ([\d, ]+)", read_accept),
    (r"arrivals (\S+)", lambda draft, rate: draft.scenario.update(arrivals=rate)),
    (r"expect (.+)", lambda draft, name: draft.scenario.setdefault("expected", []).append(name)),
    (r"relax (\S+) (.+)", lambda draft, *pair: draft.scenario.setdefault("relax", {}).update([pair])),
    (r"offers ([\d.]+)/s", lambda draft, rate: draft.offered.update(offered_per_s=float(rate))),
    (r"least (\S+) ([\d.]+)/s", read_least),
    (r"reading (\d+)(?:-(\d+))? s (.+)", read_reading),
    (r"mark (\S+)", lambda draft, name: draft.marks.insert(1, name)),
    (r"no mark (\S+)", lambda draft, name: draft.marks.remove(name)),
    (r"stopping at (\d+) s", lambda draft, at: setattr(draft, "stopping_s", float(at))),
    (r"no totals", lambda draft: setattr(draft, "has_totals", False)),
    (
        r"wall clock ([+-][\d.]+) s at (\d+) s",
        lambda draft, by, at: setattr(draft, "jump", (float(by), float(at))),
    ),
    (r"service ended at (\d+) s", lambda draft, at: setattr(draft, "ended_s", float(at))),
    (r"service restarted at (\d+) s", lambda draft, at: setattr(draft, "restarted_s", float(at))),
    (r"(start failure|task error) (\S+) (\d+) (.+)", read_error),
    (r"listener errors (\d+)", lambda draft, count: setattr(draft, "listener_errors", int(count))),
    (
        r"Locust counted (\S+ \S+) (\d+) (\d+)",
        lambda draft, name, *counts: draft.counted.update({name: tuple(map(int, counts))}),
    ),
)


def make_thresholds(draft: Draft) -> Thresholds:
    scenario = {"locustfile": "shop.py", "users": draft.users, "spawn_rate": 10} | draft.scenario
    scenario.setdefault("limits", {"all": {"failures": "1%"}})
    document = {
        "schema": 1,
        "service": {"command": "shop --port {port}"},
        "profiles": {"short": {"duration": f"{draft.steady_s:g}s"}},
        "scenarios": {"shop": scenario},
    }
    return parse_thresholds(yaml.safe_dump(document, sort_keys=False), "thresholds.yaml")


def make_recording(draft: Draft) -> Recording:
    samples = np.sort(np.array(draft.rows, dtype=SAMPLE_DTYPE), order="start_s")
    seconds = range(1, int(RAMP_S + draft.steady_s + DRAIN_S) + 1)
    return Recording(
        samples=samples,
        strings=tuple(draft.strings),
        marks=tuple(make_mark(draft, name) for name in draft.marks),
        readings=tuple(make_reading(draft, second) for second in seconds),
        machine=tuple(make_machine(draft, second) for second in seconds),
        totals=make_totals(draft, samples) if draft.has_totals else None,
    )


def clocks(draft: Draft, after_s: float) -> dict[str, float]:
    by_s, at_s = draft.jump
    return {"wall_s": STARTED_S + after_s + by_s * (after_s > at_s), "monotonic_s": 100 + after_s}


def make_mark(draft: Draft, name: str) -> Mark:
    stopping_s = RAMP_S + (draft.steady_s if draft.stopping_s is None else draft.stopping_s)
    after_s = {"started": 0.0, "stopping": stopping_s, "ended": stopping_s + DRAIN_S}
    return Mark(name=name, **clocks(draft, after_s.get(name, RAMP_S)))


def values_at(draft: Draft, second: int) -> dict[str, float]:
    found: dict[str, float] = {}
    for begin, end, changes in draft.readings:
        found |= changes if begin <= second - RAMP_S <= end else {}
    return found


def make_reading(draft: Draft, second: int) -> Reading:
    values = draft.users | values_at(draft, second)
    users = {name: int(count) for name, count in values.items() if name[0].isupper()}
    return Reading(
        **clocks(draft, second - 0.5),
        users=users,
        ready=sum(users.values()),
        cpu_percent=values.get("cpu", 40.0),
        lag_ms=values.get("lag", 15.0),
        memory_bytes=80_000_000,
    )


def make_machine(draft: Draft, second: int) -> MachineReading:
    return MachineReading(
        wall_s=clocks(draft, second - 0.5)["wall_s"],
        host_cpu_percent=values_at(draft, second).get("host", 50.0),
        load_average=1.0,
        service_alive=second - RAMP_S < draft.ended_s,
        service_cpu_percent=60.0,
        service_memory_bytes=100_000_000,
        service_restarts=2 + int(second - RAMP_S >= draft.restarted_s),
    )


def make_totals(draft: Draft, samples: np.ndarray) -> Totals:
    seen = samples[(samples["ending"] != ENDED_NEVER) & (samples["ending"] != ENDED_UNREPORTED)]
    counted = {}
    for number in np.unique(seen["endpoint"]):
        rows = seen[seen["endpoint"] == number]
        counted[draft.strings[number]] = len(rows), int((rows["ending"] != ENDED_WELL).sum())
    return Totals(
        endpoints=tuple(
            EndpointTotal(endpoint=endpoint, requests=requests, failures=failures)
            for endpoint, (requests, failures) in (counted | draft.counted).items()
        ),
        start_failures=tuple(draft.start_failures),
        task_errors=tuple(draft.task_errors),
        listener_errors=draft.listener_errors,
        locust_version="2",
    )
