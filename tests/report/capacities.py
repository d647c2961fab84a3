"""Capacity verdicts for tests of reports: judged from drawn evidence, with intervals of our choice."""

from __future__ import annotations

import msgspec

from ci_gate.judge.capacity.knee import Knee
from ci_gate.judge.capacity.scalability import CurvePoint, Scalability
from ci_gate.judge.capacity.step_windows import Estimate
from ci_gate.judge.capacity.verdict import CapacityVerdict, judge_capacity
from tests.judge.capacity_steps import KNEE, draw_steps

FOUND = Knee(
    load=Estimate(value=38.9, low=37.2, high=40.4),
    ceiling_per_s=Estimate(value=79.8, low=79.1, high=80.6),
    per_load_per_s=Estimate(value=2.05, low=1.98, high=2.11),
)
LAW = Scalability(
    lambda_per_s=Estimate(value=36.3, low=31.0, high=41.2),
    sigma=Estimate(value=0.44, low=0.37, high=0.52),
    kappa=Estimate(value=0.0, low=0.0, high=0.0004),
    peak_in_flight=None,
    in_flight=(0.5, 120.0),
    scatter=0.043,
    curve=tuple(
        CurvePoint(
            in_flight=number,
            load=load,
            rate_per_s=Estimate(value=rate, low=0.95 * rate, high=1.05 * rate),
        )
        for number, load, rate in (
            (0.5, 10.0, 20.0),
            (4.0, 40.0, 62.0),
            (40.0, 80.0, 78.0),
            (120.0, 160.0, 81.0),
        )
    ),
)


def judge_lines(lines, knee=FOUND, law=LAW, **changes) -> CapacityVerdict:
    verdict = judge_capacity(*draw_steps(lines, **changes))
    return msgspec.structs.replace(
        verdict,
        knee=verdict.knee if isinstance(verdict.knee, str) else knee,
        scalability=verdict.scalability if isinstance(verdict.scalability, str) else law,
    )


def capacities() -> dict[str, CapacityVerdict]:
    grows = {users: f"{40 * users} GET /items 200 5ms" for users in (5, 10, 20, 40)}
    return {
        "knee": judge_lines(KNEE),
        "peak": judge_lines(
            KNEE,
            law=msgspec.structs.replace(LAW, peak_in_flight=Estimate(value=300.0, low=200.0, high=700.0)),
        ),
        "at-least": judge_lines(grows),
        "generator": judge_lines({**grows, 80: "3200 GET /items 200 9ms\nreading 1-20 s cpu 99"}),
        "unfinished": judge_lines({10: KNEE[10]}, interrupted=True),
        "nothing": judge_lines({10: f"{KNEE[10]}\nno mark ended"}),
    }
