from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ci_gate.judge.code.difference import CodeChange, TimeChange
from ci_gate.report.against_base import format_change, format_interval
from ci_gate.report.annotations import render_annotations
from ci_gate.report.cells import format_measured, format_share
from ci_gate.report.code import describe_code
from ci_gate.report.comment import render_report
from ci_gate.report.history import format_between, format_size
from ci_gate.report.html.report import render_html
from ci_gate.report.junit import render_junit
from ci_gate.report.report import Report
from ci_gate.report.terminal import render_terminal
from ci_gate.thresholds import metric_of
from ci_gate.wording import format_number
from tests.report.verdicts import change, endpoint, limit, scenario, verdict

BOUNDS = {"p95": ("ms", 1.0), "failures": ("%", 0.01), "successes": ("%", 0.01), "rate": ("/s", 1.0)}


def make(metric, measured, bound, outcome):
    unit, scale = BOUNDS[metric]
    text = f"{bound}{unit}"
    return limit(
        metric=metric,
        measured=measured,
        text=text,
        bound=float(Fraction(bound) * Fraction(scale).limit_denominator(100)),
        outcome=outcome,
    )


@pytest.mark.parametrize(
    ("metric", "measured", "bound", "outcome", "shown"),
    [
        ("failures", 0.01, "1", "PASS", "1 %"),
        ("failures", 0.010004, "1", "FAIL", "1.0004 %"),
        ("failures", 0.0099996, "1", "PASS", "1 %"),
        ("failures", 0.00005, "0.004", "FAIL", "0.005 %"),
        ("failures", 0.00003, "0.01", "PASS", "< 0.01 %"),
        ("failures", 1 / 3_000_000, "0", "FAIL", "< 0.01 %"),
        ("failures", 1 / 3_000_000, "0.00003", "FAIL", "just above 0.00003 %"),
        ("failures", 0.0100000001, "1", "FAIL", "just above 1 %"),
        ("rate", 49.999999999, "50", "FAIL", "just below 50/s"),
        ("successes", 0.98999, "99", "FAIL", "98.999 %"),
        ("rate", 49.98, "50", "FAIL", "49.98/s"),
        ("rate", 1999.7, "2000", "FAIL", "1,999.7/s"),
        ("p95", 200.4, "200", "FAIL", "200.4 ms"),
        ("p95", 212.4, "200", "FAIL", "212 ms"),
        ("p95", 199.6, "199.8", "PASS", "199.6 ms"),
        ("p95", 200.4, "200", "INVALID", "200 ms"),
    ],
)
def test_measured__has_the_digits_that_tell_it_from_its_bound(metric, measured, bound, outcome, shown):
    assert format_measured(make(metric, measured, bound, outcome)) == shown


def test_measured__of_a_verdict_that_contradicts_itself_is_short():
    assert format_measured(make("p95", 212.4, "300", "FAIL")) == "212 ms"


@given(measured=st.floats(1e-6, 1e6), bound=st.integers(1, 10**9), is_near=st.booleans())
def test_measured__reads_as_kept_or_broken_as_it_was_judged(measured, bound, is_near):
    bound_ms = bound / 1000
    measured = bound_ms * (1 + measured * 1e-9) if is_near else measured
    outcome = "PASS" if measured <= bound_ms else "FAIL"
    shown = format_measured(limit(measured=measured, text="", bound=bound_ms, outcome=outcome))
    size = float(shown.removeprefix("just above ").removeprefix("< ").removesuffix(" ms").replace(",", ""))
    assert ("just above" in shown) or ((size <= bound_ms) is (outcome == "PASS"))
    assert not re.search(r"\d{7}", shown)  # GitHub makes links of such


def test_broken_limit__reads_so_in_every_report():
    """10,004 failures of a million are not "1 %, must be at most 1%"."""
    broken = limit(metric="failures", measured=0.010004, text="1%", outcome="FAIL")
    total = endpoint(requests=1_000_000, failures=10_004)
    failed = verdict(scenario("checkout", "FAIL", endpoints=[total], limits=[broken]), outcome="FAIL")
    report = Report(verdict=failed)
    texts = {
        "comment": render_report(report, 60_000),
        "annotations": "\n".join(render_annotations(report)).replace("%25", "%"),
        "terminal": render_terminal(failed),
        "junit": render_junit(failed),
        "page": render_html(report, None),
    }
    for name, text in texts.items():
        plain = re.sub(r"<[^>]*>|[*`]", "", text.replace("\N{NO-BREAK SPACE}", " "))
        assert "1.0004 %" in plain, name
        assert not re.search(r"(was|failures:?) 1 %", plain), name


