"""A suggestion as an edit of thresholds.yaml that `ci-gate check` accepts, and as remarks."""

from __future__ import annotations

import dataclasses
import difflib

import pytest

from ci_gate.errors import UsageError
from ci_gate.judge.limits import Figure
from ci_gate.judge.suggest.suggestion import Evidence, Unusable, suggest
from ci_gate.report.suggestion import render_remarks, write_suggestion
from ci_gate.thresholds import parse_thresholds
from tests.judge.test_suggest import ELSEWHERE, read, run, runs
from tests.judge.test_tolerances import equal
from tests.report.verdicts import duet

OF_RUNS = "measured in 3 runs, 9,000 successes: median 101 ms (100 to 102 ms)"
TIGHTER = "tighter than the 130ms that they support"
OF_DUETS = "5 comparisons of equal versions: median 1 % worse, 1 % at most; detectable 3 %"


def make(thresholds, measured=(), duets=(), unusable=(), **options):
    evidence = Evidence(
        runs={"visits": tuple(measured)} if measured else {},
        duets={"visits": tuple(duets)} if duets else {},
        unusable=unusable,
    )
    return suggest(thresholds, evidence, **options)


def edit(thresholds, suggestion):
    """The lines that the suggestion adds and takes away."""
    new = write_suggestion(thresholds, suggestion)
    diff = difflib.unified_diff(thresholds.text.splitlines(), new.text.splitlines(), lineterm="", n=0)
    return [line for line in diff if line[0] in "+-" and line[:3] not in {"+++", "---"}]


def test_edit__limits_stand_with_what_they_are_of():
    thresholds = read()
    assert edit(thresholds, make(thresholds, runs())) == [
        "-      all: {failures: 1%}",
        "+      # p95: measured in 3 runs, 9,000 successes: median 101 ms (100 to 102 ms), margin 27 %",
        "+      # rate: measured in 3 runs, 9,000 requests: median 50/s (50 to 50/s), margin 6 %",
        "+      all: {failures: 1%, p95: 130ms, rate: 47/s}",
        "+      GET /a:",
        f"+        p95: 130ms  # {OF_RUNS}, margin 27 %",
    ]


def test_edit__a_todo_is_a_comment_and_goes_when_there_is_a_limit():
    thresholds = read("all: {failures: 1%, rate: 5/s}")
    elsewhere = make(thresholds, runs(runner=ELSEWHERE, ci=False))
    lines = edit(thresholds, elsewhere)
    assert lines[0] == (
        "+      # TODO p95 of all: not the runner that will judge; measured in 3 runs, 9,000 successes: "
        "median 101 ms (100 to 102 ms), on Apple M2, 8 CPUs, macOS"
    )
    assert [line.split(":")[0] for line in lines] == [
        "+      # TODO p95 of all",
        "+      # TODO p95 of GET /a",
    ]
    with_todos = write_suggestion(thresholds, elsewhere)
    again = write_suggestion(with_todos, make(with_todos, runs(4, runner=ELSEWHERE, ci=False)))
    assert again.text.count("TODO") == 2
    assert "measured in 4 runs" in again.text
    done = write_suggestion(again, make(again, runs()))
    assert "TODO" not in done.text
    assert done.text.count("130ms") == 2


def test_edit__suggesting_twice_changes_nothing_more():
    once = write_suggestion(read(), make(read(), runs()))
    assert write_suggestion(once, make(once, runs())).text == once.text


def test_edit__replaced_limits_take_their_comments_along():
    once = write_suggestion(read(), make(read(), runs()))
    slower = [run(p95=200.0 + number) for number in range(3)]
    lines = edit(once, make(once, slower, replaces=True))
    assert [line for line in lines if "measured" not in line] == [
        "-      all: {failures: 1%, p95: 130ms, rate: 47/s}",
        "+      all: {failures: 0.1%, p95: 260ms, rate: 47/s}",
    ]
    assert sum("measured" in line for line in lines) == 5  # failures are new, both others take a place


