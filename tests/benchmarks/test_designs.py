from __future__ import annotations

import math

import pytest

from benchmarks.designs_plan import ALONE, DUET, MATRIX, SEQUENTIAL, plan_pieces, rotate
from benchmarks.designs_read import Reading
from benchmarks.designs_table import count_found, deviation, render
from reference_service.faults import parse_faults

CPU = next(cell for cell in MATRIX if cell.name == "cpu")


def reading(
    p50: float, *, pair: int = 0, effect: float = 0.1, design: str = DUET, outcome: str = ""
) -> Reading:
    same = {"p50": p50, "p95": p50, "p99": p50}
    return Reading(
        cell="cpu",
        noise=False,
        pair=pair,
        effect=0.1,
        design=design,
        turn=0,
        seconds=28.0,
        samples=(9, 9),
        base_ms=same,
        changes=same,
        paired={},
        outcome=outcome,
    )


def test_plan_pieces__both_sides_get_the_same_time():
    duet, *turns = plan_pieces(3, 28.0, 120.0)
    assert [slot.design for slot in duet] == [DUET]
    for turn in turns:
        assert {slot.design for slot in turn} == {SEQUENTIAL}
        assert [(slot.on, slot.seconds) for slot in turn] == [(ALONE["base"], 14.0), (ALONE["head"], 14.0)]


def test_rotate__every_pair_has_all_slots_and_begins_with_another():
    pieces = plan_pieces(3, 28.0, 120.0)
    orders = [rotate(pieces, pair, 4) for pair in range(4)]
    assert len({(order[0].design, order[0].turn) for order in orders}) == 4
    assert all(sorted(map(repr, order)) == sorted(map(repr, orders[0])) for order in orders)


def test_matrix__names_faults_that_the_service_knows():
    for cell in MATRIX:
        for _, base, head in cell.pairs:
            assert (parse_faults(base) == parse_faults(head)) is (cell.name == "equal")


def test_deviation__is_within_cells_and_pairs():
    readings = [reading(0.1), reading(0.1), reading(2.0, pair=1), reading(2.0, pair=1)]
    assert deviation(readings, "p50") == pytest.approx(0)
    readings = [reading(math.expm1(log), pair=pair) for pair in (0, 1) for log in (0.0, 0.2)]
    assert deviation(readings, "p50") == pytest.approx(math.sqrt(0.02))  # four readings, two means


@pytest.mark.parametrize(("p50", "expected"), [(0.06, (1, 1)), (0.04, (0, 1))])
def test_count_found__beyond_half_of_the_effect(p50, expected):
    assert count_found([reading(p50)], CPU, 0.1) == expected


@pytest.mark.parametrize(("outcome", "expected"), [("FAIL", (1, 1)), ("PASS", (0, 1))])
def test_count_found__of_the_gate_is_what_it_blocks(outcome, expected):
    decided = reading(0.0, design="gate", outcome=outcome)
    assert count_found([decided], CPU, 0.1) == expected


def test_render__every_row_has_as_many_cells_as_its_head():
    text = render([reading(0.1), reading(0.1, design="gate", outcome="FAIL")], MATRIX)
    for table in text.split("\n\n")[1::2]:
        assert len({line.count("|") for line in table.splitlines()}) == 1
