from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_gate.judge.compare.interim import MIN_INTERIM_S, plan_interim


@given(
    st.floats(1, 1e5),
    st.floats(1e-6, 0.5),
    st.integers(1, 12),
)
def test_plan_looks__spends_alpha_exactly_and_ends_at_the_longest_duration(duration_s, alpha, count):
    analyses = plan_interim(duration_s, alpha, count)
    assert sum(look.alpha for look in analyses) == pytest.approx(alpha)
    assert analyses[-1].duration_s == pytest.approx(duration_s)
    assert [look.is_last for look in analyses] == [False] * (len(analyses) - 1) + [True]
    assert analyses[-1].share == 1


@given(st.floats(1, 1e5), st.integers(1, 12))
def test_plan_looks__none_is_earlier_than_a_look_can_see_anything(duration_s, count):
    analyses = plan_interim(duration_s, 0.01, count)
    assert len(analyses) == 1 or analyses[0].duration_s >= MIN_INTERIM_S


def test_plan_looks__three_looks_spend_by_the_square_of_time():
    analyses = plan_interim(180, 0.09)
    assert [look.duration_s for look in analyses] == pytest.approx([60, 120, 180])
    assert [look.alpha for look in analyses] == pytest.approx([0.01, 0.03, 0.05])


def test_plan_looks__a_short_run_has_one_look_with_all_of_alpha():
    (look,) = plan_interim(45, 0.01)
    assert (look.duration_s, look.alpha, look.is_last) == (45, 0.01, True)
