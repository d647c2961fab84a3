"""The limits of one scenario that its runs support: what is missing, and how those that are there compare."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ci_gate.judge.limits import Figure
from ci_gate.judge.quantiles import count_needed
from ci_gate.judge.suggest.measured import LADDER, MeasuredRun, Runner
from ci_gate.judge.suggest.support import MIN_RUNS, Support, find_support
from ci_gate.thresholds import (
    ALL_ENDPOINTS,
    DEFAULT_FAILURES,
    FAILURES,
    RATE,
    SUCCESSES,
    Limit,
    Metric,
    Scenario,
)
from ci_gate.thresholds.rules import is_endpoint

RESERVE: Final = 1.25
"""So many times the samples that a percentile takes: the next run may bring fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSuggestion:
    """A bound that the runs support. ``old`` is the limit whose place it takes, None for a new one."""

    endpoint: str
    metric: Metric
    text: str
    support: Support
    old: Limit | None = None

    @property
    def loosens(self) -> bool:
        """Whether it asks for less than the limit whose place it takes."""
        if self.old is None or self.support.bound is None:
            return False
        return self.metric.breaks(self.support.bound, self.old.bound)


@dataclass(frozen=True, slots=True, kw_only=True)
class Todo:
    """A limit that the runs do not support yet, with what they measured, on which machine, and why not."""

    endpoint: str
    metric: Metric
    support: Support
    runner: Runner
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptLimit:
    """A limit of the file that stays as it is. ``broken_by`` so many of the runs."""

    limit: Limit
    support: Support
    broken_by: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSuggestions:
    """All of one scenario. ``too_rare`` names endpoints, each with its successes a second.

    ``unnameable`` are endpoints whose name thresholds.yaml cannot hold.
    """

    limits: tuple[LimitSuggestion, ...]
    todos: tuple[Todo, ...]
    kept: tuple[KeptLimit, ...]
    too_rare: tuple[tuple[str, float], ...]
    unnameable: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The runs of one scenario that may suggest something, and the machine that will judge.

    ``trusts_all``: somebody says that all runs are of that machine's kind. ``shortest_s`` is the shortest
    steady phase of the file's profiles.
    """

    runs: tuple[MeasuredRun, ...]
    runner: Runner | None
    trusts_all: bool
    shortest_s: float

    def of(self, metric: Metric) -> tuple[MeasuredRun, ...]:
        """The runs that a limit on the metric is made of: failures do not depend on the machine."""
        if metric == FAILURES:
            return self.runs
        return tuple(run for run in self.runs if self._is_of_runner(run))

    def _is_of_runner(self, run: MeasuredRun) -> bool:
        return run.runner == self.runner and (self.trusts_all or run.is_on_ci)

    def elsewhere_on_ci(self) -> tuple[MeasuredRun, ...]:
        """The runs on other machines that may judge, too."""
        return tuple(run for run in self.runs if run.is_on_ci and not self._is_of_runner(run))


def suggest_limits(scenario: Scenario, sources: Sources, *, replaces: bool) -> LimitSuggestions:
    """What the runs support of the scenario; with ``replaces`` also in place of limits that are there."""
    written = {
        (limit.endpoint, limit.metric): limit
        for limit in scenario.limits
        if limit.at and limit.metric.over_s is None and limit.metric != SUCCESSES
    }
    too_rare: list[tuple[str, float]] = []
    found = [_suggest(*each, sources) for each in _find_missing(scenario, sources, too_rare)]
    suggestions = [each for each in found if isinstance(each, LimitSuggestion)]
    kept: list[KeptLimit] = []
    for (endpoint, metric), limit in written.items():
        new = _suggest(endpoint, metric, sources)
        if replaces and isinstance(new, LimitSuggestion) and new.support.bound != limit.bound:
            suggestions.append(dataclasses.replace(new, old=limit))
        elif new is not None:
            kept.append(_keep(limit, new.support, sources))
    return LimitSuggestions(
        limits=tuple(suggestions),
        todos=tuple(each for each in found if isinstance(each, Todo)),
        kept=tuple(kept),
        too_rare=tuple(too_rare),
        unnameable=tuple(name for name in _called_always(sources.runs) if not is_endpoint(name)),
    )


def _find_missing(
    scenario: Scenario, sources: Sources, too_rare: list[tuple[str, float]]
) -> Iterator[tuple[str, Metric]]:
    """What has no limit yet: each endpoint's highest percentile that can be shown, and what all needs."""
    if not sources.runs:
        return
    written = {(limit.endpoint, limit.metric.whole) for limit in scenario.limits if limit.at}
    limited = {endpoint for endpoint, metric in written if metric.is_percentile}
    if ALL_ENDPOINTS not in limited:
        shown = [metric for metric in LADDER if _can_be_shown(ALL_ENDPOINTS, metric, sources)]
        tails = [metric for metric in shown if metric in LADDER[:2]]
        yield from ((ALL_ENDPOINTS, metric) for metric in reversed(tails or shown[:1]))
    if not {(ALL_ENDPOINTS, FAILURES), (ALL_ENDPOINTS, SUCCESSES)} & written:
        yield ALL_ENDPOINTS, FAILURES
    if (ALL_ENDPOINTS, RATE) not in written:
        yield ALL_ENDPOINTS, RATE
    for endpoint in _called_always(sources.runs):
        if endpoint in limited or not is_endpoint(endpoint):
            continue
        metric = next((each for each in LADDER[1:] if _can_be_shown(endpoint, each, sources)), None)
        if metric is None:
            too_rare.append((endpoint, min(_successes_per_s(endpoint, run) for run in sources.runs)))
        else:
            yield endpoint, metric


