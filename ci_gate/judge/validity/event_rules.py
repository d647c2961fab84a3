"""Validity rules about what the scenario's own code reports to Locust, and about rows that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ci_gate.evidence.samples import ENDED_DAMAGED
from ci_gate.judge.validity.findings import Rule, RuleInput, Stage, Violation

_JUDGED: Final = frozenset({"response_time", "status_code"})


def _find_odd(rule_input: RuleInput, *, judged: bool) -> Iterator[Violation]:
    for odd in rule_input.recording.totals.odd_values if rule_input.recording.totals else ():
        if (odd.argument in _JUDGED) is judged:
            events = (
                "1 event brought" if odd.count == 1 else f"{odd.count:,} events, the first of which brought"
            )
            yield odd.endpoint, f"{events} {odd.argument} {odd.value}: taken as {odd.read_as}"


def _find_unreadable_values(rule_input: RuleInput) -> Iterator[Violation]:
    return _find_odd(rule_input, judged=True)


def _find_replaced_values(rule_input: RuleInput) -> Iterator[Violation]:
    return _find_odd(rule_input, judged=False)


def _find_damaged_rows(rule_input: RuleInput) -> Iterator[Violation]:
    damaged = int((rule_input.recording.samples["ending"] == ENDED_DAMAGED).sum())
    if damaged:
        yield (
            "scenario",
            f"{damaged:,} of {len(rule_input.recording.samples):,} rows of samples.bin cannot be read",
        )


EVENT_RULES: Final = (
    Rule(
        code="damaged-rows",
        severity="invalid",
        stage=Stage.REQUESTS,
        find=_find_damaged_rows,
        meaning="rows of samples.bin hold what no recorder writes: they were damaged, or changed",
        threshold_text="any",
        remedy="measure again; if it comes again, look for a failing disk",
        relaxable=False,
        fault="recording",
    ),
    Rule(
        code="unreadable-values",
        severity="invalid",
        stage=Stage.REQUESTS,
        find=_find_unreadable_values,
        meaning="request events of the scenario's own code brought a time or a status that is none; such a "
        "request counts as a failure",
        threshold_text="any",
        remedy="fire events as Locust documents them: response_time in ms, status_code a number",
    ),
    Rule(
        code="values-replaced",
        severity="info",
        stage=Stage.REQUESTS,
        find=_find_replaced_values,
        meaning="request events of the scenario's own code brought a start, length or name that is none, and "
        "that no limit asks for",
        threshold_text="any",
        remedy="fire events as Locust documents them: start_time of time.time(), response_length a whole "
        "number, request_type and name texts",
    ),
)
