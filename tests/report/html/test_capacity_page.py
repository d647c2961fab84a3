"""capacity.html: its charts as data, and the page in a real browser."""

from __future__ import annotations

import json
import re

import pytest

from ci_gate.report.html.capacity import render_capacity_html
from tests.browser import running_chromium
from tests.report.capacities import capacities

NAMES = ("knee", "peak", "at-least", "generator", "unfinished", "nothing")


@pytest.fixture(scope="module")
def verdicts():
    return capacities()


def read_charts(page):
    (data,) = re.findall(r'<script type="application/json" id="charts">(.*?)</script>', page, re.DOTALL)
    return json.loads(data)


def test_charts__show_what_was_measured_with_the_law_and_the_knee(verdicts):
    charts = read_charts(render_capacity_html(verdicts["knee"]))
    throughput = charts["throughput"]
    measured, law = throughput["lines"]
    loads = [step.load for step in verdicts["knee"].steps]
    assert [x for x, value in zip(throughput["x"], measured["values"], strict=True) if value] == loads
    assert throughput["x"] == sorted(set(throughput["x"]))
    assert all(
        low < value < high for low, value, high in zip(law["low"], law["values"], law["high"], strict=True)
    )
    assert throughput["marks"][0]["label"] == "knee at 38.9 users"
    assert throughput["spans"][0]["begin"] == 37.2
    assert [line["label"] for line in charts["latency"]["lines"]] == ["p50", "p95", "p99"]
    assert charts["latency"]["marks"][0]["label"] == "limit p95 200ms"
    assert charts["law"]["lines"][1]["label"] == "scalability law, 95 %"


def test_charts__without_knee_and_law_show_what_was_measured(verdicts):
    charts = read_charts(render_capacity_html(verdicts["unfinished"]))
    assert list(charts) == ["throughput", "latency"]
    assert charts["throughput"]["marks"] == []
    assert len(charts["throughput"]["lines"]) == 1
    assert read_charts(render_capacity_html(verdicts["nothing"])) == {}


def test_charts__mark_a_peak_only_where_it_was_measured(verdicts):
    assert read_charts(render_capacity_html(verdicts["peak"]))["law"]["marks"] == []


@pytest.mark.browser
def test_page__draws_its_charts_without_a_complaint_and_fits_a_phone(verdicts, tmp_path):
    with running_chromium() as browser:
        for name in NAMES:
            path = tmp_path / f"{name}.html"
            path.write_text(render_capacity_html(verdicts[name]), encoding="utf-8")
            with browser.open(path, width=360, height=740) as page:
                assert page.run("document.documentElement.dataset.ready") == "true"
                charts = page.run("document.querySelectorAll('.plot').length")
                assert page.run("document.querySelectorAll('.plot canvas').length") == charts
                assert charts == len(read_charts(path.read_text(encoding="utf-8")))
                assert page.run("document.documentElement.scrollWidth") == 360
                assert page.complaints == []
                assert page.requests == []
