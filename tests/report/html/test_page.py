"""The shell of a page: what is let in, and that nothing gets out of the element it stands in."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re

import pytest

from ci_gate.report.escape import clean
from ci_gate.report.html.chart import Chart, Line
from ci_gate.report.html.page import render_page

HOSTILE = "</script><script>alert(1)</script><!-- \u2028\u2029 ]]> & 'q' \"q\" <img src=x onerror=alert(1)>"


def make_chart(**changes):
    values = {
        "key": "rate",
        "title": "Rate",
        "x": (0.0, 1.0),
        "lines": (Line(label="successes", values=(1.0, None), colour="good"),),
        "y_label": "per second",
        "summary": "one",
    }
    return Chart(**{**values, **changes})


def test_policy__lets_in_what_the_page_holds_and_nothing_else():
    page = render_page("page.html", charts=[])
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]+)"', page).group(1))
    allowed = dict(part.split(" ", 1) for part in policy.split("; "))
    assert allowed["default-src"] == "'none'"
    for tag in ("style", "script"):
        held = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        hashes = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in held]
        assert allowed[f"{tag}-src"].split() == [f"'sha256-{each}'" for each in hashes]
        assert len(held) == 2
    assert "unsafe" not in policy
    assert set(allowed) == {"default-src", "style-src", "script-src", "img-src", "base-uri", "form-action"}


@pytest.mark.parametrize("name", [HOSTILE, "<!--<script>", "\u2028", "a&b"])
def test_chart_data__stays_in_its_element(name):
    chart = make_chart(title=name, lines=(Line(label=name, values=(1.0, 2.0), colour="head"),))
    page = render_page("page.html", charts=[chart])
    (data,) = re.findall(r'<script type="application/json" id="charts">(.*?)</script>', page, re.DOTALL)
    assert not set("<>&\u2028\u2029") & set(data)
    shown = json.loads(data)["rate"]
    assert shown["title"] == shown["lines"][0]["label"] == clean(name, 2000)


def test_chart_data__has_no_characters_that_disguise_a_name():
    page = render_page("page.html", charts=[make_chart(title="GET /\u202egpj.exe\u200b")])
    assert "GET /\ufffdgpj.exe\ufffd" in page
    assert "\u202e" not in page


def test_page__has_no_reference_to_the_outside():
    page = render_page("page.html", charts=[make_chart()])
    without_comments = re.sub(r"<!--.*?-->|/\*.*?\*/", "", page, flags=re.DOTALL)
    assert re.findall(r"""(?:src|href|action|data)\s*=\s*["'](?!#|data:)[^"']*""", without_comments) == []
    assert re.findall(r"@import|url\(", without_comments) == []


def test_page__has_no_handler_and_no_style_in_an_attribute():
    page = render_page("page.html", charts=[])
    markup = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)
    assert re.findall(r"<[^>]*\s(?:on\w+|style)\s*=", markup) == []
