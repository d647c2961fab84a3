"""Does the run prove anything? Every rule that could say no, and the findings of those that do."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from ci_gate.judge.event_rules import EVENT_RULES
from ci_gate.judge.findings import Case, Finding, Rule, relax
from ci_gate.judge.left_over import LEFT_OVER
from ci_gate.judge.load_rules import LOAD_RULES
from ci_gate.judge.locustfile_rules import LOCUSTFILE_RULES
from ci_gate.judge.probe_rules import PROBE_RULES
from ci_gate.judge.recording_rules import RECORDING_RULES
from ci_gate.judge.reply_rules import REPLY_RULES
from ci_gate.judge.run_rules import RUN_RULES

RULES: Final = (
    *RUN_RULES,
    *RECORDING_RULES,
    *EVENT_RULES,
    *LOCUSTFILE_RULES,
    *REPLY_RULES,
    *LOAD_RULES,
    *PROBE_RULES,
)

MOST_FINDINGS: Final = 20
"""Of one rule: requests without a name can break it for each of fifty thousand endpoints."""

RELAXABLE: Final = (
    *(rule.code for rule in RULES if rule.relaxable and rule.effect != "note"),
    LEFT_OVER,
)
"""What ``relax`` may name. The others hold always: without them there is no measurement to speak of."""


def check_validity(case: Case, rules: tuple[Rule, ...] = RULES) -> tuple[Finding, ...]:
    """Apply every rule, in the order of the table. One that the scenario relaxes is a note that says why."""
    reasons = {relaxed.code: relaxed.reason for relaxed in case.scenario.relax}
    return tuple(
        relax(finding, reasons[rule.code]) if rule.relaxable and rule.code in reasons else finding
        for rule in rules
        for finding in _apply(rule, case)
    )


def _apply(rule: Rule, case: Case) -> Iterator[Finding]:
    seen = list(islice(rule.find(case), MOST_FINDINGS + 1))
    if len(seen) > MOST_FINDINGS:
        seen[MOST_FINDINGS:] = [("and more", f"{MOST_FINDINGS} are shown, and there are more of the kind")]
    for subject, message in seen:
        yield Finding(
            code=rule.code, effect=rule.effect, subject=subject, message=message, remedy=rule.remedy
        )
