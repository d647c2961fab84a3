"""Evidence for a diagnosis: what the gauges read, in keywords, over a steady phase of ten seconds."""

from __future__ import annotations

import numpy as np

from ci_gate.evidence.readings import ProbeReading, Reading, StatementReading, StatementTotal
from ci_gate.evidence.recording import HEAD
from ci_gate.judge.diagnosis.bottleneck import ScenarioContext, diagnose
from ci_gate.judge.limits import LimitResult
from ci_gate.judge.steady import classify
from ci_gate.thresholds import parse_thresholds
from tests.judge.evidence_values import make_machine_reading
from tests.judge.recordings import BEGIN_S, DURATION_S, make_recording, make_rows

SECONDS = tuple(BEGIN_S + second for second in np.arange(0.5, DURATION_S))
THRESHOLDS = """
schema: 1
service: {command: "shop --port {port}"}
profiles: {short: {duration: 10s}}
scenarios:
  shop: {locustfile: shop.py, users: {Visitor: 5}, spawn_rate: 5, limits: {all: {p95: 200ms}}}
"""
IDLE_POOL = {"pool_size": 5, "pool_in_use": 0.5, "pool_waiting": 0}
FULL_POOL = {"pool_size": 5, "pool_in_use": 5, "pool_waiting": 40}
IDLE_DATABASE = {"connections_active": 0.5, "connections_idle_in_transaction": 0, "on_cpu": 0.4}
COUNTERS = {
    "commits",
    "rollbacks",
    "deadlocks",
    "blocks_read",
    "blocks_hit",
    "cpu_s",
    "evicted_keys",
    "hits",
    "misses",
    "commands",
    "pool_waits",
    "pool_wait_seconds",
    "pool_timeouts",
    "statements",
    "statement_calls",
    "throttled",
    "requests",
}


def make_probe(probe, values):
    """Gauges as given in each second; counters rise by what is given each second."""
    return tuple(
        ProbeReading(
            wall_s=at,
            probe=probe,
            took_ms=1.0,
            values={
                name: value * (number + 1) if name in COUNTERS else value for name, value in values.items()
            },
        )
        for number, at in enumerate(SECONDS)
    )


def make_machine(cpu, busiest, host, overflows=None, **more):
    """CPU in percent, of one core; ``host`` of all cores; ``overflows`` of a listen queue in a second."""
    return tuple(
        make_machine_reading(
            at,
            host_cpu_percent=host,
            service_cpu_percent=cpu,
            service_busiest_percent=cpu if busiest is None else busiest,
            service_listen_overflows=None if overflows is None else 7 + number * overflows,
            **more,
        )
        for number, at in enumerate(SECONDS)
    )


def make_evidence(
    *,
    in_flight=50.0,
    rate=100,
    rows=None,
    cpu=20.0,
    busiest=None,
    host=40.0,
    waited=0.0,
    queue=None,
    overflows=0,
    machine=None,
    generator=20.0,
    lag=2.0,
    mean_lag=None,
    pool=IDLE_POOL,
    database=IDLE_DATABASE,
    redis=None,
    statements=(),
    **changes,
):
    """A recording whose requests, ``rate`` a second, are so slow that ``in_flight`` of them overlap."""
    probes = (
        *(make_probe("service", pool) if pool else ()),
        *(make_probe("postgres", database) if database else ()),
        *(make_probe("redis", redis) if redis else ()),
    )
    if rows is None:
        # Some began before the steady phase, so that as many are in flight at its first moment.
        time_s = in_flight / rate
        rows = make_rows(2, [1000 * time_s] * int(rate * DURATION_S))
        before = make_rows(2, [1000 * time_s] * round(in_flight))
        before["start_s"] = before["intended_s"] = BEGIN_S - time_s * (np.arange(len(before)) + 0.5) / max(
            len(before), 1
        )
        rows = np.concatenate([before, rows])
    listen = {
        "service_listen_queue": queue,
        "service_accepting": 2 if queue else None,
        "overflows": None if queue is None else overflows,
    }
    readings = tuple(
        Reading(
            wall_s=at,
            monotonic_s=at,
            users={"Visitor": 5},
            ready=5,
            cpu_percent=generator,
            lag_ms=lag,
            mean_lag_ms=mean_lag,
            memory_bytes=1,
        )
        for at in SECONDS
    )
    return make_recording(
        rows,
        readings=readings,
        machine=make_machine(cpu, busiest, host, **{"service_waited_s": waited, **listen})
        if machine is None
        else machine,
        probes=probes,
        statements=tuple(statements),
        **changes,
    )


def make_statements(*totals):
    """A reading at the end of the steady phase; each total is a query, its calls and its ms."""
    made = tuple(StatementTotal(query=query, calls=calls, total_ms=ms) for query, calls, ms in totals)
    return StatementReading(wall_s=BEGIN_S + DURATION_S, statements=made)


def make_limit(metric="p95", outcome="FAIL"):
    return LimitResult(
        endpoint="all",
        metric=metric,
        bound=200.0,
        text="200ms",
        line=6,
        measured=500.0,
        samples=1000,
        needed=200,
        outcome=outcome,
    )


def make_circumstances(*, is_slow=True, failure="", host_cores=4, **changes):
    thresholds = parse_thresholds(THRESHOLDS, "thresholds.yaml")
    values = {
        "scenario": thresholds.scenarios[0],
        "limits": (make_limit(outcome="FAIL" if is_slow else "PASS"),),
        "comparison": None,
        "failure": failure,
        "host_cores": host_cores,
        "memory_bytes": None,
    }
    return ScenarioContext(**{**values, **changes})


def diagnose_head(recording, *, others=None, **circumstances):
    recordings = {**({} if recording is None else {HEAD: recording}), **(others or {})}
    classified = {name: classify(each, ()) for name, each in recordings.items()}
    return diagnose(make_circumstances(**circumstances), classified)


def codes(diagnosis):
    return [cause.code for cause in diagnosis.causes]