def test_edit__a_number_without_a_unit_stays_one():
    thresholds = read("all: {failures: 0.1%, p95: 130ms, rate: 5/s, statements: 9}")
    figures = {("all", "statements"): Figure(measured=3.0, samples=9)}
    measured = [dataclasses.replace(each, figures={**each.figures, **figures}) for each in runs()]
    lines = edit(thresholds, make(thresholds, measured, replaces=True))
    assert "+      all: {failures: 0.1%, p95: 130ms, rate: 47/s, statements: 3.3}" in lines
    assert "+      # statements: measured in 3 runs, 27 successes: median 3 (3 to 3), margin 10 %" in lines


def test_edit__tolerances_only_if_asked():
    thresholds = read("all: {failures: 1%}\n    regression: {p95: 10%}")
    duets = [duet(equal(0.01)) for _ in range(5)]
    assert edit(thresholds, make(thresholds, duets=duets)) == []
    assert edit(thresholds, make(thresholds, duets=duets, replaces=True)) == [
        "-    regression: {p95: 10%}",
        f"+    # p95: measured in {OF_DUETS}",
        "+    regression: {p95: 4%}",
    ]


def test_edit__what_cannot_be_edited_in_place_is_refused_by_name():
    text = read().text.replace(
        "    limits:\n      all: {failures: 1%}", "    limits:\n      ? all\n      : {p50: 1s}"
    )
    thresholds = parse_thresholds(text, "thresholds.yaml")
    with pytest.raises(UsageError, match="cannot be edited in place"):
        write_suggestion(thresholds, make(thresholds, runs(**{"GET /b": 3000})))


def remarks(thresholds, *arguments, **options):
    return list(render_remarks(make(thresholds, *arguments, **options)))


def test_remarks__say_what_was_not_used_and_what_is_kept():
    unusable = (Unusable(scenario="visits", run="out/1", why="INVALID: throttled"),)
    lines = remarks(read("all: {p95: 110ms}\n      GET /a: {p50: 50ms}"), runs(), unusable=unusable)
    assert lines == [
        "not used: visits of out/1: INVALID: throttled",
        "latencies and rates are of runs on AMD EPYC 7763, 4 CPUs, ubuntu24",
        f"visits: kept: p95 of all: 110ms; {OF_RUNS}; {TIGHTER}",
        f"visits: kept: p50 of GET /a: 50ms; {OF_RUNS}; broken by 3 runs; {TIGHTER}",
    ]


def test_remarks__say_what_is_loosened():
    lines = remarks(read("all: {p95: 110ms}"), runs(), replaces=True)
    assert "visits: loosened: p95 of all from 110ms to 130ms" in lines
    assert not any("loosened" in line for line in remarks(read("all: {p95: 1s}"), runs(), replaces=True))


def test_remarks__say_what_is_missing():
    lines = remarks(read(), runs(1, ci=False, **{"GET /c": 60, "odd": 3000}))
    assert lines[0].startswith("no run is known to be of the runner that will judge: latencies and rates are")
    assert "visits: TODO p95 of all: not the runner that will judge" in lines
    assert "visits: no limit on GET /c: with 1/s no percentile can be shown in the shortest profile" in lines
    assert any(line.startswith("visits: no limit on 'odd': thresholds.yaml cannot hold") for line in lines)


def test_remarks__on_tolerances():
    thresholds = read("all: {failures: 1%}\n    regression: {p95: 3%, rate: 5%}")
    duets = [duet(equal(0.01), equal(0.0, metric="rate")) for _ in range(5)]
    assert remarks(thresholds, duets=duets, replaces=True) == [
        "visits: loosened: tolerance of p95 from 3% to 4%",
        "visits: tightened: tolerance of rate from 5% to 3%",
    ]
    assert remarks(thresholds, duets=duets[:4])[0] == (
        "visits: kept: tolerance of p95: 3%; 1 comparison more of equal versions would support one"
    )
    assert remarks(thresholds, duets=duets)[1] == (
        f"visits: kept: tolerance of rate: 5%; {OF_DUETS.replace('1 %', '0 %')}; they support 3%"
    )
