"""Which runs may suggest something, on which machine they were measured, and what each of them shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ci_gate.evidence.environment import Environment
from ci_gate.judge.limits import Figure, measure_figure
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.steady import SteadyPhase
from ci_gate.judge.summary import EndpointSummary
from ci_gate.judge.validity.findings import Finding
from ci_gate.judge.verdict import ScenarioVerdict
from ci_gate.thresholds import ALL_ENDPOINTS, FAILURES, RATE, Metric, Scenario, metric_of
from ci_gate.wording import count

LADDER: Final = tuple(map(metric_of, ("p99", "p95", "p90", "p50")))
"""Percentiles that a limit is suggested of, from the one that takes the most samples on."""

MAX_ENDPOINTS: Final = 50
"""Endpoints of one scenario that get a limit, those that were called most first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """A kind of machine: latencies of two of them are two things. Empty where nothing is known of it."""

    cpu_model: str
    cpus: int
    image: str

    @property
    def is_known(self) -> bool:
        return bool(self.cpu_model)

    def __str__(self) -> str:
        if not self.is_known:
            return "an unknown machine"
        return ", ".join(filter(None, (self.cpu_model, count(self.cpus, "CPU"), self.image)))


def name_runner(environment: Environment) -> Runner:
    """The kind of machine that an environment is of, without the image's version: that changes every week."""
    return Runner(cpu_model=environment.cpu_model, cpus=environment.cpus, image=environment.image)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRun:
    """One scenario of one run, on CI or elsewhere. ``figures`` are by endpoint and metric's name."""

    runner: Runner
    is_on_ci: bool
    endpoints: tuple[str, ...]  # that were called, without `all`; those that were called most first
    figures: dict[tuple[str, str], Figure]
    duration_s: float

    def figure(self, endpoint: str, metric: Metric) -> Figure:
        return self.figures.get((endpoint, metric.name), Figure(measured=None, samples=0))


def measure_all(
    scenario: Scenario, steady: SteadyPhase, summaries: Sequence[EndpointSummary]
) -> dict[tuple[str, str], Figure]:
    """Every figure that a suggestion may be made of: what the scenario limits, and what it could."""
    called = [row.endpoint for row in summaries[: MAX_ENDPOINTS + 1]]
    asked = [(limit.endpoint, limit.metric) for limit in scenario.limits]
    asked += [(endpoint, metric) for endpoint in called for metric in LADDER]
    asked += [(ALL_ENDPOINTS, FAILURES), (ALL_ENDPOINTS, RATE)]
    return {
        (endpoint, metric.name): measure_figure(endpoint, metric, steady, summaries)
        for endpoint, metric in dict.fromkeys(asked)
    }


def explain_unusable(
    scenario: Scenario, verdict: ScenarioVerdict, run_findings: Iterable[Finding]
) -> str | None:
    """Why nothing is suggested from this run of the scenario; None where something is.

    A broken limit on latency is no reason: what was measured is what was measured.
    """
    for finding in run_findings:
        if finding.severity == "invalid" and finding.subject in {"run", scenario.name}:
            return f"{finding.code}: {finding.message}"
    for finding in verdict.findings:
        if finding.severity != "info":
            return f"INVALID: {finding.code}: {finding.about}: {finding.message}"
    if verdict.outcome == Outcome.INVALID:
        return "INVALID: what was measured proves nothing"
    if verdict.comparison and verdict.comparison.outcome == Outcome.FAIL:
        return "head was worse than base"
    return _explain_failing(scenario, verdict)


def _explain_failing(scenario: Scenario, verdict: ScenarioVerdict) -> str | None:
    bounds = {
        limit.endpoint: limit.max_failures for limit in scenario.limits if limit.max_failures is not None
    }
    for row in verdict.endpoints:
        bound = bounds.get(row.endpoint, bounds[ALL_ENDPOINTS])
        if row.failures > bound * row.requests:
            share = FAILURES.unit.format(row.failure_share)
            return f"{row.endpoint} fails: {row.failures:,} of {count(row.requests, 'request')} ({share})"
    return None


def choose_runner(runs: Sequence[MeasuredRun], *, trusts_all: bool) -> Runner | None:
    """The machine that will judge: the one of most runs on CI, the last of several; None for none.

    With ``trusts_all`` any run counts, for somebody says that all are of it.
    """
    machines = [run.runner for run in runs if trusts_all or (run.is_on_ci and run.runner.is_known)]
    if not machines:
        return None
    counted = Counter(machines)
    return max(counted, key=lambda runner: (counted[runner], _last_index(machines, runner)))


def _last_index(machines: Sequence[Runner], runner: Runner) -> int:
    return len(machines) - 1 - list(reversed(machines)).index(runner)