def _called_always(runs: Sequence[MeasuredRun]) -> Iterator[str]:
    """The endpoints of every run: what one of them lacks has no figure that could be compared."""
    if not runs:
        return iter(())
    others = [set(run.endpoints) for run in runs[1:]]
    return (endpoint for endpoint in runs[0].endpoints if all(endpoint in each for each in others))


def _successes_per_s(endpoint: str, run: MeasuredRun) -> float:
    return run.figure(endpoint, LADDER[-1]).samples / run.duration_s if run.duration_s else 0.0


def _can_be_shown(endpoint: str, metric: Metric, sources: Sources) -> bool:
    """In every run that there is, and in the shortest profile of the file."""
    needed = count_needed(metric.quantile)
    return all(
        run.figure(endpoint, metric).samples >= needed
        and _successes_per_s(endpoint, run) * sources.shortest_s >= RESERVE * needed
        for run in sources.runs
    )


def _suggest(endpoint: str, metric: Metric, sources: Sources) -> LimitSuggestion | Todo | None:
    """None where nothing can be said: without figures, or where what holds anyway is as close."""
    runs = sources.of(metric)
    figures = [run.figure(endpoint, metric) for run in runs]
    support = find_support(metric, figures, _count_next(runs, figures, sources))
    if len(runs) < MIN_RUNS:
        return _make_todo(endpoint, metric, sources, len(runs))
    if support is None or support.bound is None:
        return None
    if metric == FAILURES and support.bound >= FAILURES.unit.parse(DEFAULT_FAILURES):
        return None  # that holds anyway
    breaking = [
        run
        for run in sources.elsewhere_on_ci()
        if (measured := run.figure(endpoint, metric).measured) is not None
        and metric != FAILURES
        and metric.breaks(measured, support.bound)
    ]
    text = metric.unit.write(support.bound)
    why = ""
    if support.is_too_wide(metric):
        why = f"the runs scatter so much that only {text} would hold; more runs support a closer one"
    elif breaking:
        why = f"{text} would be broken on {breaking[0].runner}, where CI measured as well"
    if why:
        return Todo(endpoint=endpoint, metric=metric, support=support, runner=runs[0].runner, why=why)
    return LimitSuggestion(endpoint=endpoint, metric=metric, text=text, support=support)


def _count_next(runs: Sequence[MeasuredRun], figures: Sequence[Figure], sources: Sources) -> int | None:
    """How many requests a run by the shortest profile will have."""
    pairs = zip(runs, figures, strict=True)
    per_s = [figure.samples / run.duration_s for run, figure in pairs if run.duration_s]
    return int(min(per_s) * sources.shortest_s) if per_s else None


def _make_todo(endpoint: str, metric: Metric, sources: Sources, known: int) -> Todo | None:
    """With the figures of the machine that most runs are of; None where there is no figure."""
    if not sources.runs:
        return None
    if known:
        runs, missing = sources.of(metric), MIN_RUNS - known
        why = f"{missing} more {'run' if missing == 1 else 'runs'} of this machine would support a limit"
    else:
        ((runner, _),) = Counter(run.runner for run in sources.runs).most_common(1)
        runs = tuple(run for run in sources.runs if run.runner == runner)
        why = "not the runner that will judge"
    support = find_support(metric, [run.figure(endpoint, metric) for run in runs])
    if support is None:
        return None
    return Todo(endpoint=endpoint, metric=metric, support=support, runner=runs[0].runner, why=why)


def _keep(limit: Limit, support: Support, sources: Sources) -> KeptLimit:
    runs = sources.of(limit.metric) or sources.runs
    figures = [run.figure(limit.endpoint, limit.metric).measured for run in runs]
    bound = limit.exact_bound if limit.metric.is_share else limit.bound
    broken = [figure for figure in figures if figure is not None and limit.metric.breaks(figure, bound)]
    return KeptLimit(limit=limit, support=support, broken_by=len(broken))
