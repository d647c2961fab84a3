"""Whole runs made in memory and judged: what a page of each verdict is made of, with charts."""

from __future__ import annotations

from functools import cache

import msgspec
import numpy as np
import yaml

from ci_gate.evidence.readings import Mark, ProbeReading, Reading
from ci_gate.evidence.recording import Recording
from ci_gate.evidence.sample_table import SAMPLE_DTYPE
from ci_gate.evidence.samples import ENDED_BY_STATUS, ENDED_WELL, FLAG_RETRY_AFTER
from ci_gate.evidence.workload import Workload
from ci_gate.judge.timeline.run_timeline import RunTimeline
from ci_gate.judge.verdict import judge
from ci_gate.report.report import Report
from ci_gate.run.plan import plan_duet, plan_recording
from ci_gate.thresholds import parse_thresholds
from tests.judge.evidence_values import make_machine_reading
from tests.judge.evidence_values import make_run as make_run_info
from tests.judge.recordings import count_totals
from tests.judge.timelines import draw_timelines

BEGUN_S = 1_795_000_000.0
RAMP_S, WARMUP_S, STEADY_S, DRAIN_S = 10, 5, 60, 3
STRINGS = ("", "ShopUser", "GET /items", "GET /items/{id}", "POST /orders", "HTTPError('503 Server Error')")
HOSTILE = "</script><img src=x onerror=alert(1)> \u202e\u2028 '\"&"


def make_run(*scenarios, changes=(), names=None) -> tuple[Report, RunTimeline]:
    """A report and its timeline; each scenario is a name with what `make_recording` and thresholds take."""
    names = names or [name for name, _, _ in scenarios]
    document = {
        "schema": 1,
        "service": {"command": "shop --port {port}"},
        "profiles": {"pull_request": {"duration": f"{STEADY_S}s", "warmup": f"{WARMUP_S}s"}},
        "scenarios": {
            name: {"locustfile": "shop.py", "users": {"ShopUser": 100}, "spawn_rate": 10} | settings
            for name, settings, _ in scenarios
        },
    }
    thresholds = parse_thresholds(yaml.safe_dump(document, sort_keys=False), "thresholds.yaml")
    workload = Workload(locustfile="shop.py", classes=(), error=None)
    plans, recordings = [], {}
    for scenario, (name, _, sides) in zip(thresholds.scenarios, scenarios, strict=True):
        profile = thresholds.profiles[0]
        both = plan_duet(scenario, profile, workload, thresholds.compare)
        for plan in (plan_recording(scenario, profile, workload), *both):
            if plan.recording in sides:
                plans.append(plan)
                recordings[name, plan.recording] = make_recording(plan, **sides[plan.recording])
    info = make_run_info(
        thresholds,
        ci_gate_version="0.1.0",
        profile="pull_request",
        started_at="2026-11-23T15:00:00+00:00",
        ended_at="2026-11-23T15:10:00+00:00",
        recordings=tuple(plans),
        host={"cpus": "4"},
        git={
            "base": "89e6c98d92887913cadf06b2adb97f26cde4849b",
            "head": "0123456789abcdef0123456789abcdef01234567",
        },
    )
    verdict = judge(thresholds, info, recordings)
    return Report(verdict=verdict, **dict(changes)), draw_timelines(thresholds, info, recordings)


def make_recording(
    plan,
    *,
    seed=1,
    rate=80.0,
    slower=1.0,
    full_from_s=None,
    fails=0.0,
    throttled=0.0,
    strings=STRINGS,
) -> Recording:
    """From ``full_from_s`` on the pool is full and requests wait; ``fails`` and ``throttled`` are shares."""
    draw = np.random.default_rng(seed)
    lasts_s = RAMP_S + WARMUP_S + STEADY_S
    count = int(rate * lasts_s)
    at_s = np.sort(draw.uniform(0, lasts_s, count))
    rows = np.zeros(count, dtype=SAMPLE_DTYPE)
    rows["start_s"] = rows["intended_s"] = BEGUN_S + at_s
    kind = draw.choice(3, count, p=[0.5, 0.3, 0.2])
    noise = np.exp(draw.normal(0, 0.45, count)) * np.where(draw.random(count) < 0.01, 8, 1)
    rows["response_ms"] = slower * np.array([9.0, 6.0, 24.0])[kind] * noise
    late_s = np.inf if full_from_s is None else full_from_s
    waits_ms = np.clip((at_s - late_s) * 60, 0, 900)
    rows["response_ms"] += waits_ms * draw.uniform(0.5, 1.2, count)
    rows["endpoint"], rows["user_class"] = kind + 2, 1
    rows["status"] = np.where(kind == 2, 201, 200)
    rows["status"][draw.random(count) < fails * (waits_ms > 300)] = 503
    is_throttled = draw.random(count) < throttled
    rows["status"][is_throttled] = 429
    rows["flags"][is_throttled] = FLAG_RETRY_AFTER
    rows["error"][rows["status"] == 503] = 5
    rows["ending"] = np.where(rows["status"] < 400, ENDED_WELL, ENDED_BY_STATUS)
    rows["body_crc"] = draw.integers(1, 2**32, count)
    seconds = np.arange(1, lasts_s + DRAIN_S + 1)
    users = sum(plan.users.values())
    times_s = {"started": 0, "spawned": RAMP_S, "steady": RAMP_S + WARMUP_S, "stopping": lasts_s}
    times_s["ended"] = lasts_s + DRAIN_S
    return Recording(
        samples=rows,
        strings=strings,
        marks=tuple(
            Mark(name=name, wall_s=BEGUN_S + at, monotonic_s=float(at)) for name, at in times_s.items()
        ),
        readings=tuple(make_reading(draw, second, users) for second in seconds),
        machine=tuple(make_machine(draw, second) for second in seconds),
        totals=count_totals(rows, strings),
        probes=tuple(
            each for second in seconds for each in make_probes(draw, second, is_full=second > late_s)
        ),
    )


