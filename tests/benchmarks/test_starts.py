"""What `benchmarks.starts` asks of a recording, and how its tables count the answers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.comparison_simulation import DURATION_S, slow_tail
from benchmarks.designs_plan import DUET, SEQUENTIAL, Slot, Span
from benchmarks.designs_read import quarter
from benchmarks.starts import (
    QUESTIONS,
    Decision,
    Start,
    decide,
    decision_rows,
    plan_slots,
    render,
    scatter_rows,
)
from ci_gate.thresholds import parse_thresholds
from tests.judge.test_duet import SETTINGS, TEXT, record

BEGIN_S = 1000.0


def decision(outcome: str, question: str = "equal", p50: float = 0.0) -> Decision:
    return Decision(
        question=question,
        outcome=outcome,
        seconds=40.0,
        changes={"p50": p50},
        mdes={"p50": 0.1},
        blocked_by=[],
    )


def start(*decisions: Decision, noise: bool = True, head: str = "", p50: float = 0.0) -> Start:
    same = {"p50": p50, "p95": p50, "p99": p50}
    return Start(
        scenario="checkout",
        noise=noise,
        base_faults="",
        head_faults=head,
        load_average=1.0,
        base_ms=same,
        decisions=list(decisions),
        readings={DUET: [same], SEQUENTIAL: [{metric: 3 * change for metric, change in same.items()}]},
    )


@pytest.mark.parametrize("alone_first", [False, True])
def test_plan_slots__base_then_head_counts_for_as_long_as_a_quarter_of_the_duet(alone_first):
    pieces = plan_slots(120.0, sequential=True, alone_first=alone_first)
    assert [slot.design for slot in pieces[0]] == ([SEQUENTIAL] * 2 if alone_first else [DUET])
    alone = pieces[0] if alone_first else pieces[1]
    assert [slot.on[0][:4] for slot in alone] == ["base", "head"]
    assert sum(slot.seconds - 3 for slot in alone) == 30.0  # 2 s to settle, and what the director rounds


def test_quarter__cuts_without_gaps():
    slot = Slot(design=DUET, turn=0, on=(), seconds=125.0)
    spans = list(quarter(Span(slot=slot, start_s=10.0, end_s=130.0)))
    assert [(span.start_s, span.end_s) for span in spans] == [(10, 40), (40, 70), (70, 100), (100, 130)]


def test_slow_tail__leaves_the_median_and_moves_the_tail_by_just_as_much():
    draw = np.random.default_rng(1)
    at_s, before = draw.uniform(0, DURATION_S, 20_000), draw.lognormal(1, 0.4, 20_000)
    after = slow_tail(1.2, at_s, before)
    assert np.median(after) == np.median(before)
    assert np.quantile(after, 0.95) / np.quantile(before, 0.95) == pytest.approx(1.2, abs=0.02)


@pytest.mark.parametrize(("question", "outcome"), [(QUESTIONS[0], "PASS"), (QUESTIONS[2], "FAIL")])
def test_decide__asks_the_gate_itself(question, outcome):
    thresholds = parse_thresholds(f"compare: {{max_duration: {SETTINGS.max_duration_s}s}}\n{TEXT}", "t")
    pair = (record("base"), record("head"))
    decided = decide(thresholds, thresholds.scenarios[0], question, pair, BEGIN_S)
    assert (decided.question, decided.outcome) == (question.name, outcome)


def test_tables__count_what_is_blocked_by_question_and_scatter_by_design():
    blocked = decision("FAIL", "+10 %", 0.1)
    starts = [start(decision("PASS"), blocked, p50=0.1), start(decision("INCONCLUSIVE"), blocked, p50=-0.1)]
    rows = decision_rows(starts)
    assert [(row[4], row[5][:3], row[6]) for row in rows] == [
        ("equal", "0/2", "PASS 1, INCONCLUSIVE 1"),
        ("+10 %", "2/2", ""),
    ]
    duet, sequential = scatter_rows([*starts, start(head="extra_cpu=1ms", p50=9.0)])
    assert (duet[2:4], sequential[2:4]) == ((DUET, "2"), (SEQUENTIAL, "2"))
    assert float(duet[4].rstrip("%")) / 100 == pytest.approx(math.log(1.1 / 0.9) / math.sqrt(2), abs=0.001)
    for table in render(starts).split("\n\n")[::2]:
        assert len({line.count("|") for line in table.splitlines()}) == 1
