"""The order of outcomes, and the one rule that makes one of many."""

from __future__ import annotations

from itertools import permutations

import pytest

from ci_gate.judge.outcome import WORST_FIRST, Outcome, decide, worst

PASS, INCONCLUSIVE, INVALID, FAIL = Outcome


def test_order__a_proven_regression_is_worst_and_doubt_is_worse_than_a_pass():
    assert WORST_FIRST == (FAIL, INVALID, INCONCLUSIVE, PASS)
    for outcomes in permutations(Outcome):
        assert worst(outcomes) == FAIL
    assert worst([PASS, INCONCLUSIVE, INVALID]) == INVALID
    assert [each for each in Outcome if each.blocks] == [INVALID, FAIL]


@pytest.mark.parametrize(
    ("parts", "asked", "outcome"),
    [
        ([PASS, PASS], {}, PASS),
        ([PASS, INCONCLUSIVE], {}, INCONCLUSIVE),
        ([INCONCLUSIVE, INVALID], {}, INVALID),
        ([INVALID, FAIL], {}, FAIL),
        ([], {}, INVALID),  # nothing proves nothing
        ([PASS], {"is_shown": False}, INVALID),
        ([FAIL], {"is_shown": False}, FAIL),  # what was merely not shown does not take back what was
        ([PASS], {"is_trusted": False}, INVALID),
        ([FAIL], {"is_trusted": False}, INVALID),  # a wrong measurement shows nothing
        ([PASS], {"is_shown": False, "doubt": INCONCLUSIVE}, INCONCLUSIVE),
        ([FAIL], {"is_trusted": False, "doubt": INCONCLUSIVE}, INCONCLUSIVE),
    ],
)
def test_decide__what_has_these_parts(parts, asked, outcome):
    assert {decide(order, **asked) for order in permutations(parts)} == {outcome}
