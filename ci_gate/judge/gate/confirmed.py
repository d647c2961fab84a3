"""Comparisons that a job on a fresh runner has confirmed, or has not: what counts of what came back."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ci_gate.evidence.recording import CONFIRMED_LATER
from ci_gate.judge.compare.duet import Confirmation
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.verdict import ScenarioVerdict, Verdict


def list_unconfirmed(verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """The scenarios whose comparison would block, and is left to a fresh runner to confirm."""
    return tuple(each.name for verdict in verdicts for each in verdict.scenarios if _is_unconfirmed(each))


def take_confirmations(firsts: Sequence[Verdict], confirmed: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """The verdicts of the first starts; where one was to be confirmed, that of both starts in its place.

    ``confirmed`` are the verdicts that came back from the jobs that confirm. What did not come back, or is of
    another measurement (of an earlier attempt), takes nothing back: the first start then decides.
    """
    return tuple(_take_confirmation(first, confirmed) for first in firsts)


def _take_confirmation(first: Verdict, confirmed: Sequence[Verdict]) -> Verdict:
    names = list_unconfirmed([first])
    if not names:
        return first
    found = [each for each in confirmed if {*names} & {scenario.name for scenario in each.scenarios}]
    fitting = [each for each in found if _fits(first, each)]
    if len(fitting) == 1 and len(found) == 1:
        return fitting[0]
    why = "what came back from the fresh runner is of another measurement" if found else ""
    return _keep(first, why or "no second start came back from a fresh runner")


def _fits(first: Verdict, both: Verdict) -> bool:
    """Whether a verdict is of the same first start, and has a second: all else has to be the same."""
    if len(both.scenarios) != 1 or len(first.scenarios) != 1:
        return False
    (before,), (after,) = first.scenarios, both.scenarios
    if after.comparison is None or after.comparison.confirmation is None or _is_unconfirmed(after):
        return False
    same = msgspec.structs.replace(
        after,
        outcome=before.outcome,
        comparison=before.comparison,
        diagnosis=before.diagnosis,
        code=before.code,  # sampled where both starts are red
    )
    again = msgspec.structs.replace(
        both, scenarios=(same,), outcome=first.outcome, blocks=first.blocks, occasion=first.occasion
    )
    return again == first


def _is_unconfirmed(scenario: ScenarioVerdict) -> bool:
    comparison = scenario.comparison
    if comparison is None or comparison.outcome != Outcome.FAIL or comparison.confirmation is None:
        return False
    return comparison.confirmation.failure == CONFIRMED_LATER


def _keep(verdict: Verdict, why: str) -> Verdict:
    scenarios = tuple(_explain(each, why) if _is_unconfirmed(each) else each for each in verdict.scenarios)
    return msgspec.structs.replace(verdict, scenarios=scenarios)


def _explain(scenario: ScenarioVerdict, why: str) -> ScenarioVerdict:
    assert scenario.comparison is not None  # noqa: S101 - it is unconfirmed
    confirmation = Confirmation(starts=(), failure=why)
    comparison = msgspec.structs.replace(scenario.comparison, confirmation=confirmation)
    return msgspec.structs.replace(scenario, comparison=comparison)
