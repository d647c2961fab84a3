"""A verdict that is published again for an event that changes nothing of what is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from ci_gate.judge.gate.merging import NOT_MEASURED, merge_verdicts
from ci_gate.judge.gate.untouched import is_of_untouched
from ci_gate.judge.occasion import Occasion
from ci_gate.judge.validity.findings import Finding
from ci_gate.judge.verdict import Verdict

_REPEATED = "measured-before"
_PLAN = "plan"


def explain_misfit(verdict: Verdict, occasion: Occasion, scenarios: Sequence[str]) -> str:
    """Why a verdict cannot stand for a new event of the same head; empty where it can."""
    of = verdict.occasion
    if of is None:
        return "it does not say what it was measured for"
    if (of.event, of.pull_number, of.head_sha) != (occasion.event, occasion.pull_number, occasion.head_sha):
        return "it is of another pull request or commit"
    if of.base_ref != occasion.base_ref:
        return f"it was measured for the base branch {of.base_ref}"
    names = sorted(scenario.name for scenario in verdict.scenarios)
    if names != sorted(scenarios) and not is_of_untouched(verdict):
        return "it is on other scenarios"
    codes = [finding.code for scenario in verdict.scenarios for finding in scenario.findings]
    if NOT_MEASURED in codes or any(finding.severity == "invalid" for finding in verdict.findings):
        return "its measurement was not completed"
    return ""


def repeat_verdict(
    verdict: Verdict, occasion: Occasion | None, scenarios: Sequence[str], jobs: Mapping[str, str]
) -> Verdict:
    """The same, with a note that says who measured; INVALID where it does not fit what happened.

    ``jobs`` maps each job to how it ended: the plan succeeded, and what measures was skipped, nothing else.
    """
    why = explain_misfit(verdict, occasion, scenarios) if occasion else "this is no workflow"
    as_expected = {job: "success" if job == _PLAN else "skipped" for job in jobs}
    if why or dict(jobs) != as_expected or _PLAN not in jobs or verdict.occasion is None:
        unreadable = [f"the verdict of an earlier run: {why}"] if why else []
        return merge_verdicts(scenarios, [verdict], jobs=jobs, unreadable=unreadable, occasion=occasion)
    if is_of_untouched(verdict):
        return verdict
    note = Finding(
        code=_REPEATED,
        severity="info",
        subject="run",
        message=f"measured by run {verdict.occasion.run_id}; nothing that is measured has changed since",
        remedy="run all jobs again, to measure again",
    )
    kept = tuple(finding for finding in verdict.findings if finding.code != _REPEATED)
    return msgspec.structs.replace(verdict, findings=(*kept, note))
