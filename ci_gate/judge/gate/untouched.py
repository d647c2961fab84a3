"""The verdict on a change that touches nothing of what is measured: green, with a note that says so."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ci_gate.judge.gate.mistakes import make_empty_verdict
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.validity.findings import Finding
from ci_gate.judge.validity.run_findings import UNTOUCHED
from ci_gate.judge.verdict import Verdict, mark_invalid


def make_untouched_verdict(thresholds_file: str, ci_gate_version: str, paths: Sequence[str]) -> Verdict:
    """PASS without a scenario. ``paths`` are those in which nothing has changed."""
    note = Finding(
        code=UNTOUCHED,
        severity="info",
        subject="run",
        message=f"nothing was measured: the change touches none of {', '.join(paths)}",
        remedy="if it can make the service slower all the same, name that path too (the input paths)",
    )
    verdict = make_empty_verdict(thresholds_file, ci_gate_version, note)
    return msgspec.structs.replace(verdict, outcome=Outcome.PASS, blocks=False)


def mark_touched(verdict: Verdict) -> Verdict:
    """The same, INVALID, for what decides differs from base."""
    why = (
        "nothing was measured, though thresholds.yaml, a locustfile's folder or a workflow differs from base"
    )
    return mark_invalid(verdict, why)


def is_of_untouched(verdict: Verdict) -> bool:
    """Whether it says that nothing was to be measured."""
    return not verdict.scenarios and any(finding.code == UNTOUCHED for finding in verdict.findings)