@pytest.mark.parametrize(
    ("metric", "size", "outcome", "shown"),
    [
        ("p95", 0.1, "PASS", "+10 %"),
        ("p95", 0.1004, "FAIL", "+10.04 %"),
        ("p95", 0.123, "FAIL", "+12 %"),
        ("p95", 0.023, "PASS", "+2.3 %"),
        ("p95", 71.4, "FAIL", "72.4x"),
        ("failures", 1.2, "PASS", "+120 pp"),
        ("rate", -0.10004, "FAIL", "-10.004 %"),
        ("failures", 0.10004, "FAIL", "+10.004 pp"),
        ("p95", 0.05, "FAIL", "+5.0 %"),  # a verdict that contradicts itself
    ],
)
def test_change__has_the_digits_that_tell_it_from_its_tolerance(metric, size, outcome, shown):
    assert format_change(change(metric=metric, size=size, outcome=outcome, tolerance=0.1)) == shown


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (0.08, 0.16, "+8 to +16"),
        (0.004, 0.47, "+0.4 to +47"),
        (-0.021, 0.045, "-2.1 to +4.5"),
        (-0.3, -0.004, "-30 to -0.4"),
        (-0.0004, 0.0301, "-0.04 to +3.0"),
        (0.00000001, 0.05, "0 to +5.0"),
        (0.0, 0.05, "0 to +5.0"),
    ],
)
def test_interval__never_rounds_an_end_to_nothing(low, high, shown):
    assert format_interval(change(size=(low + high) / 2, low=low, high=high)) == shown


CHANGES = st.floats(-0.9999, 3)
SIGNED_NOTHING = re.compile(r"[+-]0(?![.,]?\d)|[+-]0\.0+(?!\d)|[+-]<")


@given(CHANGES, CHANGES, st.sampled_from(["p95", "failures", "memory"]), st.sampled_from(["PASS", "FAIL"]))
@example(-0.0003, 0.0002, "p95", "PASS")
@example(-0.0, 0.0, "failures", "PASS")
@example(-0.0, 0.0, "failures", "FAIL")
def test_change__that_rounds_to_nothing_has_no_sign(size, other, metric, outcome):
    shown = change(
        metric=metric, size=size, outcome=outcome, low=min(size, other), high=max(size, other), head=200.0
    )
    texts = (format_change(shown), format_interval(shown))
    texts += (format_size(metric_of(metric), size), format_between(size, other))
    for text in texts:
        assert not SIGNED_NOTHING.search(text)


@pytest.mark.parametrize("more_ms", [-0.0, 0.0, -0.00002, 0.00002])
def test_time_of_code__that_rounds_to_nothing_has_no_sign(more_ms):
    code = CodeChange(cpu=TimeChange(base_ms=0.0, head_ms=more_ms, error_ms=0.1))
    assert not SIGNED_NOTHING.search(describe_code(code))


def test_signs__are_added_in_one_place():
    sources = {path: path.read_text(encoding="utf-8") for path in Path("ci_gate").rglob("*.py")}
    assert sources
    assert [str(path) for path, text in sources.items() if re.search(r"\{[^{}]*:\+[^{}]*", text)] == []


@pytest.mark.parametrize(
    ("size", "tolerance", "shown"),
    [(1.0, 0.1, "2x"), (305.0, 3.0, "306x"), (3.5, 3.0, "+350 %"), (0.9, 0.1, "+90 %")],
)
def test_change__is_a_multiple_where_that_alone_shows_what_is_broken(size, tolerance, shown):
    assert format_change(change(size=size, tolerance=tolerance)) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0"), (0.001234, "0.00123"), (7.25, "7.25"), (99.96, "100"), (1234.5, "1,234")],
)
def test_number__has_three_digits(value, shown):
    assert format_number(value) == shown


def test_share__that_is_small_is_not_zero():
    assert (format_share(0.0), format_share(0.00001), format_share(None)) == ("0 %", "< 0.01 %", "-")
