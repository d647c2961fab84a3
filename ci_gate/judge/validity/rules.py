"""Whether a run can be judged: every rule that may object, and the findings of those that do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from ci_gate.evidence.sample_table import count_ids
from ci_gate.judge.validity.event_rules import EVENT_RULES
from ci_gate.judge.validity.findings import Fault, Finding, Rule, RuleInput, Violation, relax
from ci_gate.judge.validity.load_rules import LOAD_RULES
from ci_gate.judge.validity.locustfile_rules import LOCUSTFILE_RULES
from ci_gate.judge.validity.machine_rules import MACHINE_TAKEN
from ci_gate.judge.validity.probe_rules import PROBE_RULES
from ci_gate.judge.validity.recording_rules import RECORDING_RULES
from ci_gate.judge.validity.reply_rules import REPLY_RULES
from ci_gate.judge.validity.reset_check import LEFT_OVER
from ci_gate.judge.validity.run_rules import RUN_RULES
from ci_gate.judge.validity.warm_up_rules import WARM_UP_RULES
from ci_gate.judge.validity.worker_rules import CLOCK_UNCERTAIN, WORKER_LOST

RULES: Final = tuple(
    sorted(
        (
            *RUN_RULES,
            *EVENT_RULES,
            *RECORDING_RULES,
            *REPLY_RULES,
            *LOCUSTFILE_RULES,
            *LOAD_RULES,
            *PROBE_RULES,
            *WARM_UP_RULES,
            WORKER_LOST,
            CLOCK_UNCERTAIN,
            MACHINE_TAKEN,
        ),
        key=lambda rule: rule.stage,
    )
)
"""Causes before their consequences."""

MAX_ALIKE: Final = 5
"""Findings of one rule on what thresholds.yaml does not name; more are one line. Requests without a name can
break a rule for each of fifty thousand endpoints."""

MAX_NAMED: Final = 1000
"""Findings of one rule on endpoints that thresholds.yaml names, so that a verdict stays readable."""

_EXAMPLES: Final = 3

RELAXABLE: Final = (
    *(rule.code for rule in RULES if rule.relaxable and rule.severity != "info"),
    LEFT_OVER,
)
"""What ``relax`` may name. The others hold always: without them there is no measurement to speak of."""


def codes_at_fault(*faults: Fault) -> frozenset[str]:
    """The codes of the rules that speak of these, and so may be broken by chance."""
    return frozenset(rule.code for rule in RULES if rule.fault in faults)


def put_notes_last(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings that block, then the notes, each as they were."""
    return tuple(sorted(findings, key=lambda finding: finding.severity == "info"))


def check_validity(rule_input: RuleInput, rules: tuple[Rule, ...] = RULES) -> tuple[Finding, ...]:
    """Apply every rule. One that the scenario relaxes is a note that says why.

    Causes come before consequences; of one rule, endpoints that thresholds.yaml names come first, then those
    with more requests.
    """
    reasons = {relaxed.code: relaxed.reason for relaxed in rule_input.scenario.relax}
    requests = _count_requests(rule_input)
    return put_notes_last(
        relax(finding, reasons[rule.code]) if rule.relaxable and rule.code in reasons else finding
        for rule in sorted(rules, key=lambda rule: rule.stage)
        for finding in _apply(rule, rule_input, requests)
    )


def _count_requests(rule_input: RuleInput) -> Counter[str]:
    """By endpoint, in the whole recording: a login is called in the ramp alone."""
    counted: Counter[str] = Counter()
    numbers, counts = count_ids(rule_input.recording.samples["endpoint"])
    for number, times in zip(numbers.tolist(), counts.tolist(), strict=True):
        counted[rule_input.recording.strings[number]] += times
    return counted


def _apply(rule: Rule, rule_input: RuleInput, requests: Counter[str]) -> Iterator[Finding]:
    violations = sorted(rule.find(rule_input), key=lambda each: -requests[each[0]])
    wanted = {*rule_input.scenario.endpoints}
    named = [each for each in violations if each[0] in wanted]
    others = [*named[MAX_NAMED:], *(each for each in violations if each[0] not in wanted)]
    for subject, message in (*named[:MAX_NAMED], *_fold(others)):
        yield Finding(
            code=rule.code, severity=rule.severity, subject=subject, message=message, remedy=rule.remedy
        )


def _fold(violations: list[Violation]) -> list[Violation]:
    """The same, or the first of too many, with how many more there are."""
    if len(violations) <= MAX_ALIKE:
        return violations
    (subject, message), *others = violations
    examples = ", ".join(dict.fromkeys(name for name, _ in others[:_EXAMPLES]))
    return [(subject, f"{message}; likewise {len(others):,} more, such as {examples}")]
