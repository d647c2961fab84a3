from __future__ import annotations

import msgspec

from ci_gate.judge.steady import classify
from ci_gate.judge.validity.probe_rules import PROBE_RULES
from ci_gate.judge.verdict import judge_scenario
from tests.judge.evidence_notation import HEALTHY, draw


def judge_every(nth):
    """A probe of which only every ``nth`` reading is there, all of them good."""
    evidence = draw(f"{HEALTHY}\nprobe service fails at 99-99 s: never")
    recording = msgspec.structs.replace(evidence.recording, probes=evidence.recording.probes[::nth])
    return judge_scenario(evidence.scenario, evidence.plan, classify(recording, ()), PROBE_RULES)


def test_slow_probe__fails_without_an_error():
    (finding,) = judge_every(3).findings
    assert finding.message == "read 6 times in the 20 s of the steady phase; replies took too long"
    assert judge_every(2).findings == ()


def test_failed_probe__changes_no_verdict():
    assert judge_every(3).outcome == judge_every(1).outcome == "PASS"
