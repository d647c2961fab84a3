"""The terminal's text. After a wanted change run ``python -m tests.report.test_terminal``, and look."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci_gate.report.terminal import render_terminal
from tests.report.examples import EXAMPLES

GOLDEN = Path(__file__).with_name("golden")
NAMES = ("pass", "fail", "invalid", "worse-than-base")


@pytest.mark.parametrize("name", NAMES)
def test_terminal__is_as_in_the_golden_file(name):
    assert render_terminal(EXAMPLES[name].verdict) == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_terminal__ends_with_the_verdict_in_a_sentence(name):
    verdict = EXAMPLES[name].verdict
    assert render_terminal(verdict).splitlines()[-1].startswith(f"{verdict.outcome}: ")


if __name__ == "__main__":
    for each in NAMES:
        (GOLDEN / f"{each}.txt").write_text(render_terminal(EXAMPLES[each].verdict), encoding="utf-8")