def make_reading(draw, second, users):
    running = int(min(second / RAMP_S, 1) * users)
    return Reading(
        wall_s=BEGUN_S + second,
        monotonic_s=float(second),
        users={"ShopUser": running},
        ready=running,
        cpu_percent=float(18 + draw.normal(0, 2)),
        lag_ms=2.0,
        memory_bytes=70_000_000 + int(second) * 20_000,
    )


def make_machine(draw, second):
    busy = float(52 + draw.normal(0, 5))
    return make_machine_reading(
        BEGUN_S + second,
        host_cpu_percent=busy / 2,
        load_average=1.2,
        service_cpu_percent=busy,
        service_busiest_percent=busy * 0.8,
        service_memory_bytes=120_000_000 + int(second) * 100_000,
    )


def make_probes(draw, second, *, is_full):
    at = {"wall_s": BEGUN_S + second, "took_ms": 2.0}
    in_use = 5.0 if is_full else float(draw.integers(1, 4))
    active = 1.0 if is_full else float(draw.integers(0, 3))
    yield ProbeReading(
        probe="service",
        values={"pool_size": 5.0, "pool_in_use": in_use, "pool_waiting": 60.0 * is_full},
        **at,
    )
    yield ProbeReading(
        probe="postgres",
        values={
            "connections_active": active,
            "on_cpu": active * 0.5,
            "waiting_lock": 0.0,
            "connections_idle_in_transaction": 4.0 * is_full,
            "commits": 70.0 * second,
        },
        **at,
    )
    yield ProbeReading(probe="redis", values={"commands": 240.0 * second}, **at)


LIMITS = {"all": {"p50": "200ms", "p95": "300ms", "p99": "500ms", "failures": "1%", "rate": "50/s"}}
KEPT = {"limits": LIMITS | {"POST /orders": {"p95": "300ms"}}}
TOLERANCES = {"limits": LIMITS, "regression": {"p50": "10%", "p95": "20%", "rate": "5%"}}
SIDES = {"head": {"seed": 2}, "duet-base": {"seed": 3, "rate": 60.0}}


@cache
def runs() -> dict[str, tuple[Report, RunTimeline]]:
    """One run for each thing that a page has to show well."""
    return {
        "pass": make_run(
            ("checkout", KEPT, {"head": {}}), ("browse-catalogue", KEPT, {"head": {"seed": 5, "rate": 120.0}})
        ),
        "fail": make_run(
            ("checkout", KEPT, {"head": {"full_from_s": 30, "fails": 0.3}}),
            ("browse-catalogue", KEPT, {"head": {"seed": 5}}),
        ),
        "invalid": make_run(("checkout", KEPT, {"head": {"throttled": 0.12}})),
        "compared": make_run(
            ("checkout", TOLERANCES, {**SIDES, "duet-head": {"seed": 4, "rate": 60.0, "slower": 1.4}})
        ),
        "hostile": make_hostile(),
    }


def make_hostile():
    """Every text that evidence can bring is an attempt to break out."""
    strings = ("", HOSTILE, *(f"GET /{number}{HOSTILE}" for number in range(3)), HOSTILE * 3)
    report, timeline = make_run(
        ("checkout", {"limits": LIMITS}, {"head": {"full_from_s": 20, "fails": 0.5, "strings": strings}})
    )
    (scenario,), (drawn,) = report.verdict.scenarios, timeline.scenarios
    series = drawn.recordings["head"].series
    hostile_users = {**series, "users": {HOSTILE: series["users"]["ShopUser"]}}
    recording = msgspec.structs.replace(drawn.recordings["head"], series=hostile_users)
    drawn = msgspec.structs.replace(drawn, scenario=HOSTILE, recordings={"head": recording})
    verdict = msgspec.structs.replace(
        report.verdict,
        scenarios=(msgspec.structs.replace(scenario, name=HOSTILE),),
        profile=HOSTILE,
        started_at=HOSTILE,
        thresholds_file=HOSTILE,
        ci_gate_version=HOSTILE,
        git={HOSTILE: HOSTILE},
    )
    hostile = Report(verdict=verdict, run_url=f"javascript:{HOSTILE}")
    return hostile, msgspec.structs.replace(timeline, scenarios=(drawn,))
