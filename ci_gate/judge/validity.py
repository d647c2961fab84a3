"""Does the run prove anything? Every rule that could say no, and the findings of those that do."""

from __future__ import annotations

from typing import Final

from ci_gate.judge.findings import Case, Finding, Rule
from ci_gate.judge.load_rules import LOAD_RULES
from ci_gate.judge.recording_rules import RECORDING_RULES
from ci_gate.judge.reply_rules import REPLY_RULES
from ci_gate.judge.run_rules import RUN_RULES

RULES: Final = (*RUN_RULES, *RECORDING_RULES, *REPLY_RULES, *LOAD_RULES)


def check_validity(case: Case, rules: tuple[Rule, ...] = RULES) -> tuple[Finding, ...]:
    """Apply every rule, in the order of the table."""
    return tuple(
        Finding(code=rule.code, effect=rule.effect, subject=subject, message=message, remedy=rule.remedy)
        for rule in rules
        for subject, message in rule.find(case)
    )
