from __future__ import annotations

from ci_gate.evidence.readings import MAX_STATEMENTS
from ci_gate.measure.probes.statement_counts import StatementCounts


def counts_of(counts):
    return {each.query: (each.calls, each.total_ms) for each in counts.list_totals()}


def named(*readings, texts):
    counts = StatementCounts()
    for reading in readings:
        counts.update(reading)
        counts.name(counts.list_unnamed(), texts)
    return counts


def test_counts__are_since_the_first_look_and_of_texts():
    texts = {1: "SELECT 1", 2: "SELECT 2", 3: "SELECT 2"}
    first, last = {1: (100, 50.0), 2: (5, 1.0)}, {1: (103, 50.5), 2: (7, 2.0), 3: (1, 4.0)}
    assert counts_of(named(first, texts=texts)) == {}
    assert counts_of(named(first, last, texts=texts)) == {"SELECT 2": (3, 5.0), "SELECT 1": (3, 0.5)}


def test_counts__that_fell_began_again():
    assert counts_of(named({1: (100, 50.0)}, {1: (4, 2.0)}, texts={1: "SELECT 1"})) == {"SELECT 1": (4, 2.0)}


def test_counts__of_what_is_not_to_be_shown_take_nobodys_place():
    many = {key: (10_000 - key, float(key)) for key in range(1, 500)}
    texts = {key: f"SELECT {key}" for key in many if key > 10}
    counts = named({}, many, texts=texts)
    shown = counts_of(counts)
    assert len(shown) == 2 * MAX_STATEMENTS
    assert {"SELECT 11", "SELECT 499"} <= shown.keys()
    assert counts.list_unnamed() == []
