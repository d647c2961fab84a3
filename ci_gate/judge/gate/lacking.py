"""What thresholds.yaml names and a verdict lacks: it was not measured, whatever the verdict says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from ci_gate.judge.outcome import Outcome
from ci_gate.judge.validity.run_findings import LEFT_OUT, note_left_out
from ci_gate.judge.verdict import Verdict, mark_invalid
from ci_gate.thresholds import Scenario, Thresholds


def demand_all(verdict: Verdict, thresholds: Thresholds, names: Sequence[str] = ()) -> Verdict:
    """The verdict, INVALID where it lacks a scenario, a limit or a comparison that ``thresholds`` names.

    Of the scenarios ``names``, or of all; others are noted. ``thresholds`` also says if INCONCLUSIVE blocks.
    """
    wanted = [each for each in thresholds.scenarios if not names or each.name in names]
    lacking = [what for scenario in wanted for what in _find_lacking(scenario, verdict)]
    if lacking:
        verdict = mark_invalid(
            verdict, f"the verdict lacks what {thresholds.file} names: {', '.join(lacking)}"
        )
    left_out = [each.name for each in thresholds.scenarios if each not in wanted]
    if left_out and not _says_left_out(verdict):
        findings = (*verdict.findings, note_left_out(left_out))
        verdict = msgspec.structs.replace(verdict, findings=findings)
    blocks = verdict.outcome == Outcome.INCONCLUSIVE and thresholds.on_inconclusive == "block"
    return msgspec.structs.replace(verdict, blocks=verdict.blocks or blocks)


def list_measured(verdict: Verdict) -> tuple[str, ...]:
    """The scenarios that a run of our own was for, where it says that others were left out; else ()."""
    return tuple(scenario.name for scenario in verdict.scenarios) if _says_left_out(verdict) else ()


def _says_left_out(verdict: Verdict) -> bool:
    return any(finding.code == LEFT_OUT for finding in verdict.findings)


def _find_lacking(scenario: Scenario, verdict: Verdict) -> Iterator[str]:
    found = next((each for each in verdict.scenarios if each.name == scenario.name), None)
    if found is None:
        yield f"scenario {scenario.name}"
        return
    if found.outcome.blocks:
        return  # it blocks already, and may have no limits because nothing was measured
    limits = {(limit.endpoint, limit.metric) for limit in found.limits}
    for limit in scenario.limits:
        if (limit.endpoint, limit.metric.name) not in limits:
            yield f"{scenario.name}: {limit.endpoint} {limit.metric}"
    if scenario.regression and verdict.git.get("base") and found.comparison is None:
        yield f"{scenario.name}: comparison with base"
