"""e-divisive against its definition, against apache-otava, and on series in which nothing changes."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_gate.judge.history.change_points import MIN_RUNS_OF_A_LEVEL, find_best_split, find_change_points

COMMITS = 60
SEEDS = 200


def draw(seed, *levels):
    """60 values that scatter by 1 around ``levels``, each from its commit on."""
    values = np.random.default_rng(seed).normal(0, 1, COMMITS)
    for at, level in levels:
        values[at:] += level
    return values


def count_quality(left, right):
    """Q of one split, pair by pair as the paper has it."""
    n, m = len(left), len(right)
    across = sum(abs(x - y) for x in left for y in right)
    within = [sum(abs(x - y) for x, y in combinations(side, 2)) for side in (left, right)]
    parts = [
        share / (size - 1) * pairs if size > 1 else 0.0
        for share, size, pairs in ((m, n, within[0]), (n, m, within[1]))
    ]
    return 2 / (n + m) * (across - sum(parts))


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=12))
def test_best_split__is_the_best_of_all_by_the_definition(values):
    quality, at = find_best_split(np.array(values, dtype=float))
    size = len(values)
    every = {
        (split, end): count_quality(values[:split], values[split:end])
        for end in range(2, size + 1)
        for split in range(1, end)
    }
    assert quality == pytest.approx(max(every.values()), abs=1e-9)
    assert any(split == at and each == pytest.approx(quality) for (split, _), each in every.items())


def make_series(name, steps):
    generator = np.random.default_rng(len(name))
    values = generator.normal(0, 1, COMMITS)
    if steps is None:
        return (values + np.arange(COMMITS) / 20).round(3)
    for at, level in steps:
        values[at:] = generator.normal(level, 1, COMMITS - at)
    return values.round(3)


@pytest.mark.parametrize(
    ("name", "steps", "split", "quality", "points"),
    [
        ("equal", [(0, 0.0)], 15, 5.164380952, []),
        ("one step", [(0, 0.0), (31, 1.5)], 31, 13.41081908, [31]),
        ("two steps", [(0, 0.0), (17, 2.0), (41, -1.0)], 42, 27.36414089, [17, 42]),
        ("a spike", [(0, 0.0), (30, 6.0), (31, 0.0)], 30, 11.017321468, []),
        ("creep", None, 40, 19.861103014, [40]),
    ],
)
def test_change_points__are_those_of_apache_otava(name, steps, split, quality, points):
    """What apache-otava 0.8.0 finds in the same series, at the same level; it knows no shortest side."""
    series = make_series(name, steps)
    assert find_best_split(series) == (pytest.approx(quality), split)
    assert list(find_change_points(series, shortest=1)) == points


def test_change_points__none_where_nothing_changes():
    """At a level of 1 in 1,000 a series, 200 of them have 0.2 on average."""
    assert sum(bool(find_change_points(draw(seed))) for seed in range(SEEDS)) <= 1


@pytest.mark.parametrize("level", [2.0, -2.0])
def test_change_points__a_step_is_found_at_its_commit(level):
    found = [find_change_points(draw(seed, (35, level))) for seed in range(12)]
    assert sum(len(each) == 1 and abs(each[0] - 35) <= 2 for each in found) >= 11
    assert sum(each == (35,) for each in found) >= 7


def test_change_points__steps_up_and_down_are_two():
    assert find_change_points(draw(3, (20, 5.0), (40, -5.0))) == (20, 40)


def test_change_points__a_creep_is_told_as_steps_of_one_direction():
    values = draw(4) + np.linspace(0, 15, COMMITS)
    borders = [0, *find_change_points(values), COMMITS]
    levels = [values[begin:end].mean() for begin, end in pairwise(borders)]
    assert len(levels) > 2
    assert levels == sorted(levels)


def test_change_points__a_few_bad_runs_are_no_level():
    values = draw(5)
    values[30 : 30 + MIN_RUNS_OF_A_LEVEL - 2] += 8
    assert find_change_points(values) == ()


@pytest.mark.parametrize("size", [0, 1, 2, 2 * MIN_RUNS_OF_A_LEVEL - 1])
def test_change_points__none_in_a_series_that_is_too_short(size):
    assert find_change_points([0.0] * (size // 2) + [9.0] * (size - size // 2)) == ()


def test_change_points__none_in_a_constant_series():
    assert find_change_points([0.25] * COMMITS) == ()


@pytest.mark.parametrize(("factor", "offset"), [(0.01, 0.0), (1000.0, -3.0)])
def test_change_points__do_not_depend_on_the_unit(factor, offset):
    values = draw(2, (25, 2.5))
    assert find_change_points(values * factor + offset) == find_change_points(values) == (25,)


def test_change_points__are_the_same_each_time():
    assert len({find_change_points(draw(seed, (25, 1.0))) for seed in [9] * 3}) == 1
