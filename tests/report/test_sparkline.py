from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_gate.report.comment import MAX_COMMENT_BYTES, Report, render_report
from ci_gate.report.sparkline import draw_sparkline, make_trends
from tests.report.examples import EXAMPLES
from tests.report.test_comment import check_page, shown
from tests.report.test_escape import hostile_text
from tests.report.verdicts import scenario, trend, verdict

values = st.lists(
    st.none() | st.floats(allow_nan=False, allow_infinity=False), max_size=24
)  # JSON has no other numbers


@pytest.mark.parametrize(
    ("numbers", "line"),
    [
        ([1, 2, 3, 4, 5, 6, 7], "▂▃▄▅▆▇█"),
        ([100.0, 99.0, 101.0], "███"),  # what hardly moved looks flat
        ([5.0, None, 10.0], "▅·█"),
        ([0.0, 0.0], "▁▁"),
        ([None, None], "··"),
        ([], ""),
        ([1e308, 1e-300, -1e308], "█▁▁"),
    ],
)
def test_sparkline__is_as_high_as_the_share_of_the_highest(numbers, line):
    assert draw_sparkline(numbers) == line


@given(values)
def test_sparkline__has_a_character_for_each_value(numbers):
    drawn = draw_sparkline(numbers)
    assert len(drawn) == len(numbers)
    assert [each == "·" for each in drawn] == [number is None for number in numbers]


@given(st.lists(st.floats(0, 1e9), min_size=2, max_size=24))
def test_sparkline__keeps_the_order_of_the_values(numbers):
    drawn = draw_sparkline(numbers)
    order = sorted(range(len(numbers)), key=lambda index: numbers[index])
    heights = [drawn[index] for index in order]
    assert heights == sorted(heights)
    assert max(numbers) == 0 or "█" in drawn


def text_of(*scenarios):
    return shown(render_report(Report(verdict=verdict(*scenarios)), MAX_COMMENT_BYTES))


def test_trend__says_its_range_in_words():
    text = text_of(scenario("checkout", trend=trend([40.0, 212.4, 1500.0], [60.0, 55.0, 20.0])))
    assert "p95 ▁▂█ 40 ms to 1,500 ms\n" in text
    assert "rate █▇▃ 60/s to" not in text  # from the least to the most, whatever their order
    assert "rate █▇▃ 20/s to 60/s\n" in text


def test_trend__says_where_nothing_succeeded():
    assert "p95 █· 40 ms (no success in 1 of 2 slices)" in text_of(
        scenario(trend=trend([40.0, None], [9.0, 0.0]))
    )
    assert "p95 unknown, for nothing succeeded" in text_of(scenario(trend=trend([None] * 2, [0.0] * 2)))


def test_trends__are_of_those_scenarios_that_have_one():
    assert make_trends([scenario()]).items == ()
    assert "steady phase" not in text_of(scenario())
    assert len(make_trends(EXAMPLES["fail"].verdict.scenarios).items) == 3


@given(hostile_text, values, values)
def test_trend__of_a_hostile_verdict_stays_in_its_place(name, p95_ms, rate_per_s):
    one = scenario(name, trend=trend(p95_ms, [each or 0.0 for each in rate_per_s]))
    check_page(render_report(Report(verdict=verdict(one)), MAX_COMMENT_BYTES))
