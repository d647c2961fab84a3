"""Evidence of `ci-gate capacity`, drawn in words: a step for each load."""

from __future__ import annotations

import msgspec

from ci_gate.evidence.recording import RUN_SCHEMA, STEP, RunInfo
from tests.judge.evidence_notation import draw

LIMITS = """
limit all p95 200ms
limit all failures 1%
"""
USUAL = "10 ShopUser\n600 GET /items 200 5ms"

KNEE = {  # 2 requests/s for each user, 80/s at most; 20 s each
    10: "400 GET /items 200 20-30ms",
    20: "800 GET /items 200 20-40ms",
    40: "1500 GET /items 200 30-80ms",
    80: "1600 GET /items 200 400-600ms",
    160: "1600 GET /items 200 1400-1600ms",
}


def draw_steps(lines, limits=LIMITS, more=(), **changes):
    """Thresholds, run and recordings; ``lines`` are what is seen by users, in the order of measurement."""
    thresholds = draw(f"{USUAL}\n{limits}").thresholds
    plans, recordings = [], {}
    for number, (users, text) in enumerate([*lines.items(), *more], 1):
        evidence = draw(f"{users} ShopUser\n{text}\n{limits}")
        name = STEP.format(number)
        plans.append(msgspec.structs.replace(evidence.plan, recording=name))
        recordings["shop", name] = evidence.recording
    values = {
        "schema": RUN_SCHEMA,
        "ci_gate_version": "1.0",
        "profile": "short",
        "started_at": "2026-01-02T03:04:05+00:00",
        "ended_at": "2026-01-02T03:14:05+00:00",
        "interrupted": False,
        "thresholds_file": "thresholds.yaml",
        "thresholds_text": thresholds.text,
        "recordings": tuple(plans),
        "failures": {},
        "host": {"cpus": "2"},
        "versions": {},
        "git": {"head": "0123456789abcdef"},
    }
    return thresholds, RunInfo(**{**values, **changes}), recordings
