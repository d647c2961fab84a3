"""The pages in a real browser: what a person sees, clicks and types."""

from __future__ import annotations

import json

import pytest

from ci_gate.judge.history.record import join_runs
from ci_gate.judge.history.worse import judge_history
from ci_gate.report.html.history import render_history_html
from ci_gate.report.html.overview import OverviewRun, render_overview
from ci_gate.report.html.page import render_page
from ci_gate.report.html.report import render_html
from tests.browser import running_chromium
from tests.judge.histories import EPYC, XEON, make_run
from tests.judge.test_history import raised, scatter
from tests.report.html.runs import runs

pytestmark = pytest.mark.browser
NAMES = ("pass", "fail", "invalid", "compared", "hostile")
PIXELS = """
[...document.querySelectorAll(".plot canvas")].map(canvas => {
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const colours = new Set();
  for (let at = 0; at < data.length; at += 4)
    if (data[at + 3] > 200) colours.add(data[at] << 16 | data[at + 1] << 8 | data[at + 2]);
  return colours.size;
})
"""
CAPTIONS_CUT = """
[...document.querySelectorAll(".scroll caption")].filter(caption => {
  const text = document.createRange();
  text.selectNodeContents(caption);
  return text.getBoundingClientRect().right > caption.closest(".scroll").getBoundingClientRect().right + 1;
}).map(caption => caption.innerText)
"""
PAINTED = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
ENDPOINTS = "document.querySelector('#s0-endpoints table')"
HEAD = "#s0-endpoints thead th:nth-child({}) button"
COLUMN = ENDPOINTS + ".tBodies[0].rows"


@pytest.fixture(scope="module")
def chromium():
    with running_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    for name, (report, timeline) in runs().items():
        (folder / f"{name}.html").write_text(render_html(report, timeline), encoding="utf-8")
    history = [OverviewRun(name=f"run {name}", verdict=runs()[name][0].verdict) for name in NAMES]
    (folder / "overview.html").write_text(render_overview(history), encoding="utf-8")
    (folder / "history.html").write_text(draw_history(), encoding="utf-8")
    (folder / "empty.html").write_text(render_page("page.html", charts=[]), encoding="utf-8")
    return folder


def draw_history():
    """60 commits on two kinds of machine, slower from one on, each compared with the one before."""
    history = join_runs(
        make_run(
            number,
            {"p50": value / 5, "p95": value, "rate": 80.0},
            changes={"p95": 0.01},
            environment=EPYC if number % 3 else XEON,
        )
        for number, value in enumerate(map(float, raised(scatter(), 30, 1.3)))
    )
    return render_history_html(history, judge_history(history))


def read_column(page, number):
    return page.run(f"[...{COLUMN}].map(row => row.cells[{number - 1}].textContent.trim())")


def read_sort(page, number):
    return page.run(f"{ENDPOINTS}.tHead.rows[0].cells[{number - 1}].getAttribute('aria-sort')")


@pytest.mark.parametrize("name", [*NAMES, "overview", "history", "empty"])
def test_page__draws_every_chart_without_a_complaint_or_a_request(chromium, pages, name):
    with chromium.open(pages / f"{name}.html") as page:
        charts = page.run("document.querySelectorAll('.plot').length")
        assert page.run("document.documentElement.dataset.ready") == "true"
        colours = page.run(PIXELS)
        assert len(colours) == charts
        assert charts == 0 if name == "empty" else charts >= 3
        assert all(number >= 4 for number in colours)
        assert page.complaints == []
        assert page.requests == []


@pytest.mark.parametrize("name", ["fail", "compared", "hostile", "overview", "history"])
def test_phone__shows_the_page_without_scrolling_sideways(chromium, pages, name):
    with chromium.open(pages / f"{name}.html", width=360, height=740) as page:
        assert page.run("document.documentElement.scrollWidth") == 360
        assert page.run(CAPTIONS_CUT) == []
        wide = page.run(
            "[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > 361"
            " && !e.closest('.scroll, pre')).map(e => e.className || e.tagName)"
        )
        assert wide == []
        assert page.run("document.querySelector('.scroll table').offsetWidth") > 100


def test_table__sorts_by_mouse_both_ways_and_keeps_the_total_on_top(chromium, pages):
    with chromium.open(pages / "fail.html") as page:
        assert read_sort(page, 2) == "none"
        page.click(HEAD.format(2))
        assert read_sort(page, 2) == "descending"
        first, *requests = [int(text.replace(",", "")) for text in read_column(page, 2)]
        assert requests == sorted(requests, reverse=True)
        assert first == sum(requests)
        page.click(HEAD.format(2))
        assert read_sort(page, 2) == "ascending"
        assert [int(text.replace(",", "")) for text in read_column(page, 2)] == [first, *sorted(requests)]
        page.click(HEAD.format(1))
        assert (read_sort(page, 1), read_sort(page, 2)) == ("ascending", "none")
        assert read_column(page, 1) == ["all", "GET /items", "GET /items/{id}", "POST /orders"]


def test_table__sorts_by_keyboard(chromium, pages):
    with chromium.open(pages / "fail.html") as page:
        page.run(f"document.querySelector({json.dumps(HEAD.format(1))}).focus()")
        page.press("Tab")
        assert page.run("document.activeElement.textContent") == "requests"
        page.press("Enter")
        assert read_sort(page, 2) == "descending"
        page.press("Enter")
        assert read_sort(page, 2) == "ascending"


