"""Validity rules about the machine: what other programs took of it while limits were broken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ci_gate.judge.foreign import MAX_FOREIGN, TAKEN_CODE, describe_takers, find_foreign
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.validity.findings import Rule, RuleInput, Stage, Violation
from ci_gate.thresholds import RATE, metric_of

_MAX_SHOWN: Final = 3


def find_taken(rule_input: RuleInput) -> Iterator[Violation]:
    """Others took much of the machine, and nothing is broken but what that can break."""
    broken = [limit for limit in rule_input.limits if limit.outcome == Outcome.FAIL]
    metrics = [metric_of(limit.metric) for limit in broken]
    if not broken or not all(metric.is_percentile or metric.whole == RATE for metric in metrics):
        return
    cores = next((each.host_cores for each in rule_input.steady_machine if each.host_cores), None)
    found = find_foreign(rule_input.steady_machine)
    if cores and found and found[0] >= MAX_FOREIGN * cores:
        names = ", ".join(f"{limit.endpoint} {limit.metric}" for limit in broken[:_MAX_SHOWN])
        more = f" and {len(broken) - _MAX_SHOWN} more" if len(broken) > _MAX_SHOWN else ""
        took = f"others took {found[0]:.1f} of {cores} cores on average ({describe_takers(found[1])})"
        yield "host", f"{took}, and this was broken meanwhile: {names}{more}"


MACHINE_TAKEN: Final = Rule(
    code=TAKEN_CODE,
    severity="invalid",
    stage=Stage.GROUND,
    find=find_taken,
    meaning="other programs had much of the machine, which alone can break limits of latency and rate",
    threshold_text=f"others took {MAX_FOREIGN:.0%} of all CPUs on average, and nothing else is broken",
    remedy="run it again when the machine is free; if that program works for the service, relax this rule",
    fault="machine",
    for_comparison=False,
)
