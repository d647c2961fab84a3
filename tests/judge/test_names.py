"""A name that nobody called is shown with those that were, the nearest first."""

from __future__ import annotations

from ci_gate.judge.names import describe_called


def test_called__the_nearest_come_first():
    called = ["DELETE /cart", "GET /items/[id]", "POST /items"]
    assert describe_called("GET /items/{id}", called) == (
        "called instead: GET /items/[id], POST /items, DELETE /cart"
    )


def test_called__of_many_only_some_are_named():
    called = [f"GET /page/{number}" for number in range(1000)]
    assert describe_called("GET /page", called).endswith(", and 995 others")


def test_called__nothing_at_all():
    assert describe_called("GET /items", []) == "nothing else was called either"
