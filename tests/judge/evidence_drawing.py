"""What a draft of evidence becomes: real thresholds, and a Recording as the recorder would have left it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import yaml

from ci_gate.evidence.clocks import Clock
from ci_gate.evidence.delivery import Delivery
from ci_gate.evidence.processes import Worker
from ci_gate.evidence.readings import (
    EarlyStop,
    EndpointTotal,
    ErrorCount,
    ExitCode,
    ForeignProcess,
    ForeignUse,
    MachineReading,
    Mark,
    OddValue,
    ProbeReading,
    Reading,
    Redirects,
    Totals,
)
from ci_gate.evidence.recording import Recording
from ci_gate.evidence.sample_table import SAMPLE_DTYPE
from ci_gate.evidence.samples import ENDED_DAMAGED, ENDED_NEVER, ENDED_UNREPORTED, ENDED_WELL
from ci_gate.thresholds import Thresholds, parse_thresholds
from tests.judge.evidence_values import make_machine_reading

STARTED_S = 1_700_000_000.0
RAMP_S = 10.0
DRAIN_S = 5.0


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
    probes: list[tuple[str, float, float, str]] = field(default_factory=list)  # name, from, to, error
    marks: list[str] = field(default_factory=lambda: ["started", "spawned", "steady", "stopping", "ended"])
    jump: tuple[float, float] = (0.0, 0.0)  # seconds, after which second
    stopping_s: float | None = None
    ended_s: float = np.inf
    restarted_s: float = np.inf
    start_failures: list[ErrorCount] = field(default_factory=list)
    task_errors: list[ErrorCount] = field(default_factory=list)
    listener_errors: int = 0
    listener_texts: list[ErrorCount] = field(default_factory=list)
    other_hosts: dict[str, str] = field(default_factory=dict)
    own_hosts: dict[str, str] = field(default_factory=dict)
    redirects: list[Redirects] = field(default_factory=list)
    exit_code: ExitCode | None = None
    counted: dict[str, tuple[int, int]] = field(default_factory=dict)
    heard: dict[str, tuple[int, int]] = field(default_factory=dict)
    odd_values: list[OddValue] = field(default_factory=list)
    has_totals: bool = True
    stopped: EarlyStop | None = None
    shape_ended: bool = False
    left_users: dict[str, int] = field(default_factory=dict)
    workers: int = 0
    lost: set[int] = field(default_factory=set)
    undelivered: set[int] = field(default_factory=set)
    clocks: dict[int, float] = field(default_factory=dict)

    def text_id(self, text: str) -> int:
        if text not in self.strings:
            self.strings.append(text)
        return self.strings.index(text)


def make_thresholds(draft: Draft) -> Thresholds:
    load = {} if "shape" in draft.scenario else {"users": draft.users, "spawn_rate": 10}
    scenario = {"locustfile": "shop.py"} | load | draft.scenario
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
    marks = tuple(make_mark(draft, name) for name in draft.marks)
    readings = tuple(make_reading(draft, second) for second in seconds)
    totals = make_totals(draft, samples)
    return Recording(
        samples=samples,
        strings=tuple(draft.strings),
        marks=marks,
        readings=readings,
        machine=tuple(make_machine(draft, second) for second in seconds),
        totals=totals if draft.has_totals else None,
        probes=tuple(make_probe_reading(draft, *line, second) for line in draft.probes for second in seconds),
        workers=tuple(
            Worker(
                number=number,
                marks=marks,
                readings=readings,
                totals=None if number in draft.lost else totals,
                **make_remote(draft, number),
            )
            for number in range(1, draft.workers + 1)
        ),
    )


def make_remote(draft: Draft, number: int) -> dict[str, object]:
    if not draft.offered.get("remote"):
        return {}
    uncertainty_s = draft.clocks.get(number, 0.001)
    clock = Clock(offset_s=12.0, monotonic_offset_s=-80.0, uncertainty_s=uncertainty_s)
    is_there = number not in draft.undelivered
    return {"clock": clock, "delivery": Delivery(machine="other", rows=9) if is_there else None}


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
        target_users=int(values["target"]) if "target" in values else None,
        memory_bytes=80_000_000,
    )


def make_machine(draft: Draft, second: int) -> MachineReading:
    return make_machine_reading(
        clocks(draft, second - 0.5)["wall_s"],
        host_cpu_percent=values_at(draft, second).get("host", 50.0),
        service_alive=second - RAMP_S < draft.ended_s,
        service_restarts=2 + int(second - RAMP_S >= draft.restarted_s),
        host_cores=2,
        foreign=make_foreign(values_at(draft, second).get("others")),
        service_cpu_s=sum(values_at(draft, each).get("service", 60.0) for each in range(second)) / 100,
    )


def make_foreign(cores: float | None) -> ForeignUse | None:
    """What a compiler takes, but for a tenth of a core that the host of the machine takes."""
    if cores is None:
        return None
    compiler = ForeignProcess(name="cc1", cores=max(cores - 0.1, 0.0))
    return ForeignUse(cores=cores, stolen_cores=min(cores, 0.1), processes=(compiler,))


def make_probe_reading(draft: Draft, name: str, begin: float, end: float, error: str, second: int):
    """One a second over the whole recording, which fails in the seconds from ``begin`` to ``end``."""
    failed = begin <= second - RAMP_S <= end
    return ProbeReading(
        wall_s=clocks(draft, second - 0.5)["wall_s"],
        probe=name,
        took_ms=4.0,
        values={} if failed else {"commits": float(second)},
        error=error if failed else "",
    )


def make_totals(draft: Draft, samples: np.ndarray) -> Totals:
    seen = samples[~np.isin(samples["ending"], (ENDED_NEVER, ENDED_UNREPORTED, ENDED_DAMAGED))]
    counted = {}
    for number in np.unique(seen["endpoint"]):
        rows = seen[seen["endpoint"] == number]
        counted[draft.strings[number]] = len(rows), int((rows["ending"] != ENDED_WELL).sum())
    return Totals(
        endpoints=make_endpoint_totals(counted | draft.counted),
        heard=make_endpoint_totals(counted | draft.heard),
        odd_values=tuple(draft.odd_values),
        start_failures=tuple(draft.start_failures),
        task_errors=tuple(draft.task_errors),
        listener_errors=draft.listener_errors,
        listener_texts=tuple(draft.listener_texts),
        other_hosts=draft.other_hosts,
        own_hosts=draft.own_hosts,
        redirects=tuple(draft.redirects),
        exit_code=draft.exit_code,
        stopped=draft.stopped,
        left_users=draft.left_users,
        shape_ended=draft.shape_ended,
        locust_version="2",
    )


def make_endpoint_totals(counted: dict[str, tuple[int, int]]) -> tuple[EndpointTotal, ...]:
    return tuple(
        EndpointTotal(endpoint=endpoint, requests=requests, failures=failures)
        for endpoint, (requests, failures) in counted.items()
    )
