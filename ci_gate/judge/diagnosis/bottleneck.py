"""Why is it slow: names what held the requests up, with its numbers, or says that it does not know.

It never changes a verdict. docs/diagnosis.md has each criterion and where its arithmetic comes from.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from ci_gate.evidence.readings import StatementTotal, StrictValue
from ci_gate.evidence.recording import DUET_HEAD, HEAD, Recording, RunInfo
from ci_gate.judge.compare.duet import DuetVerdict
from ci_gate.judge.diagnosis.causes import (
    GENERATOR,
    Cause,
    find_full,
    find_resource,
    is_short_of,
)
from ci_gate.judge.diagnosis.connections import find_full_connections
from ci_gate.judge.diagnosis.describe_resources import describe_most_called, describe_slowest
from ci_gate.judge.diagnosis.failures import (
    Failures,
    find_endings,
    find_failing,
    find_throttling,
    find_unmeasured,
    select_failures,
)
from ci_gate.judge.diagnosis.memory import find_evictions, find_full_memory, find_kill
from ci_gate.judge.diagnosis.observation import ProbeWindow, ResourceUsage, observe_steady
from ci_gate.judge.diagnosis.occupancy import MIN_SHARE, estimate_error, locate
from ci_gate.judge.diagnosis.saturation import (
    find_cpu_limit,
    is_listen_queue_overflowing,
    is_pool_queue_hidden,
)
from ci_gate.judge.diagnosis.statement_growth import (
    StatementGrowth,
    explain_slowness,
    find_grown,
    find_statement_growth,
)
from ci_gate.judge.diagnosis.statements import count_statements, make_n_plus_one, subtract_first
from ci_gate.judge.diagnosis.unplaced import explain_unplaced, select_placed
from ci_gate.judge.limits import LimitResult
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.steady import ClassifiedRecording
from ci_gate.thresholds import RATE, STATEMENTS, Metric, Scenario, Thresholds, metric_of

MAX_REPLIES: Final = 0.5
"""Where so many of them are errors, speed says nothing."""
_OF_THE_DATABASE: Final = frozenset({"locks", "io", "database"})
_OF_THE_SERVICE: Final = frozenset({"pool", "service"})
_MANY_STATEMENTS: Final = 20.0  # per request: worth a look, though only base tells whether they are new
_MAX_CORES_DIGITS: Final = 6  # of what run.json says of its machine, which may be damaged


class Diagnosis(StrictValue, frozen=True):
    """``causes`` are ranked, empty where nothing was saturated; ``unknown`` is what was not observed.

    ``statements`` are those of the database that grew most against base; of a fall they say nothing.
    """

    causes: tuple[Cause, ...]
    unknown: tuple[str, ...]
    statements: tuple[StatementGrowth, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioContext:
    """What is known of a scenario beside its recordings; ``failure`` is why it was not measured."""

    scenario: Scenario
    limits: tuple[LimitResult, ...]
    comparison: DuetVerdict | None
    failure: str
    host_cores: int | None
    memory_bytes: int | None  # the container's limit
    offered_per_s: float | None = None  # what the users would send if every reply came at once
    pinned_cores: int | None = None  # what the service may use, where the processes of Locust have the others

    @property
    def is_too_slow(self) -> bool:
        """A latency is worse than its limit or tolerance; or the rate is, and not for want of successes."""
        broken = self._broken
        is_slow = any(metric.is_percentile for metric in broken)
        return is_slow or (RATE in broken and not any(metric.is_share for metric in broken))

    @property
    def is_only_slower_than_base(self) -> bool:
        """A latency, or the rate, is worse than its tolerance, and no limit of them is broken."""
        worse, broken = (
            any(metric.is_percentile or metric == RATE for metric in metrics)
            for metrics in (self._worse_than_base, self._beyond_limits)
        )
        return worse and not broken

    @property
    def _broken(self) -> set[Metric]:
        """The metrics whose limit or tolerance is broken."""
        return self._beyond_limits | self._worse_than_base

    @property
    def _beyond_limits(self) -> set[Metric]:
        return {metric_of(each.metric).whole for each in self.limits if each.outcome == Outcome.FAIL}

    @property
    def _worse_than_base(self) -> set[Metric]:
        changes = self.comparison.changes if self.comparison else ()
        return {metric_of(each.metric).whole for each in changes if each.outcome == Outcome.FAIL}

    @property
    def sends_more(self) -> bool:
        """Head sends more statements to the database than its limit or tolerance allows."""
        return STATEMENTS in self._broken


def gather_circumstances(
    thresholds: Thresholds,
    run: RunInfo,
    scenario: Scenario,
    limits: tuple[LimitResult, ...],
    comparison: DuetVerdict | None,
    names: Sequence[str] = (HEAD, DUET_HEAD),
) -> ScenarioContext:
    """What the run's own files say of one scenario, planned as the first of its recordings ``names``."""
    cores = run.host.get("cpus", "")
    plans = {plan.recording: plan for plan in run.recordings if plan.scenario == scenario.name}
    plan = next((plans[name] for name in names if name in plans), None)
    return ScenarioContext(
        scenario=scenario,
        limits=limits,
        comparison=comparison,
        failure=run.failures.get(scenario.name, ""),
        host_cores=int(cores) if cores.isdecimal() and len(cores) <= _MAX_CORES_DIGITS else None,
        memory_bytes=thresholds.service.memory_bytes,
        offered_per_s=plan.offered_per_s if plan else None,
        pinned_cores=len(plan.other_cpus) or None if plan else None,
    )


