"""What of a history may be compared with each other: figures of one kind of machine, or ratios to base."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ci_gate.evidence.environment import Environment
from ci_gate.judge.history.record import METRICS, History, RunRecord, ScenarioRecord
from ci_gate.thresholds import Metric, metric_of

_SMALLEST: Final = 1e-9  # what a logarithm is taken of at least: no figure is as small


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Machine:
    """A kind of machine: only figures of one kind are compared."""

    cpu_model: str
    cpus: int
    image: str

    def __str__(self) -> str:
        return f"{self.cpu_model}, {self.cpus} CPUs, {self.image or 'image not known'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A figure of one run, whose place in the history is ``index``. ``facts`` are what else may move it."""

    index: int
    run: RunRecord
    value: float
    facts: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One metric of one scenario, under one load on one kind of machine, the oldest run first."""

    scenario: str
    metric: Metric
    profile: str
    users: int
    machine: Machine
    points: tuple[Point, ...]

    @property
    def scale(self) -> tuple[float, ...]:
        """The values on the scale on which a change is judged: logarithms, and shares as they are."""
        return tuple(to_scale(self.metric, point.value) for point in self.points)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Changes against base of runs each of which has the one before it as base, up to the newest run.

    ``changes`` are on the scale of `to_scale`: their sum is what all of them changed.
    """

    scenario: str
    metric: Metric
    profile: str
    users: int
    indices: tuple[int, ...]
    runs: tuple[RunRecord, ...]
    changes: tuple[float, ...]


def to_scale(metric: Metric, value: float) -> float:
    """The logarithm of a figure; a share as it is, for it may be 0."""
    return value if metric.is_share else math.log(max(value, _SMALLEST))


def from_scale(metric: Metric, size: float) -> float:
    """A difference on the scale as a change: a ratio - 1; points of a share."""
    return size if metric.is_share else math.expm1(min(size, 20.0))


def list_series(history: History) -> tuple[Series, ...]:
    """A series for each scenario, metric, load and kind of machine; machines that are not known have none."""
    found: dict[tuple[str, str, str, int, Machine], list[Point]] = {}
    for index, run in enumerate(history.runs):
        for scenario in run.scenarios:
            environment = scenario.environment
            if environment is None or not environment.cpu_model:
                continue
            machine = Machine(cpu_model=environment.cpu_model, cpus=environment.cpus, image=environment.image)
            for name, value in scenario.figures.items():
                point = Point(index=index, run=run, value=value, facts=_list_facts(run, environment))
                key = (scenario.name, name, run.profile, scenario.users, machine)
                found.setdefault(key, []).append(point)
    ordered = sorted(found, key=lambda key: (key[0], METRICS.index(key[1]), key[2:]))
    return tuple(
        Series(
            scenario=key[0],
            metric=metric_of(key[1]),
            profile=key[2],
            users=key[3],
            machine=key[4],
            points=tuple(found[key]),
        )
        for key in ordered
    )


def _list_facts(run: RunRecord, environment: Environment) -> dict[str, str]:
    return {
        "image": environment.image_version,
        "kernel": environment.kernel,
        "Python": environment.python,
        "Locust": environment.locust,
        "ci-gate": run.ci_gate_version,
    }


def list_chains(history: History) -> tuple[Chain, ...]:
    """The unbroken chain up to the newest run, of each scenario and metric of that run that has one."""
    if not history.runs:
        return ()
    newest = history.runs[-1]
    return tuple(
        chain
        for scenario in newest.scenarios
        for name in METRICS
        if name in scenario.changes
        for chain in [_follow(history, scenario, name)]
    )


def _follow(history: History, newest: ScenarioRecord, name: str) -> Chain:
    metric, profile = metric_of(name), history.runs[-1].profile
    links = [*_walk_back(history, newest, name, profile)][::-1]
    return Chain(
        scenario=newest.name,
        metric=metric,
        profile=profile,
        users=newest.users,
        indices=tuple(index for index, _, _ in links),
        runs=tuple(run for _, run, _ in links),
        changes=tuple(change if metric.is_share else math.log1p(change) for _, _, change in links),
    )


def _walk_back(
    history: History, newest: ScenarioRecord, name: str, profile: str
) -> Iterator[tuple[int, RunRecord, float]]:
    """Ends at a run without a comparison, of another load, or whose base is not the run before it."""
    for index in range(len(history.runs) - 1, -1, -1):
        run = history.runs[index]
        found = next((each for each in run.scenarios if each.name == newest.name), None)
        if found is None or (run.profile, found.users) != (profile, newest.users):
            return
        change = found.changes.get(name)
        if change is None or not run.base or change <= -1:
            return
        yield index, run, change
        if index and history.runs[index - 1].commit != run.base:
            return
