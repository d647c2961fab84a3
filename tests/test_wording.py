"""Numbers as text. No message may show an exponent, so no other module may format by ``g`` or ``e``."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_gate.wording import count, format_exact, format_number

PACKAGE = Path(__file__).parents[1] / "ci_gate"
EXCEPT = {"wording.py", "judge/timeline/run_timeline.py"}  # the latter rounds, back to a number
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).as_posix() not in EXCEPT)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((0, "0"), (7.2449, "7.24"), (99.96, "100"), (100.4, "100"), (1000, "1,000"), (1e6, "1,000,000")),
        *((0.00123, "0.00123"), (0.00001, "< 0.0001"), (-1234, "-1,234"), (-0.5, "-0.5")),
        (-1e-9, "> -0.0001"),
    ],
)
def test_format_number(value, text):
    assert format_number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((0, "0"), (30.0, "30"), (0.1 * 100, "10"), (1e6, "1000000"), (1e-6, "0.000001"), (2.5, "2.5")),
        (123456789.125, "123456789.125"),
    ],
)
def test_format_exact(value, text):
    assert format_exact(value) == text


@given(st.floats(-1e14, 1e14))
def test_numbers__have_no_exponent(value):
    assert "e" not in format_number(value) + format_exact(value)


def test_count():
    assert [count(number, "limit") for number in (0, 1, 2, 1234)] == [
        *("0 limits", "1 limit", "2 limits", "1,234 limits")
    ]
    assert count(1, "reply", "replies") == "1 reply"
    assert count(2, "reply", "replies") == "2 replies"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_source__no_other_module_may_show_an_exponent(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FormattedValue) and isinstance(node.format_spec, ast.JoinedStr):
            last = node.format_spec.values[-1] if node.format_spec.values else None
            kind = str(last.value)[-1:] if isinstance(last, ast.Constant) else ""
            assert kind not in {*"gGeE"}, f"line {node.lineno}: use ci_gate.wording"