def diagnose(circumstances: ScenarioContext, recordings: Mapping[str, ClassifiedRecording]) -> Diagnosis:
    """The causes of one scenario, by its recordings' names: head alone counts, or what it did beside base."""
    classified = recordings.get(HEAD) or recordings.get(DUET_HEAD)
    if classified is None:
        return Diagnosis(causes=tuple(find_unmeasured(circumstances.failure or "no evidence")), unknown=())
    head = classified.recording
    usage = dataclasses.replace(
        observe_steady(classified, circumstances.host_cores, circumstances.offered_per_s),
        pinned_cores=circumstances.pinned_cores,
    )
    endings = tuple(find_endings(head)) or tuple(find_unmeasured(circumstances.failure, has_recording=True))
    kill = tuple(find_kill(head, circumstances.memory_bytes))
    full = (*(() if kill else find_full_memory(head, circumstances.memory_bytes)), *find_evictions(usage))
    failed = select_failures(classified)
    failures = () if endings else _find_failures(circumstances.scenario, failed, head)
    hindering = tuple(cause for cause in failures if (cause.share or 0.0) >= MAX_REPLIES)
    are_late = bool(hindering) and failed.are_late
    is_slow = circumstances.is_too_slow or usage.is_stuck
    wants_connections = is_slow or (bool(failures) and failed.may_want_connections)
    speed_counts = not endings and (not hindering or are_late)
    grown = find_grown(recordings)
    explains = speed_counts and (is_slow or are_late or circumstances.sends_more)
    growths = tuple(find_statement_growth(grown, recordings[DUET_HEAD])) if grown and explains else ()
    is_too_slow = speed_counts and (is_slow or are_late)
    is_slower = circumstances.is_only_slower_than_base
    waits = tuple(
        _find_waits(usage, head, recordings, grown, growths, is_too_slow=is_too_slow, is_slower=is_slower)
    )
    if are_late:  # a wait for nothing that was observed says less than how the replies failed
        waits = select_placed(waits)
    explained, waits = explain_unplaced(waits, classified, usage, recordings)
    is_placed = bool(select_placed(waits))  # then memory that was nearly full explains nothing of it
    others = [cause for cause in failures if cause not in hindering]
    ranked = sorted((*waits, *others), key=lambda cause: -math.inf if cause.share is None else -cause.share)
    return Diagnosis(
        causes=(
            *kill,
            *endings,
            *(find_full_connections(usage) if wants_connections else ()),
            *(() if are_late and waits else hindering),
            *(() if is_placed else full),
            *explained,
            *ranked,
            *(hindering if are_late and waits else ()),
            *(full if is_placed else ()),
        ),
        unknown=() if endings else tuple(_name_unobserved(usage)),
        statements=grown,
    )


