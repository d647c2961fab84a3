"""Is head worse than base? Decided on paired windows. The exact definition: docs/comparison.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import numpy as np

from ci_gate.evidence.ranges import Count, Quantity, Share, Value
from ci_gate.evidence.readings import StrictValue
from ci_gate.judge.compare.multiple_testing import holm_levels, weigh_endpoints
from ci_gate.judge.compare.resource_effects import measure_peak, measure_per_success
from ci_gate.judge.compare.windows import (
    MIN_BLOCK_S,
    MIN_BLOCKS,
    Effect,
    Phase,
    SideSamples,
    measure_failures,
    measure_percentile,
    measure_rate,
)
from ci_gate.judge.compare.worsening import exceeds, judge_change
from ci_gate.judge.outcome import Outcome, decide
from ci_gate.judge.quantiles import count_needed
from ci_gate.thresholds import ALL_ENDPOINTS, CPU, FAILURES, MEMORY, RATE, STATEMENTS, Metric, metric_of
from ci_gate.wording import format_exact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ci_gate.judge.compare.interim import InterimAnalysis

POWER: Final = 0.8
"""Probability with which a change of the minimum detectable size is shown to be real."""

Lacking = Literal["samples", "windows", "readings", "databases"]
_MAX_LOG: Final = 20.0  # a ratio beyond e**20 says no more, and would soon be no number


class Change(StrictValue, frozen=True):
    """What head changed in one metric of one endpoint.

    Shares: every change is head - base. All other metrics: head / base - 1. ``base`` and
    ``head`` are the plain figures of the phase; ``change`` is the paired estimate, which compares like with
    like and so need not be their ratio. ``low`` to ``high`` is the interval that excludes 0 where the change
    is real, after Holm and for this analysis. ``worst`` is the uncorrected bound on the worse side. ``mde``
    is the least worsening that this analysis would have shown to be real with probability `POWER`. What two
    starts decided together is real only where each of them shows enough of it.
    """

    endpoint: str
    metric: str
    base: Quantity
    head: Quantity
    change: Value
    low: Value
    high: Value
    worst: Value
    p_value: Share  # one-sided, in the direction of the change
    mde: Quantity
    tolerance: Quantity
    windows: Count
    is_real: bool
    outcome: Outcome

    def __post_init__(self) -> None:
        metric_of(self.metric)

    @property
    def leaves_open(self) -> bool:
        """Whether it keeps the run from passing.

        What is not known of all requests together does; of one endpoint, only if it looks worse than its
        tolerance: the few requests of a rare endpoint can hardly ever show that it is not.
        """
        is_decisive = self.endpoint == ALL_ENDPOINTS or exceeds(self.metric, self.change, self.tolerance)
        return self.outcome == Outcome.INCONCLUSIVE and is_decisive


class NotCompared(StrictValue, frozen=True):
    """A comparison asked for that the samples do not carry.

    ``lacking`` says of what: ``samples`` where a side has fewer than ``needed``, ``windows`` where the sides
    were not called at the same times, ``readings`` where what the service used was not read, ``databases``
    where both sides have the same one, or with ``cpu_of`` the same server, which works for both. The outcome
    is PASS only for an endpoint called too seldom on both sides to be compared within the longest duration:
    that must not keep every run from passing.
    """

    endpoint: str
    metric: str
    lacking: Lacking
    base_samples: Count
    head_samples: Count
    needed: Count
    outcome: Outcome

    def __post_init__(self) -> None:
        metric_of(self.metric)


class Comparison(StrictValue, frozen=True):
    """Everything that the tolerances ask for, each either compared or named as not compared."""

    changes: tuple[Change, ...]
    not_compared: tuple[NotCompared, ...]


def compare(
    base: SideSamples,
    head: SideSamples,
    *,
    endpoints: Sequence[str],
    tolerances: Mapping[str, float],
    phase: Phase,
    interim: InterimAnalysis,
    alpha: float,
) -> Comparison:
    """Compare head with base on everything that started within ``phase``.

    ``endpoints`` names the endpoint codes of the samples; ``tolerances`` maps metrics to how much worse head
    may be (0.1 is 10 %, for shares 10 points); ``alpha`` is the whole run's, ``interim`` says what of it is
    spent now. Raises ValueError where the phase is shorter than `MIN_BLOCKS` blocks.
    """
    answers = measure(base, head, endpoints=endpoints, tolerances=tolerances, phase=phase, interim=interim)
    return judge_answers(answers, interim, alpha)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was measured of one metric of one endpoint, or why it was not."""

    endpoint: str
    metric: Metric
    tolerance: float
    effect: Effect | NotCompared

    @property
    def question(self) -> tuple[str, str]:
        """Endpoint and name of the metric."""
        return self.endpoint, self.metric.name


def measure(
    base: SideSamples,
    head: SideSamples,
    *,
    endpoints: Sequence[str],
    tolerances: Mapping[str, float],
    phase: Phase,
    interim: InterimAnalysis,
) -> tuple[Answer, ...]:
    """An answer to every question, in their order. As `compare`, which judges them."""
    if phase.most_blocks < MIN_BLOCKS:
        raise ValueError(f"a comparison needs {format_exact(MIN_BLOCKS * MIN_BLOCK_S)} s of load at least")
    questions = _questions(base.within(phase), head.within(phase), endpoints, tolerances)
    return tuple(
        Answer(
            endpoint=question.endpoint,
            metric=question.metric,
            tolerance=question.tolerance,
            effect=question.measure(phase, interim),
        )
        for question in questions
    )


