"""What a page brings along: uPlot as it was published, and colours that can be distinguished."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.servers import skip_or_fail

STATIC = Path(__file__).parents[3] / "ci_gate" / "report" / "html" / "static"
NPM = Path(__file__).parents[2] / "workflows"
CSS = (STATIC / "report.css").read_text(encoding="utf-8")
PAIRS = {
    name: (light, dark)
    for name, light, dark in re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", CSS)
}
GROUNDS = ("page", "card", "sunk")
LINES = ("good", "bad", "base", "head", "blue", "orange", "teal", "purple", "pink", "grey", "focus")


def luminance(colour):
    """WCAG 2.2, relative luminance."""
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    """WCAG 2.2, contrast ratio."""
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_contrast__is_that_of_the_standard():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # just not enough


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("text", ["text", "soft", "link", "pass", "fail", "invalid", "inconclusive"])
def test_text__has_a_contrast_of_aa_on_every_ground(text, ground, theme):
    assert contrast(PAIRS[text][theme], PAIRS[ground][theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("outcome", ["pass", "fail", "invalid", "inconclusive"])
def test_verdict__has_a_contrast_of_aa_on_its_tint(outcome, theme):
    tint = PAIRS[f"{outcome}-tint"][theme]
    assert all(contrast(PAIRS[text][theme], tint) >= 4.5 for text in (outcome, "text", "soft", "link"))


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("line", LINES)
def test_line__has_the_contrast_of_a_graphic_on_its_card(line, theme):
    assert contrast(PAIRS[line][theme], PAIRS["card"][theme]) >= 3


def test_colours__are_all_named_in_the_style_sheet():
    used = set(re.findall(r"var\(--([\w-]+)\)", CSS)) - {"mono", "sans"}
    assert used <= set(PAIRS)
    assert re.findall(r"#[0-9a-f]{3,8}\b", re.sub(r":root \{.*?\}", "", CSS, count=1, flags=re.DOTALL)) == []


def test_uplot__is_the_published_package_of_the_locked_version():
    published = NPM / "node_modules" / "uplot"
    if not published.is_dir():
        skip_or_fail("the npm packages are not installed: .ci/node does that")
    locked = json.loads((NPM / "package-lock.json").read_text())["packages"]["node_modules/uplot"]["version"]
    assert json.loads((published / "package.json").read_text())["version"] == locked
    for name, original in {
        "uPlot.iife.min.js": "dist/uPlot.iife.min.js",
        "uPlot.min.css": "dist/uPlot.min.css",
        "uPlot.LICENSE": "LICENSE",
    }.items():
        assert (STATIC / name).read_bytes() == (published / original).read_bytes()
    assert f"(v{locked})".encode() in (STATIC / "uPlot.iife.min.js").read_bytes()
