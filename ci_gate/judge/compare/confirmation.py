"""What would block is compared again, from fresh starts: both together decide. See docs/comparison.md."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from ci_gate.evidence.recording import CONFIRM, DUET_BASE, DUET_HEAD, RecordingPlan
from ci_gate.judge.compare.comparison import Answer, Change, Comparison, judge_answers, settle
from ci_gate.judge.compare.duet import (
    Confirmation,
    DuetVerdict,
    StartChange,
    check_sides,
    find_common,
    find_reached,
    judge_duet,
    measure_at,
    weigh,
    without_duet,
)
from ci_gate.judge.compare.interim import InterimAnalysis
from ci_gate.judge.compare.pooling import pool_effects
from ci_gate.judge.compare.scatter import choose_scatter, find_taken
from ci_gate.judge.compare.windows import Effect
from ci_gate.judge.compare.worsening import exceeds, judge_change
from ci_gate.judge.log_ends import shorten_failure
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.steady import ClassifiedRecording
from ci_gate.judge.validity.findings import Rule
from ci_gate.judge.validity.rules import RULES
from ci_gate.thresholds import Compare, Scenario

_Sides = tuple[ClassifiedRecording, ClassifiedRecording]
_Plans = tuple[RecordingPlan, RecordingPlan]
_Question = tuple[str, str]

MIN_OF_EACH: Final = 0.5
"""Of the tolerance: what one of two starts shows less of is not confirmed, however much the other shows."""


def judge_planned_duet(
    scenario: Scenario,
    settings: Compare,
    plans: Mapping[str, RecordingPlan],
    recordings: Mapping[str, ClassifiedRecording],
    failures: tuple[str | None, str | None],
    rules: tuple[Rule, ...] = RULES,
) -> DuetVerdict:
    """The verdict on the duet that ``plans`` ask for. ``plans`` and ``recordings`` are by recording.

    ``failures`` are why the first start, and the second, were not measured to their ends.
    """
    failure, second_failure = failures
    sides = _find_sides(recordings, (DUET_BASE, DUET_HEAD))
    if failure or sides is None:
        return without_duet(settings, failure or "base and head were to be compared, and were not measured")
    both = plans[DUET_BASE], plans[DUET_HEAD]
    first = judge_duet(scenario, settings, both, sides, rules)
    # Evidence that is older, or of thresholds that asked for no second start, is judged by the first.
    if first.outcome != Outcome.FAIL or not settings.confirm or not all(name in plans for name in CONFIRM):
        return first
    again = _find_sides(recordings, CONFIRM)
    if second_failure or again is None:
        return _keep(first, second_failure or "it was not measured")
    second_plans = plans[CONFIRM[0]], plans[CONFIRM[1]]
    return _confirm(scenario, settings, first, (both, second_plans), (sides, again), rules)


def _find_sides(recordings: Mapping[str, ClassifiedRecording], names: tuple[str, str]) -> _Sides | None:
    base, head = map(recordings.get, names)
    return (base, head) if base and head else None


def _confirm(
    scenario: Scenario,
    settings: Compare,
    first: DuetVerdict,
    plans: tuple[_Plans, _Plans],
    sides: tuple[_Sides, _Sides],
    rules: tuple[Rule, ...],
) -> DuetVerdict:
    """The verdict on both starts together; the first's where the second cannot be trusted.

    A head that breaks down on a second start does not take back by that what the first has shown.
    """
    doubts = [each for each in check_sides(scenario, plans[1], sides[1], rules) if each.severity == "invalid"]
    if doubts:
        return _keep(first, f"{doubts[0].about}: {doubts[0].message}")
    interim = _plan_second(first, plans[1], sides[1], settings)
    if interim is None:
        return _keep(first, f"it did not last as long as the first, {first.duration_s:.0f} s")
    answers = [
        _measure(InterimAnalysis(duration_s=first.duration_s, share=1.0), sides[0], scenario),
        _measure(interim, sides[1], scenario),
    ]
    return judge_both(first, answers, settings, find_taken((*sides[0], *sides[1])))


def judge_both(
    first: DuetVerdict, answers: Sequence[Sequence[Answer]], settings: Compare, taken: float | None
) -> DuetVerdict:
    """The first start's verdict, with what either it or both starts together call worse as both show it.

    ``answers`` are of each start, ``taken`` is the share of the machine that others had. What was not worse
    is not asked again. The first decides where what it calls worse could not be compared on the second.
    """
    # The whole of alpha: the first start has to fail too, and by itself spends less at each of its analyses.
    whole = InterimAnalysis(duration_s=first.duration_s, share=1.0)
    of_starts = [{answer.question: answer for answer in each} for each in answers]
    together = judge_answers(tuple(_pool(of_starts, settings, taken)), whole, settings.alpha)
    pooled = _by_question(together.changes)
    alone = [_by_question(judge_answers(each, whole, settings.alpha).changes) for each in answers]
    failed = [question for question, change in _by_question(first.changes).items() if _fails(change)]
    if missing := [question for question in failed if question not in pooled]:
        return _keep(first, f"{' '.join(missing[0])} could not be compared again")
    asked = dict.fromkeys([*failed, *(question for question, change in pooled.items() if _fails(change))])
    starts = {
        question: StartChange(
            endpoint=question[0],
            metric=question[1],
            first=alone[0][question].change,
            second=alone[1][question].change,
        )
        for question in asked
    }
    changes = {
        **_by_question(first.changes),
        **{question: _agree(pooled[question], starts[question]) for question in asked},
    }
    comparison = Comparison(changes=tuple(changes.values()), not_compared=first.not_compared)
    return msgspec.structs.replace(
        first,
        outcome=weigh(first.findings, settle(comparison)),
        changes=comparison.changes,
        confirmation=Confirmation(starts=tuple(starts.values())),
    )


def _agree(change: Change, start: StartChange) -> Change:
    """The change; not real unless each start alone shows enough of it, for one may have made the mean."""
    least = MIN_OF_EACH * change.tolerance
    if all(exceeds(change.metric, read, least) for read in (start.first, start.second)):
        return change
    change = msgspec.structs.replace(change, is_real=False)
    return msgspec.structs.replace(change, outcome=judge_change(change))


def _plan_second(
    first: DuetVerdict, plans: _Plans, sides: _Sides, settings: Compare
) -> InterimAnalysis | None:
    """The one analysis of the second start: after as long as the first took; None where it ended before.

    Under a shape, of all of it.
    """
    if plans[0].shape is not None:
        return next(iter(find_reached(plans[0], sides, settings)), None)
    _, lasted_s = find_common(tuple(each.steady for each in sides))
    is_reached = lasted_s >= first.duration_s
    return InterimAnalysis(duration_s=first.duration_s, share=1.0) if is_reached else None


def _measure(interim: InterimAnalysis, sides: _Sides, scenario: Scenario) -> tuple[Answer, ...]:
    steady = tuple(each.steady for each in sides)
    return measure_at(interim, find_common(steady)[0], steady, scenario)


def _by_question(changes: Sequence[Change]) -> dict[_Question, Change]:
    return {(each.endpoint, each.metric): each for each in changes}


def _fails(change: Change) -> bool:
    return change.outcome == Outcome.FAIL


def _pool(
    answers: Sequence[Mapping[_Question, Answer]], settings: Compare, taken: float | None
) -> Iterator[Answer]:
    """Of each question that both starts answer, the effect of both together."""
    for question, answer in answers[0].items():
        effects = [of[question].effect for of in answers if question in of]
        measured = [effect for effect in effects if isinstance(effect, Effect)]
        if len(measured) == len(answers):
            pooled = pool_effects(measured, answer.metric, choose_scatter(answer.metric, settings, taken))
            yield dataclasses.replace(answer, effect=pooled)


def _keep(first: DuetVerdict, failure: str) -> DuetVerdict:
    return msgspec.structs.replace(
        first, confirmation=Confirmation(starts=(), failure=shorten_failure(failure))
    )
