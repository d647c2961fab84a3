"""docs/validity.md holds a table of all rules; this keeps it equal to the code."""

from __future__ import annotations

from pathlib import Path

from ci_gate.judge.validity.findings import Rule
from ci_gate.judge.validity.rules import RULES

DOCUMENT = Path(__file__).parents[2] / "docs" / "validity.md"
HEAD = (
    "| code | severity | what it means | from where on | what would fix it |",
    "| --- | --- | --- | --- | --- |",
)


def render_row(rule: Rule) -> str:
    code = f"`{rule.code}`" if rule.relaxable else f"`{rule.code}` (always)"
    cells = (code, rule.severity, rule.meaning, rule.threshold_text, rule.remedy)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def test_table__is_what_the_rules_say():
    table = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    assert table == [*HEAD, *map(render_row, RULES)]


def test_rules__say_all_in_one_line_each():
    for rule in RULES:
        for text in (rule.code, rule.meaning, rule.threshold_text, rule.remedy):
            assert text
            assert "\n" not in text
            assert text == text.strip()
            assert not text.endswith(".")