def _find_failures(scenario: Scenario, failures: Failures, head: Recording) -> tuple[Cause, ...]:
    return (*find_throttling(failures), *find_failing(scenario, failures, head))


def _find_waits(
    usage: ResourceUsage,
    head: Recording,
    recordings: Mapping[str, ClassifiedRecording],
    grown: tuple[StatementGrowth, ...],
    growths: tuple[Cause, ...],
    *,
    is_too_slow: bool,
    is_slower: bool,
) -> Iterator[Cause]:
    """Where the requests' time went, as far as it is for want of something, or makes them too slow.

    Where statements explain what head is slower by than base (``is_slower``), the rest is base's, too: only
    what is saturated is named beside them.
    """
    spent = subtract_first(head)
    short = list(_find_short_resources(usage, spent, is_too_slow=is_too_slow))
    counts = count_statements(recordings)
    if counts and counts.is_many_more and (short or is_too_slow):
        growths = (make_n_plus_one(counts, usage, spent, grown),)
    yield from growths
    more = sum(cause.share or 0.0 for cause in growths)
    if is_slower and explain_slowness(more, recordings):
        short = list(_find_short_resources(usage, spent, is_too_slow=False))
    left = 1 - more
    for cause in short:
        share = None if cause.share is None else left * cause.share
        if left == 1.0 or share is None or share >= MIN_SHARE or cause.code == GENERATOR:
            yield msgspec.structs.replace(cause, share=share)


def _find_short_resources(
    usage: ResourceUsage, spent: tuple[StatementTotal, ...], *, is_too_slow: bool
) -> Iterator[Cause]:
    cpu = find_cpu_limit(usage)
    occupancy = locate(usage, find_full(usage, cpu))
    for name in occupancy.__slots__ if occupancy.total else ():
        number = getattr(occupancy, name)
        is_short = is_short_of(name, usage, occupancy, cpu)
        error = 0.0 if is_short and is_too_slow else estimate_error(name, usage)
        is_large = number * (1 - error) >= MIN_SHARE * occupancy.total
        # A generator at its limit makes every number wrong, however little of the time is its own. And who
        # finds the listen queue full waits outside of it, nobody knows how many.
        is_overflowing = name == "listen" and cpu is None and is_listen_queue_overflowing(usage)
        is_named_anyway = (is_overflowing and number) or (name == GENERATOR and is_short)
        if (is_large and (is_short or is_too_slow)) or is_named_anyway:
            resource = find_resource(name, usage, cpu)
            numbers = [f"{number:,.1f} of {occupancy.total:,.1f} requests in flight, on average"]
            numbers += resource.describe(usage)
            numbers += _describe_spent(name, usage, spent)
            yield Cause(
                code=resource.code,
                title=resource.title,
                numbers=tuple(numbers),
                next_step=resource.next_step,
                share=None if is_overflowing else number / occupancy.total,
            )


def _describe_spent(name: str, usage: ResourceUsage, spent: tuple[StatementTotal, ...]) -> Iterator[str]:
    if name in _OF_THE_DATABASE:
        yield from describe_slowest(spent)
    elif name in _OF_THE_SERVICE and (usage.statements_per_request or 0.0) >= _MANY_STATEMENTS:
        yield from describe_most_called(spent)


def _name_unobserved(usage: ResourceUsage) -> Iterator[str]:
    if not usage.duration_s:
        yield "where the requests' time went: the steady phase never began"
        return
    if usage.service_cores is None:
        yield "the service's CPU: its processes could not be read"
    if not usage.postgres.readings:
        yield f"the database: {_explain_silence(usage.postgres, 'postgres')}"
    if usage.service.mean("pool_in_use") is None:
        yield f"the connection pool: {_explain_silence(usage.service, 'service')}"
    elif is_pool_queue_hidden(usage):
        yield "who waits for a connection of the pool: the probe service has no pool_waiting"


def _explain_silence(window: ProbeWindow, probe: str) -> str:
    if window.errors:
        return f"the probe {probe} failed {len(window.errors)} x, at last: {window.error}"
    return f"thresholds.yaml has no probe {probe} that shows it"