def test_table__puts_what_was_not_measured_last_either_way(chromium, pages):
    with chromium.open(pages / "fail.html") as page:
        page.run(f"{COLUMN}[1].cells[3].removeAttribute('data-key')")
        nothing = page.run(f"{COLUMN}[1].cells[0].textContent")
        for _ in range(2):
            page.click(HEAD.format(4))
            assert read_column(page, 1)[-1] == nothing


def test_chart__is_read_by_keyboard_and_shares_its_cursor(chromium, pages):
    with chromium.open(pages / "fail.html") as page:
        status = "document.querySelector('#s0-rate [role=status]').textContent"
        page.run("document.querySelector('#s0-rate .plot').focus()")
        page.press("ArrowRight")
        assert page.run(status).startswith("0:00, ramp-up: successes ")
        page.press("End")
        page.press("ArrowLeft")
        assert page.run(status).startswith("1:16, drain: successes 0, failures 0")
        for figure in ("s0-rate", "s0-latency", "s0-pool"):
            assert page.run(f"document.querySelector('#{figure} .legend .at').textContent") == "1:16"
        assert page.run("document.querySelector('#s1-rate .legend .at').textContent") == ""
        page.press("Escape")
        assert page.run("document.querySelector('#s0-latency .legend .at').textContent") == ""


def test_chart__shows_values_under_the_mouse(chromium, pages):
    with chromium.open(pages / "pass.html") as page:
        page.run(
            "document.querySelector('#s0-latency').scrollIntoView({block: 'center', behavior: 'instant'})"
        )
        box = "document.querySelector('#s0-latency .u-over').getBoundingClientRect()"
        x, y = page.run(f"(r => [r.x + r.width / 2, r.y + r.height / 2])({box})")
        page.move(x, y)
        page.run(PAINTED)
        values = page.run(
            "[...document.querySelectorAll('#s0-latency .legend b')].map(b => Number(b.textContent))"
        )
        assert values == sorted(values)
        assert 0 < values[0] < values[2] < 1000


def test_line__is_hidden_and_shown_by_its_button(chromium, pages):
    with chromium.open(pages / "fail.html") as page:
        button = "#s0-rate .legend button"
        pressed = f"document.querySelector('{button}').getAttribute('aria-pressed')"
        before = page.run("document.querySelector('#s0-rate canvas').toDataURL()")
        page.click(button)
        assert page.run(pressed) == "false"
        page.run(PAINTED)
        assert page.run("document.querySelector('#s0-rate canvas').toDataURL()") != before
        page.click(button)
        assert page.run(pressed) == "true"


def test_figures__have_every_point_once_they_are_opened(chromium, pages):
    with chromium.open(pages / "fail.html") as page:
        rows = "document.querySelectorAll('#s0-latency .figures tbody tr').length"
        assert page.run(rows) == 3
        page.click("#s0-latency summary")
        page.run(PAINTED)
        assert page.run(rows) == 3 + 78


def test_theme__follows_the_system_unless_chosen(chromium, pages):
    background = "getComputedStyle(document.body).backgroundColor"
    with chromium.open(pages / "pass.html") as page:
        light = page.run(background)
        page.prefer("dark")
        dark = page.run(background)
        assert light != dark
        seen = []
        for _ in range(3):
            page.click("#theme")
            seen.append((page.run("document.documentElement.dataset.theme"), page.run(background)))
        assert seen == [("light", light), ("dark", dark), ("auto", dark)]
        assert page.complaints == []


def test_theme__repaints_the_charts(chromium, pages):
    canvas = "document.querySelector('#s0-rate canvas').toDataURL()"
    with chromium.open(pages / "pass.html") as page:
        light = page.run(canvas)
        page.click("#theme")
        page.click("#theme")
        page.run(PAINTED)
        assert page.run(canvas) != light


def test_hostile_names__are_text(chromium, pages):
    with chromium.open(pages / "hostile.html") as page:
        assert page.run("document.querySelectorAll('img, iframe, a[href^=javascript]').length") == 0
        assert page.run("document.querySelectorAll('script').length") == 3
        assert "<img src=x" in page.run(
            "document.querySelector('h2 + *').parentElement.textContent + document.body.textContent"
        )
        assert page.complaints == []


def test_without_javascript__verdict_reasons_and_tables_are_there(chromium, pages):
    with chromium.open(pages / "fail.html", javascript=False) as page:
        page.call("Emulation.setScriptExecutionDisabled", value=False)
        text = page.run("document.querySelector('main').innerText")
        assert "Without JavaScript there are no charts" in text
        for word in ("checkout broke 5 limits", "times the limit", "GET /items/{id}", "Diagnosis"):
            assert word in text
        assert page.run("document.querySelectorAll('canvas').length") == 0
        assert page.run("document.querySelector('#theme').hidden")


def test_page_is_watched__a_request_and_a_complaint_would_be_seen(chromium, pages):
    text = (pages / "pass.html").read_text(encoding="utf-8")
    text = text.replace("img-src data:", "img-src *").replace(
        "<main", '<img src="http://127.0.0.1:9/x"><main'
    )
    (pages / "broken.html").write_text(text.replace('"use strict";', '"use strict"; '), encoding="utf-8")
    with chromium.open(pages / "broken.html") as page:
        assert page.requests == ["http://127.0.0.1:9/x"]
        assert page.complaints != []
        assert page.run("document.querySelectorAll('canvas').length") == 0  # a changed script does not run
