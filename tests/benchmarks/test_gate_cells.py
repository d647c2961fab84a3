"""What `benchmarks.gate_cells` asks of a pair, what it keeps, and how it goes on."""

from __future__ import annotations

import dataclasses
from functools import partial

import pytest

from benchmarks import gate_cells
from benchmarks.comparison_simulation import slow_down
from benchmarks.gate_cells import Decision, Start, describe, judge_question, list_rows, read_starts
from benchmarks.gate_cells_plan import CELLS, Question
from benchmarks.taken import CELLS as TAKEN_CELLS
from ci_gate.evidence.recording import CONFIRM, DUET_BASE, DUET_HEAD
from ci_gate.thresholds import parse_thresholds
from tests.judge.test_confirmation import PLANNED
from tests.judge.test_duet import SETTINGS, TEXT, record

THRESHOLDS = parse_thresholds(f"compare: {{max_duration: {SETTINGS.max_duration_s}s}}\n{TEXT}", "t")


def start(cell, *outcomes, noise=True):
    """A start whose questions came to these outcomes, of one start and of both."""
    decisions = [
        Decision(question="asked", first=first, confirmed=both, changes={}, blocked_by=[])
        for first, both in outcomes
    ]
    return Start(
        cell=cell,
        scenario="checkout",
        noise=noise,
        began_s=0.0,
        took_s=150.0,
        load_average=1.0,
        is_base_first=True,
        lasted_s=120.0,
        decisions=decisions,
    )


EQUAL = Question(name="equal", tolerances="p50=10%,p95=20%", is_equal=True)
SLOWER = dataclasses.replace(EQUAL, slow=partial(slow_down, 1.5), is_equal=False)


@pytest.mark.parametrize(("question", "first", "both"), [(EQUAL, "PASS", "PASS"), (SLOWER, "FAIL", "FAIL")])
def test_question__is_asked_of_the_gate_itself_with_a_head_that_is_slower(question, first, both):
    one = {DUET_BASE: record("base"), DUET_HEAD: record("head")}
    two = one | {CONFIRM[0]: record("base"), CONFIRM[1]: record("head")}
    scenario = THRESHOLDS.scenarios[0]
    verdicts = [judge_question(THRESHOLDS, scenario, PLANNED, question, each) for each in (one, two)]
    decided = describe(question, *verdicts)
    assert (decided.first, decided.confirmed) == (first, both)
    assert verdicts[1].is_confirmed == (both == "FAIL")


def test_rows__are_counted_by_cell_noise_and_question():
    red, taken_back, green = ("FAIL", "FAIL"), ("FAIL", "PASS"), ("PASS", "PASS")
    starts = [start("equal", each) for each in (red, taken_back, green, ("INCONCLUSIVE", "INCONCLUSIVE"))]
    rows = [*list_rows([*starts, start("equal", green, noise=False), start("cpu", red)])]
    assert [row[:3] for row in rows] == [
        ("equal", "on", "asked"),
        ("equal", "off", "asked"),
        ("cpu", "on", "asked"),
    ]
    assert [cell.split(" ")[0] for cell in rows[0][3:6]] == ["2/4", "1/4", "1/4"]
    assert rows[0][6:] == ("INCONCLUSIVE 1", "2.5")


def test_file__holds_as_many_starts_of_a_cell_as_were_asked_for(tmp_path, monkeypatch):
    """A series that was cut off goes on where it was."""
    measured = []

    def measure(_thresholds, cell, number, *, noisy):
        measured.append((cell, number))
        return start(cell, ("PASS", "PASS"), noise=noisy)

    monkeypatch.setattr(gate_cells, "measure", measure)
    for starts in ("2", "3", "3"):
        command = ["gate_cells", "--out", str(tmp_path / "file"), "cpu", "--noise", "--starts", starts]
        monkeypatch.setattr("sys.argv", command)
        gate_cells.main()
    assert measured == [("cpu", 0), ("cpu", 1), ("cpu", 2)]
    assert len(read_starts(tmp_path / "file")) == 3


def test_cells__have_names_of_their_own():
    assert not {*CELLS} & {*TAKEN_CELLS}
