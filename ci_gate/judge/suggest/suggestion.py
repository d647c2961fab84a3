"""Everything that runs suggest for one thresholds.yaml, put together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ci_gate.judge.compare.duet import DuetVerdict
from ci_gate.judge.suggest.limits import LimitSuggestions, Sources, suggest_limits
from ci_gate.judge.suggest.measured import MeasuredRun, Runner, choose_runner
from ci_gate.judge.suggest.tolerances import (
    ScatterSupport,
    ToleranceSupport,
    support_scatter,
    support_tolerances,
)
from ci_gate.thresholds import Scenario, Thresholds, Tolerance


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """A scenario of a run from which nothing is suggested, and why."""

    scenario: str
    run: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was read of all runs. ``runs`` and ``duets`` of equal versions are by scenario."""

    runs: Mapping[str, tuple[MeasuredRun, ...]]
    duets: Mapping[str, tuple[DuetVerdict, ...]]
    unusable: tuple[Unusable, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToleranceSuggestion:
    """A tolerance of the file and what comparisons of equal versions support. ``ratio``: of the new one.

    It is None where the file's stays.
    """

    old: Tolerance
    support: ToleranceSupport
    ratio: float | None

    @property
    def loosens(self) -> bool:
        """Whether it lets more through than the tolerance whose place it takes."""
        return self.ratio is not None and self.ratio > self.old.ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class ScatterSuggestion:
    """What comparisons of equal versions say of `Compare.scatter`; ``old`` is what the file says, if any.

    ``is_new``: it takes that place.
    """

    old: float | None
    support: ScatterSupport
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioSuggestion:
    """What is suggested for one scenario. ``runs`` is how many of its runs were used."""

    scenario: Scenario
    runs: int
    limits: LimitSuggestions
    tolerances: tuple[ToleranceSuggestion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """What is suggested for a file. ``runner`` is the machine that latencies are taken from, if any is."""

    runner: Runner | None
    scenarios: tuple[ScenarioSuggestion, ...]
    scatter: tuple[ScatterSuggestion, ...]
    unusable: tuple[Unusable, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all could be used."""
        return not any(each.runs or each.tolerances for each in self.scenarios)


def suggest(
    thresholds: Thresholds, evidence: Evidence, *, trusts_all: bool = False, replaces: bool = False
) -> Suggestion:
    """What the evidence supports. With ``trusts_all`` all runs are of the machine that will judge.

    With ``replaces`` also in place of limits and tolerances that are there.
    """
    runner = choose_runner([run for runs in evidence.runs.values() for run in runs], trusts_all=trusts_all)
    shortest_s = min(profile.duration_s for profile in thresholds.profiles)
    scenarios = []
    for scenario in thresholds.scenarios:
        runs, duets = evidence.runs.get(scenario.name, ()), evidence.duets.get(scenario.name, ())
        if not runs and not duets:
            continue
        sources = Sources(runs=runs, runner=runner, trusts_all=trusts_all, shortest_s=shortest_s)
        scenarios.append(
            ScenarioSuggestion(
                scenario=scenario,
                runs=len(runs),
                limits=suggest_limits(scenario, sources, replaces=replaces),
                tolerances=_suggest_tolerances(scenario, duets, replaces=replaces),
            )
        )
    return Suggestion(
        runner=runner,
        scenarios=tuple(scenarios),
        scatter=tuple(_suggest_scatter(thresholds, evidence, replaces=replaces)),
        unusable=evidence.unusable,
    )


def _suggest_scatter(
    thresholds: Thresholds, evidence: Evidence, *, replaces: bool
) -> Iterator[ScatterSuggestion]:
    """Of the metrics that some scenario compares; nothing where no second start confirms."""
    if not thresholds.compare.confirm:
        return
    duets = {each.name: evidence.duets.get(each.name, ()) for each in thresholds.scenarios}
    compared = {tolerance.metric for scenario in thresholds.scenarios for tolerance in scenario.regression}
    written = dict(thresholds.compare.scatter)
    for support in support_scatter(duets):
        if support.metric in compared:
            old = written.get(support.metric)
            differs = old is None or _differs(support.size, old)
            yield ScatterSuggestion(old=old, support=support, is_new=replaces and differs)


def _suggest_tolerances(
    scenario: Scenario, duets: Sequence[DuetVerdict], *, replaces: bool
) -> tuple[ToleranceSuggestion, ...]:
    supports = {support.metric: support for support in support_tolerances(scenario, duets)}
    return tuple(
        ToleranceSuggestion(
            old=tolerance,
            support=support,
            ratio=support.tolerance if replaces and _differs(support.tolerance, tolerance.ratio) else None,
        )
        for tolerance in scenario.regression
        if (support := supports.get(tolerance.metric))
    )


def _differs(new: float | None, old: float) -> bool:
    return new is not None and Fraction(repr(new)) != Fraction(repr(old))