def judge_answers(answers: Sequence[Answer], interim: InterimAnalysis, alpha: float) -> Comparison:
    """Each effect at its share of ``alpha``, as far as this analysis may spend it."""
    effects = [(answer, answer.effect) for answer in answers if isinstance(answer.effect, Effect)]
    weights = weigh_endpoints([answer.endpoint for answer, _ in effects])
    needed = [interim.needed_alpha(effect.p_value) for _, effect in effects]
    levels = [interim.level(each) for each in holm_levels(needed, weights, alpha)]
    return Comparison(
        changes=tuple(
            _judge(answer, effect, level, alpha)
            for (answer, effect), level in zip(effects, levels, strict=True)
        ),
        not_compared=tuple(answer.effect for answer in answers if isinstance(answer.effect, NotCompared)),
    )


def settle(comparison: Comparison) -> Outcome:
    """FAIL on any breach, PASS when nothing is left open; INCONCLUSIVE goes on to the next one, if any."""
    deciding = (each for each in comparison.changes if each.outcome == Outcome.FAIL or each.leaves_open)
    parts = [each.outcome for each in deciding] + [each.outcome for each in comparison.not_compared]
    return decide(parts or [Outcome.PASS], is_shown=bool(comparison.changes), doubt=Outcome.INCONCLUSIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """One metric of one endpoint, with the requests that answer it."""

    endpoint: str
    metric: Metric
    tolerance: float
    base: SideSamples
    head: SideSamples

    @property
    def needed(self) -> int:
        return count_needed(self.metric.quantile)

    @property
    def samples(self) -> tuple[int, int]:
        """Successes of base and head; all requests where the metric is a share."""
        if self.metric.is_share:
            return self.base.success.size, self.head.success.size
        return int(self.base.success.sum()), int(self.head.success.sum())

    def measure(self, phase: Phase, interim: InterimAnalysis) -> Effect | NotCompared:
        if min(self.samples) < self.needed:
            return self._lack("samples", interim)
        quantile = self.metric.quantile
        if quantile is not None:
            return measure_percentile(self.base, self.head, quantile, phase) or self._lack("windows", interim)
        if self.metric.is_resource:
            return self._measure_resource(phase, interim)
        measure = {RATE: measure_rate, FAILURES: measure_failures}[self.metric]
        return measure(self.base, self.head, phase)

    def _measure_resource(self, phase: Phase, interim: InterimAnalysis) -> Effect | NotCompared:
        if self._shares_database():
            return self._lack("databases", interim)
        if self.metric == MEMORY:
            effect = measure_peak(self.base, self.head, phase)
        else:
            effect = measure_per_success(self.base, self.head, self.metric, phase)
        return effect or self._lack("readings", interim)

    def _shares_database(self) -> bool:
        """Whether what is counted of a database or its server is of both sides."""
        base, head = self.base.resources, self.head.resources
        if self.metric == CPU:
            return base.server_started_s is not None and base.server_started_s == head.server_started_s
        return self.metric == STATEMENTS and base.database is not None and base.database == head.database

    def _lack(self, what: Lacking, interim: InterimAnalysis) -> NotCompared:
        fewer, more = sorted(self.samples)
        may_come = fewer >= self.needed * interim.share
        is_one_sided = more >= 2 * self.needed
        is_rare = self.endpoint != ALL_ENDPOINTS and not (may_come or is_one_sided)
        return NotCompared(
            endpoint=self.endpoint,
            metric=self.metric.name,
            lacking=what,
            base_samples=self.samples[0],
            head_samples=self.samples[1],
            needed=self.needed,
            outcome=Outcome.PASS if is_rare else Outcome.INCONCLUSIVE,
        )


def _questions(
    base: SideSamples, head: SideSamples, endpoints: Sequence[str], tolerances: Mapping[str, float]
) -> Iterator[_Question]:
    """All endpoints together, then each; of these neither rate, a draw of the task mix, nor resources."""
    asked = [(metric_of(name), tolerance) for name, tolerance in tolerances.items()]
    for metric, tolerance in asked:
        yield _Question(endpoint=ALL_ENDPOINTS, metric=metric, tolerance=tolerance, base=base, head=head)
    if len(endpoints) == 1:
        return
    split = zip(base.split(len(endpoints)), head.split(len(endpoints)), strict=True)
    for endpoint, sides in zip(endpoints, split, strict=True):
        for metric, tolerance in asked:
            if metric != RATE and not metric.is_resource:
                yield _Question(
                    endpoint=endpoint, metric=metric, tolerance=tolerance, base=sides[0], head=sides[1]
                )


def _judge(answer: Answer, effect: Effect, level: float, alpha: float) -> Change:
    worse = answer.metric.worse

    def relative(size: float) -> float:
        return size if answer.metric.is_share else float(np.expm1(min(size, _MAX_LOG)))

    half = effect.bound(level)
    change = Change(
        endpoint=answer.endpoint,
        metric=answer.metric.name,
        base=effect.base,
        head=effect.head,
        change=relative(effect.estimate),
        low=relative(effect.estimate - half),
        high=relative(effect.estimate + half),
        worst=relative(effect.estimate + worse * effect.bound(alpha)),
        p_value=effect.p_value,
        mde=abs(relative(worse * (half + effect.bound(1 - POWER)))),
        tolerance=answer.tolerance,
        windows=effect.windows,
        is_real=effect.p_value <= level,
        outcome=Outcome.INCONCLUSIVE,
    )
    return msgspec.structs.replace(change, outcome=judge_change(change))
