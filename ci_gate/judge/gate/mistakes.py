"""Mistakes in what a run is to measure by, as a verdict: nothing can be measured until they are fixed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ci_gate.errors import Problem
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.validity.findings import Finding
from ci_gate.judge.verdict import VERDICT_SCHEMA, Verdict, invalidate

BAD_INPUT: Final = "bad-input"


def add_mistakes(verdict: Verdict, problems: Iterable[Problem]) -> Verdict:
    """The verdict with a finding for each problem, before all others; INVALID if there is one.

    What nobody could measure because of them is not repeated.
    """
    found = tuple(dict.fromkeys(map(_make_finding, problems)))
    if not found:
        return verdict
    consequences = () if verdict.scenarios else ("nothing-measured", "job-not-successful")
    others = (each for each in verdict.findings if each not in found and each.code not in consequences)
    return invalidate(verdict, (*found, *others))


def make_empty_verdict(thresholds_file: str, ci_gate_version: str, *findings: Finding) -> Verdict:
    """Of a run that left nothing: INVALID, for no scenario was measured."""
    return Verdict(
        schema=VERDICT_SCHEMA,
        ci_gate_version=ci_gate_version,
        outcome=Outcome.INVALID,
        blocks=True,
        profile="",
        started_at="",
        thresholds_file=thresholds_file,
        thresholds_sha256="",
        git={},
        scenarios=(),
        findings=findings,
    )


def _make_finding(problem: Problem) -> Finding:
    place = f"{problem.file}:{problem.line}:{problem.column}" if problem.line else problem.file
    return Finding(
        code=BAD_INPUT,
        severity="invalid",
        subject=place or "plan",
        message=problem.message,
        remedy=f"use {problem.allowed}" if problem.allowed else "fix it, and push again",
    )
