from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_gate.judge.texts import fold_texts


@pytest.mark.parametrize(
    ("texts", "folded"),
    [
        ([f"SignInError('user-{number:04}')" for number in range(100)], [("SignInError('user-*')", 100)]),
        (
            [f"no order {uuid.UUID(int=number)}" for number in range(3)] + ["no order"],
            [("no order *", 3), ("no order", 1)],
        ),
        (["late by 3.1 s at 10.0.0.9", "late by 2 s at 10.0.0.9"], [("late by * s at 10.0.0.9", 2)]),
        (["no cus_9s6XKzkNRffiz", "no cus_Na4XKzkNRff77"], [("no cus_*", 2)]),
        (["<Reply at 0x7f3a2c01beef>", "<Reply at 0x7f3a2c01bee0>"], [("<Reply at *>", 2)]),
        (["status 404", "status 500", "status 500"], [("status 500", 2), ("status 404", 1)]),
        (
            ["BadStatusCode(code=404)", "BadStatusCode(code=503)"],
            [("BadStatusCode(code=404)", 1), ("BadStatusCode(code=503)", 1)],
        ),
        (["code 503 for user 17", "code 503 for user 18"], [("code 503 for user *", 2)]),
        (["KeyError('token')", "KeyError('id')"], [("KeyError('token')", 1), ("KeyError('id')", 1)]),
        ([], []),
    ],
)  # fmt: skip
def test_texts__differ_by_ids_alone(texts, folded):
    assert fold_texts((text, 1) for text in texts) == folded


def test_texts__one_that_never_varies_is_shown_as_it_is():
    assert fold_texts([("no user 17", 3), ("no user 17", 4)]) == [("no user 17", 7)]


@given(st.lists(st.tuples(st.text(max_size=40), st.integers(1, 9)), max_size=20))
def test_texts__their_counts_add_up_and_come_in_order(counted):
    folded = fold_texts(counted)
    assert sum(count for _, count in folded) == sum(count for _, count in counted)
    assert [count for _, count in folded] == sorted((count for _, count in folded), reverse=True)


@given(st.text(max_size=200))
def test_texts__one_alone_is_itself(text):
    assert fold_texts([(text, 1)]) == [(text, 1)]
