"""Judges a scenario that is drawn in the notation."""

from __future__ import annotations

from ci_gate.judge.validity.rules import RULES
from ci_gate.judge.verdict import judge_scenario
from tests.judge.evidence_notation import draw


def judge_lines(lines, rules=RULES):
    evidence = draw(lines)
    return judge_scenario(evidence.scenario, evidence.plan, evidence.classified, rules)
