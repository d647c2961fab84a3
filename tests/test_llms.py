"""llms.txt leads to what is there, in the form that https://llmstxt.org describes."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "llms.txt").read_text(encoding="utf-8")


def test_links__lead_to_files():
    links = re.findall(r"^- \[[^]]+\]\(([^)]+)\): .", TEXT, re.MULTILINE)
    assert len(links) == len(set(links)) > 10
    assert [link for link in links if not (ROOT / link).is_file()] == []


def test_form__is_a_title_a_summary_and_sections_of_links():
    title, summary, *_ = TEXT.split("\n\n")
    assert title == "# ci-gate"
    assert all(line.startswith("> ") for line in summary.splitlines())
    assert re.findall(r"^## (\w+)$", TEXT, re.MULTILINE) == ["Use", "Understand", "Change"]
