"""What GitHub makes of Markdown: GFM by its own parser, then its searches in the rendered text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

import cmarkgfm
from cmarkgfm.cmark import Options

_OPTIONS = Options.CMARK_OPT_UNSAFE | Options.CMARK_OPT_GITHUB_PRE_LANG
_IN_RENDERED_TEXT = {
    "mention": r"(?<![\w`])@[a-z\d](?:[a-z\d]|-(?=[a-z\d]))*",
    "issue": r"(?:^|[^\w&])(?:[\w.-]+/[\w.-]+|[\w-]+)?#\d+|\bgh-\d+",
    "link": r"https?://\S|ftp://\S|\bwww\.\S|[\w.+-]+@[\w-]+\.\w",
    "emoji": r":[\w+-]+:",
    "commit": r"\b[0-9a-f]{7,40}\b",
}


@dataclass
class Rendered(HTMLParser):
    """Tags in order, the text outside code, all text, cells of each table row, and where links lead."""

    tags: list[str] = field(default_factory=list)
    prose: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    tables: list[list[int]] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    code_depth: int = 0

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.code_depth += tag == "code"
        if tag == "a":
            self.links.append(dict(attrs)["href"])
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append(0)
        elif tag in {"td", "th"}:
            self.tables[-1][-1] += 1

    def handle_endtag(self, tag):
        self.code_depth -= tag == "code"

    def handle_data(self, data):
        self.text.append(data)
        self.prose.append(" " * len(data) if self.code_depth else data)


def render_html(markdown: str) -> str:
    return cmarkgfm.github_flavored_markdown_to_html(markdown, options=_OPTIONS)


def render(markdown: str) -> Rendered:
    rendered = Rendered()
    rendered.feed(render_html(markdown))
    rendered.close()
    return rendered


def find_references(rendered: Rendered) -> dict[str, list[str]]:
    """Everything in the prose that GitHub would turn into a link, a notification or a picture."""
    prose = "".join(rendered.prose)
    found = {kind: re.findall(pattern, prose, re.IGNORECASE) for kind, pattern in _IN_RENDERED_TEXT.items()}
    return {kind: hits for kind, hits in found.items() if hits}
