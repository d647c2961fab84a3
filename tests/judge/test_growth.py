"""Judging takes time in proportion to the endpoints: a scenario that names none has one for each request.

Counted are the values that numpy compares and computes, and the texts that Python compares.
"""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from ci_gate.judge.compare.duet import compare_at
from ci_gate.judge.compare.interim import plan_interim
from ci_gate.judge.steady import classify
from ci_gate.judge.summary import summarise
from ci_gate.judge.validity.findings import make_rule_input
from ci_gate.judge.validity.reset_check import find_reset_differences
from ci_gate.judge.validity.rules import check_validity
from tests.judge.recordings import BEGIN_S, make_recording, make_rows
from tests.judge.test_duet import PLANS, SCENARIO, SETTINGS

LOOK = plan_interim(SETTINGS.max_duration_s)[0]


class Counted(np.ndarray):
    """Counts what is computed of it."""

    values = 0

    def __array_ufunc__(self, ufunc, method, *inputs, **more):
        Counted.values += max(np.size(each) for each in inputs)
        inputs = tuple(each.view(np.ndarray) if isinstance(each, Counted) else each for each in inputs)
        return getattr(ufunc, method)(*inputs, **more)


class CountedText(str):
    """Counts how often it is compared."""

    __slots__ = ()

    def __eq__(self, other):
        Counted.values += 1
        return str.__eq__(self, other)

    def __hash__(self):
        return str.__hash__(self)


def record(endpoints: int, status: int):
    """Three requests of each endpoint, all within the steady phase."""
    rows = np.concatenate([make_rows(2 + number, [5.0] * 3, status=status) for number in range(endpoints)])
    texts = ("", "Visitor", *(f"GET /items/{number}" for number in range(endpoints)))
    recording = make_recording(rows, strings=tuple(map(CountedText, texts)))
    return msgspec.structs.replace(recording, samples=rows.view(Counted))


def compare_sides(recording):
    side = classify(recording, ()).steady
    compare_at(LOOK, BEGIN_S, (side, side), SCENARIO, SETTINGS)


WORK = {
    "comparison": compare_sides,
    "summaries": lambda recording: summarise(classify(recording, ()).steady),
    "validity": lambda recording: check_validity(
        make_rule_input(SCENARIO, PLANS[0], classify(recording, ()))
    ),
    "trials": lambda recording: find_reset_differences(SCENARIO, *[classify(recording, ())] * 2),
}


@pytest.mark.parametrize("status", [200, 429])
@pytest.mark.parametrize("work", WORK)
def test_work__grows_with_the_endpoints_and_not_with_their_square(work, status):
    counts = []
    for endpoints in (100, 400):
        recording = record(endpoints, status)
        Counted.values = 0
        WORK[work](recording)
        counts.append(Counted.values)
    assert 0 < counts[1] < 6 * counts[0], counts
