"""Trends in sentences, as text and as a page."""

from __future__ import annotations

import json
import re

import pytest

from ci_gate.judge.history.record import join_runs
from ci_gate.judge.history.worse import judge_history
from ci_gate.report.comment import render_report
from ci_gate.report.history import describe_worsening, render_trend_line, render_trends
from ci_gate.report.html.history import render_history_html
from ci_gate.report.report import Report
from tests.judge.histories import EPYC, XEON, make_history, make_run, name_commit
from tests.judge.test_history import chained, links, raised, scatter
from tests.report.verdicts import scenario, verdict

WORSE = make_history(raised(scatter(), 19, 1.2))
HOSTILE = "</script><script>alert(1)</script> @everyone `x` | #1"


def charts_of(page):
    (data,) = re.findall(r'<script type="application/json" id="charts">(.*?)</script>', page, re.DOTALL)
    return json.loads(data)


def test_sentence__says_what_how_much_and_since_when():
    (worse,) = judge_history(WORSE).worse
    sentence = describe_worsening(worse)
    change, where = sentence.split(" since ")
    assert re.fullmatch(r"p95 of checkout has changed \+\d+ % \(\+\d+ to \+\d+\)", change)
    assert where == f"41 commits, first at {name_commit(19)[:10]}"


def test_sentence__calls_many_small_steps_a_creep():
    (worse,) = judge_history(chained(links(each=0.02))).worse
    assert "has crept +" in describe_worsening(worse)


def test_line__escapes_names():
    runs = [
        make_run(n, {"p95": float(v)}, scenario=HOSTILE) for n, v in enumerate(raised(scatter(), 30, 1.3))
    ]
    line = render_trend_line(judge_history(join_runs(runs)), HOSTILE)
    assert "<script>" not in line
    assert "@everyone" not in re.sub(r"<code>.*?</code>", "", line)


@pytest.mark.parametrize("outcome", ["PASS", "FAIL"])
def test_comment__has_the_line_open_at_its_end(outcome):
    judged = verdict(scenario(outcome=outcome), outcome=outcome)
    told = render_report(Report(verdict=judged, trend="On `main`: slower."), 65_000)
    assert "\nOn `main`: slower.\n" in told.rpartition("</details>")[2]
    assert "On `main`" not in render_report(Report(verdict=judged), 65_000)


def test_text__has_what_is_worse_and_every_change_of_a_level():
    text = render_trends(WORSE, judge_history(WORSE))
    assert text.startswith("60 runs from 2026-01-01")
    assert "worse: p95 of checkout" in text
    assert f"{name_commit(18)[:10]}..{name_commit(19)[:10]}" in text
    assert "AMD EPYC 7763 64-Core Processor, 4 CPUs, ubuntu24" in text


def test_text__says_how_many_series_stayed_as_they_were():
    equal = make_history(scatter())
    assert "nothing has become worse, as far as 1 series can tell" in render_trends(
        equal, judge_history(equal)
    )
    assert render_trends(join_runs([]), judge_history(join_runs([]))) == "no run: nothing can be told\n"


def test_page__draws_every_metric_of_every_scenario_with_levels_and_intervals():
    figures = {"p50": 40.0, "p95": 200.0, "p99": 400.0, "rate": 60.0, "failures": 0.001}
    history = join_runs(
        make_run(n, {name: value * (1.3 if n >= 20 else 1) + n % 3 for name, value in figures.items()})
        for n in range(40)
    )
    charts = charts_of(render_history_html(history, judge_history(history)))
    assert list(charts) == ["h0-p50", "h0-p95", "h0-p99", "h0-rate", "h0-failures"]
    points, level = charts["h0-p95"]["lines"]
    assert len(points["values"]) == 40
    assert len([*filter(None, level["low"])]) == 40
    assert all(
        low <= each <= high
        for low, each, high in zip(level["low"], level["values"], level["high"], strict=True)
    )
    assert [mark["at"] for mark in charts["h0-p95"]["marks"]] == [20.0]
    assert charts["h0-rate"]["marks"][0]["tone"] == "pass"


def test_page__draws_a_line_for_each_kind_of_machine():
    history = make_history(scatter(), environments=[EPYC, XEON] * 30)
    (chart,) = charts_of(render_history_html(history, judge_history(history))).values()
    assert [line["label"] for line in chart["lines"][::2]] == [
        "AMD EPYC 7763 64-Core Processor, 4 CPUs, ubuntu24; 100 users, full",
        "Intel Xeon Platinum 8370C, 4 CPUs, ubuntu24; 100 users, full",
    ]


def test_page__adds_changes_against_base_up():
    history = chained(links(each=0.02))
    page = render_history_html(history, judge_history(history))
    assert "p95 against base, added up" in page
    assert "99.9 % interval" in page


def test_page__keeps_hostile_names_in_their_place():
    runs = [
        make_run(n, {"p95": float(v)}, scenario=HOSTILE) for n, v in enumerate(raised(scatter(), 30, 1.3))
    ]
    page = render_history_html(join_runs(runs), judge_history(join_runs(runs)))
    assert "<script>alert" not in page


@pytest.mark.parametrize("history", [join_runs([]), make_history([200.0] * 9)])
def test_page__of_too_few_runs_says_that_nothing_can_be_told(history):
    page = render_history_html(history, judge_history(history))
    assert "Nothing can be told yet: it takes 10 runs on one kind of machine" in page
    assert "has become worse" not in page
