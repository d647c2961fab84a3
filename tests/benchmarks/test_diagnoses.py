"""How `benchmarks.diagnoses` counts what its runs named."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.diagnoses.__main__ import RESULTS, read_rows
from benchmarks.diagnoses.cases import CASES
from benchmarks.diagnoses.rows import (
    NamedCause,
    Row,
    are_right,
    find_interval,
    has_takers,
    is_right,
    list_invented,
    render,
)
from ci_gate.judge.diagnosis.bottleneck import Diagnosis
from ci_gate.judge.diagnosis.causes import Cause

BY_NAME = {case.name: case for case in CASES}
LOCK, HEALTHY = BY_NAME["lock"], BY_NAME["healthy node"]
OTHERS = "1.9 of this machine's 2 cores were busy: Locust used 0.1, others beside the service 1.2"


def row(case, *codes, foreign_cores=0.0, names_takers=False):
    return Row(
        case=case.name,
        commit="0123456",
        load_average=1.0,
        outcome="FAIL",
        findings=(),
        causes=tuple(NamedCause(code=code, share=0.5) for code in codes),
        foreign_cores=foreign_cores,
        host_cores=2,
        names_takers=names_takers,
        evidence="lock/00",
    )


def test_cases__have_a_name_each_and_nothing_is_both_expected_and_beside():
    assert len(BY_NAME) == len(CASES)
    assert all(not {*case.first} & {*case.also} for case in CASES)


@pytest.mark.parametrize(
    ("case", "codes", "right", "invented"),
    [
        (LOCK, ("lock-contention",), True, []),
        (LOCK, ("lock-contention", "service-cpu"), True, ["service-cpu"]),
        (LOCK, ("service-cpu", "lock-contention"), False, ["service-cpu"]),
        (LOCK, (), False, []),
        (HEALTHY, (), True, []),
        (HEALTHY, ("service-cpu",), False, ["service-cpu"]),
        (BY_NAME["stall"], ("stall", "unknown"), True, []),
    ],
)
def test_row__is_right_by_its_first_cause_and_invents_what_the_case_has_not(case, codes, right, invented):
    assert (is_right(case, row(case, *codes)), list_invented(case, row(case, *codes))) == (right, invented)


@pytest.mark.parametrize(
    ("foreign_cores", "names_takers", "invented"),
    [(1.2, True, []), (0.1, True, ["host-cpu"]), (1.2, False, ["host-cpu"])],
)
def test_host_cpu__is_invented_where_nobody_took_it_or_none_is_named(foreign_cores, names_takers, invented):
    found = row(LOCK, "host-cpu", foreign_cores=foreign_cores, names_takers=names_takers)
    assert list_invented(LOCK, found) == invented
    assert not is_right(LOCK, found)


@pytest.mark.parametrize(("numbers", "named"), [((OTHERS,), False), ((f"{OTHERS} (cc1 1.2)",), True)])
def test_takers__are_named_where_one_is(numbers, named):
    cause = Cause(code="host-cpu", title="", numbers=numbers, next_step="", share=1.0)
    assert has_takers(Diagnosis(causes=(cause,), unknown=())) == named


def test_document__has_the_table_of_the_results_that_are_kept():
    document = Path(__file__).parents[2] / "docs" / "diagnosis.md"
    assert render(read_rows(RESULTS)) in document.read_text(encoding="utf-8")


@pytest.mark.parametrize(("wrong", "right"), [(1, True), (2, False)])
def test_rows__are_right_where_nine_of_ten_are(wrong, right):
    rows = [row(LOCK, "lock-contention")] * (10 - wrong) + [row(LOCK)] * wrong
    assert are_right(rows) == right
    assert not are_right([*rows, row(LOCK, "lock-contention", "memory")])


def test_table__has_counts_and_an_interval_for_each_case_that_was_run():
    rows = [row(LOCK, "lock-contention")] * 9 + [row(LOCK, "service-cpu"), row(HEALTHY)]
    table = render(rows).splitlines()
    assert [line.split("|")[1].strip() for line in table[2:]] == ["lock", "healthy node"]
    cells = [cell.strip() for cell in table[2].split("|")]
    assert cells[3:-1] == ["`lock-contention`", "10", "9", "55 to 100 %", "1", "service-cpu"]
    assert find_interval(10, 10) == "69 to 100 %"
