"""What a run came to in one sentence, and what that means for the merge."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from ci_gate.judge.gate.mistakes import BAD_INPUT
from ci_gate.judge.outcome import WORST_FIRST, Outcome
from ci_gate.judge.validity.findings import Finding
from ci_gate.judge.validity.run_findings import UNTOUCHED
from ci_gate.judge.verdict import ScenarioVerdict
from ci_gate.report.against_base import find_missing
from ci_gate.report.escape import MAX_NAME_LENGTH, clean
from ci_gate.report.explain import list_blocking
from ci_gate.report.report import Report
from ci_gate.wording import count

_MAX_STATUS_LENGTH: Final = 140
_MAX_CAUSE_LENGTH: Final = 90


def summarise_in_a_sentence(report: Report) -> str:
    """The headline as plain text, at most 140 characters, for a commit status."""
    return clean(f"{report.outcome}: {summarise(report)}", _MAX_STATUS_LENGTH)


def summarise(report: Report) -> str:
    """The headline without its outcome, as plain text that is not cleaned yet."""
    outcome = report.verdict.outcome
    scenarios = sorted(report.verdict.scenarios, key=lambda each: WORST_FIRST.index(each.outcome))
    if report.is_unapproved and outcome == Outcome.PASS:
        return "thresholds are loosened without approval"
    if not scenarios:
        return _explain_nothing(report.verdict.findings)
    if outcome == Outcome.PASS:
        return _summarise_pass(scenarios)
    texts = {
        Outcome.FAIL: _summarise_fail(scenarios),
        Outcome.INVALID: f"could not be judged{_find_cause(scenarios) if outcome == Outcome.INVALID else ''}",
        Outcome.INCONCLUSIVE: _explain_inconclusive(scenarios),
    }
    parts = [f"{who} {what}" for each, what in texts.items() if (who := _name_those(scenarios, each))]
    why = next((f": {each.message}" for each in list_blocking(report.verdict.findings)), "")
    return ", ".join(parts) or f"the run could not be judged{why}"


def _summarise_pass(scenarios: Sequence[ScenarioVerdict]) -> str:
    limits = sum(len(scenario.limits) for scenario in scenarios)
    kept = "its only limit" if limits == 1 else f"all {limits:,} limits"
    summary = f"{count(len(scenarios), 'scenario')} kept {kept}"
    compared = sum(bool(scenario.comparison and scenario.comparison.changes) for scenario in scenarios)
    if not compared:
        return summary
    which = "none" if compared == len(scenarios) else f"none of {compared} compared is"
    return f"{summary}, {'not' if len(scenarios) == 1 else which} worse than base"


def _summarise_fail(scenarios: Sequence[ScenarioVerdict]) -> str:
    breaches = sum(len(scenario.breaches) for scenario in scenarios)
    worse = sum(
        change.outcome == Outcome.FAIL
        for scenario in scenarios
        for change in (scenario.comparison.changes if scenario.comparison else ())
    )
    parts = [f"broke {count(breaches, 'limit')}"] * bool(breaches)
    parts += [f"became worse than base in {count(worse, 'figure')}"] * bool(worse)
    return " and ".join(parts) or "failed, but no limit is named"


def _find_cause(scenarios: Sequence[ScenarioVerdict]) -> str:
    """Why those that are INVALID are, where it is the same for all of them; else empty."""
    causes = {
        next((each.message for each in list_blocking(scenario.findings)), "")
        for scenario in scenarios
        if scenario.outcome == Outcome.INVALID
    }
    cause = re.split(r"; |, and ", causes.pop())[0] if len(causes) == 1 else ""
    return f": {clean(cause, _MAX_CAUSE_LENGTH)}" if cause else ""


def _explain_inconclusive(scenarios: Sequence[ScenarioVerdict]) -> str:
    why = find_missing(each.comparison for each in scenarios if each.outcome == Outcome.INCONCLUSIVE)
    return (
        f"had no comparison with base ({why})" if why else "may be worse than base: this run could not tell"
    )


def _explain_nothing(findings: Sequence[Finding]) -> str:
    """Why there is no scenario."""
    blocking = list_blocking(findings)
    if not blocking:
        untouched = (finding.message for finding in findings if finding.code == UNTOUCHED)
        return next(untouched, "the run could not be judged")
    mistakes = [finding for finding in blocking if finding.code == BAD_INPUT]
    if len(mistakes) > 1:
        return f"nothing was measured, for {len(mistakes):,} mistakes, the first at {mistakes[0].subject}"
    return f"{blocking[0].about}: {blocking[0].message}" if mistakes else blocking[0].message


def _name_those(scenarios: Sequence[ScenarioVerdict], outcome: Outcome) -> str:
    """The one scenario with this outcome, or how many; empty for none."""
    names = [scenario.name for scenario in scenarios if scenario.outcome == outcome]
    if len(names) == 1:
        return clean(names[0], MAX_NAME_LENGTH)
    return count(len(names), "scenario") if names else ""


def explain_effect(report: Report) -> str:
    """What INVALID and INCONCLUSIVE mean for the merge, and what to do; empty where the headline says it."""
    verdict = report.verdict
    if report.is_unapproved or report.outcome in {Outcome.PASS, Outcome.FAIL}:
        return ""
    if report.outcome == Outcome.INCONCLUSIVE:
        effect = "It blocks the merge" if verdict.blocks else "It does not block the merge"
        setting = f"on_inconclusive: {'block' if verdict.blocks else 'warn'}"
        return f"No limit is broken. {effect} ({setting}). Run it again, or give it what would decide it."
    if any(finding.code == BAD_INPUT for finding in verdict.findings):
        return "Nothing was measured, so it blocks the merge. Fix what is listed, and push."
    return (
        "The run shows neither that this change is good nor that it is bad, so it blocks the merge. "
        "Fix what is listed, and run it again."
    )
