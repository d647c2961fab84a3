"""The requests of all processes as one table, with the steady phase in one piece."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_gate.evidence.readings import Mark
from ci_gate.evidence.requests import bring_together, merge_samples
from ci_gate.evidence.sample_table import SAMPLE_DTYPE
from ci_gate.evidence.steady_rows import find_due, find_steady_bounds, select


def make_rows(starts_s):
    rows = np.zeros(len(starts_s), dtype=SAMPLE_DTYPE)
    rows["start_s"] = rows["intended_s"] = starts_s
    return rows


@given(st.lists(st.booleans(), max_size=40))
def test_together__those_that_are_asked_for_and_all_keep_their_order(wanted):
    rows = np.array(wanted, dtype=np.bool_)
    samples = make_rows(np.arange(len(wanted), dtype=np.float64))
    bring_together(samples, rows)
    numbers = samples["start_s"].astype(int)
    assert sorted(numbers) == list(range(len(wanted)))
    moved = rows[numbers]
    chosen = select(moved)
    assert not moved.any() or isinstance(chosen, slice)
    assert numbers[chosen].tolist() == np.flatnonzero(rows).tolist()
    others = numbers[~moved]
    first = int(moved.argmax()) if moved.any() else 0
    assert (np.diff(others[:first]) > 0).all()
    assert (np.diff(others[first:]) > 0).all()


def test_select__what_does_not_stand_together_is_taken_by_a_mask():
    rows = np.array([True, False, True])
    assert select(rows) is rows
    assert select(np.array([False, True, True, False])) == slice(1, 3)
    assert select(np.zeros(3, dtype=np.bool_)) == slice(0, 0)


@pytest.mark.parametrize(
    ("marks", "bounds_s"),
    [
        ({"started": 1.0}, (np.inf, np.inf)),
        ({"started": 1.0, "steady": 5.0}, (5.0, 9.0)),
        ({"started": 1.0, "steady": 5.0, "stopping": 8.0}, (5.0, 8.0)),
        ({"started": 1.0, "steady": 50.0}, (50.0, 50.0)),
    ],
)
def test_bounds__are_those_of_the_marks_or_end_with_the_last_request(marks, bounds_s):
    written = [Mark(name=name, wall_s=at, monotonic_s=at) for name, at in marks.items()]
    samples = make_rows([2.0, 5.0, 9.0, 7.0])
    assert find_steady_bounds(written, samples) == bounds_s
    assert find_due(samples, (5.0, 9.0)).tolist() == [False, True, False, True]


def test_merge__of_files_that_grow_has_what_they_had_when_they_were_read_first():
    """Beside a load: rows, and a text that only they name."""
    reads = []

    def read():
        reads.append(1)
        rows = make_rows([1.0, 3.0, 4.0][: 1 + len(reads)])
        rows["endpoint"] = [1, 1, 2][: len(rows)]
        yield rows, ("", "GET /a", "GET /b")[: 1 + len(reads)]

    def read_other():
        rows = make_rows([2.0])
        rows["endpoint"] = 1
        yield rows, ("", "GET /c")

    samples, strings = merge_samples([read, read_other])
    assert samples["start_s"].tolist() == [1.0, 2.0, 3.0]
    assert [strings[number] for number in samples["endpoint"]] == ["GET /a", "GET /c", "GET /a"]
