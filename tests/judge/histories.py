"""Histories in a few words: a figure for each commit, and what else is known of it."""

from __future__ import annotations

import hashlib

import msgspec

from ci_gate.evidence.environment import Environment
from ci_gate.judge.history.record import RunRecord, ScenarioRecord, join_runs

EPYC = Environment(
    cpu_model="AMD EPYC 7763 64-Core Processor",
    cpus=4,
    memory_bytes=16_766_550_016,
    machine="x86_64",
    kernel="6.11.0-1018-azure",
    image="ubuntu24",
    image_version="20261110.1.0",
    python="3.12.3",
    locust="2.40.0",
)
XEON = msgspec.structs.replace(EPYC, cpu_model="Intel Xeon Platinum 8370C")


def name_commit(number):
    """The commit with this number, from 0; none for a negative one."""
    return hashlib.sha1(f"commit {number}".encode()).hexdigest() if number >= 0 else ""


def make_run(number, figures, *, changes=None, environment=EPYC, users=100, scenario="checkout", **more):
    """The run of commit ``number``, against the commit before it."""
    record = ScenarioRecord(
        name=scenario, users=users, environment=environment, figures=figures, changes=changes or {}
    )
    values = {
        "commit": name_commit(number),
        "base": name_commit(number - 1),
        "position": number + 1,
        "started_at": f"2026-{1 + number // 28:02}-{1 + number % 28:02}T10:00:00+00:00",
        "profile": "full",
        "ci_gate_version": "0.1.0",
        "scenarios": (record,),
    }
    return RunRecord(**(values | more))


def make_history(values, metric="p95", *, environments=None, **more):
    """A run for each of ``values``, None for a commit that was not measured; ``environments`` by commit."""
    environments = environments or [EPYC] * len(values)
    return join_runs(
        make_run(number, {metric: float(value)}, environment=environment, **more)
        for number, (value, environment) in enumerate(zip(values, environments, strict=True))
        if value is not None
    )
