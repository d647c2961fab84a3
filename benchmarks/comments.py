"""Draws each kind of comment as GitHub shows it: ``python -m benchmarks.comments FOLDER [REPORT.md ...]``.

The reports whose comments the tests keep (tests/report/examples.py), and those named: each 734 px wide, on a
phone of 360 px, dark, and with its folds open, as Chromium draws what GitHub's parser (cmark-gfm) makes of
the Markdown. Prints each table that is wider than its place, with the columns that are seen of it. Takes
Chromium and a font with emoji (Debian: fonts-noto-color-emoji).
"""

from __future__ import annotations

import argparse
import base64
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ci_gate.report.comment import MAX_COMMENT_BYTES, render_report
from tests.browser import Browser, Page, running_chromium
from tests.report.examples import EXAMPLES
from tests.report.github_text import render_html

# Widths, paddings, sizes and colours as in GitHub's style sheet for comments: a table is as wide as its text,
# at most as its place, and is scrolled; a line of a cell breaks only at a space.
STYLE = """
:root { color-scheme: light dark; --text: light-dark(#1f2328, #f0f6fc); --page: light-dark(#fff, #0d1117);
        --edge: light-dark(#d1d9e0, #3d444d); --row: light-dark(#f6f8fa, #151b23);
        --code: light-dark(#818b981f, #656c7633); --link: light-dark(#0969da, #4493f8); }
body { margin: 0; padding: 16px; color: var(--text); background: var(--page); line-height: 1.5;
       word-wrap: break-word;
       font: 14px/1.5 -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif; }
table { border-spacing: 0; border-collapse: collapse; display: block; width: max-content; max-width: 100%;
        overflow: auto; font-variant: tabular-nums; }
td, th { border: 1px solid var(--edge); padding: 6px 13px; } th { font-weight: 600; }
tr { background: var(--page); } tr:nth-child(2n) { background: var(--row); }
code { background: var(--code); border-radius: 6px; padding: .2em .4em; white-space: break-spaces;
       font: 85% ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; }
pre { background: var(--row); padding: 16px; border-radius: 6px; overflow: auto; line-height: 1.45; }
pre code { background: none; padding: 0; white-space: pre; }
a { color: var(--link); } p, ul, table, details, pre { margin: 0 0 16px; } ul { padding-left: 2em; }
li + li { margin-top: .25em; }
h2 { font-size: 1.5em; line-height: 1.25; font-weight: 600; margin: 0 0 16px; padding-bottom: .3em;
     border-bottom: 1px solid var(--edge); }
"""
WIDE_TABLES = """
[...document.querySelectorAll('table')].filter(table => table.checkVisibility())
  .filter(table => table.scrollWidth > table.clientWidth)
  .map(table => [table, table.getBoundingClientRect().right + 1])
  .map(([table, edge]) => `${table.scrollWidth} px in ${table.clientWidth}, of which is seen: `
    + [...table.rows[0].cells].filter(cell => cell.getBoundingClientRect().right <= edge)
      .map(cell => cell.innerText).join(', '))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One way to see a comment. ``width`` is of the window; its text has 32 px less."""

    name: str
    width: int
    is_dark: bool = False
    is_open: bool = False  # with each fold open


LOOKS = (
    Look(name="734", width=734 + 32),
    Look(name="360", width=360),
    Look(name="dark", width=734 + 32, is_dark=True),
    Look(name="open", width=734 + 32, is_open=True),
)


def write_page(path: Path, markdown: str) -> None:
    """The comment as a page of its own."""
    head = "<!doctype html><meta charset=utf-8><meta name=viewport content='width=device-width'>"
    path.write_text(f"{head}<style>{STYLE}</style>{render_html(markdown)}", encoding="utf-8")


def draw(page: Page, path: Path, *, whole: bool) -> None:
    """What the page looks like, below its window's edge too if ``whole``."""
    answer = page.call("Page.captureScreenshot", captureBeyondViewport=whole)
    path.write_bytes(base64.b64decode(answer["data"]))


def draw_comment(browser: Browser, markdown: str, name: str, folder: Path) -> Iterator[str]:
    """A picture of each look in ``folder``; yields a line for each table that does not fit."""
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "comment.html"
        write_page(file, markdown)
        for look in LOOKS:
            with browser.open(file, width=look.width, height=200, dark=look.is_dark) as page:
                if look.is_open:
                    page.run("document.querySelectorAll('details').forEach(each => each.open = true)")
                for table in page.run(WIDE_TABLES):
                    yield f"{name}-{look.name}: a table of {table}"
                draw(page, folder / f"{name}-{look.name}.png", whole=True)


def main() -> None:
    """Draw every example, and the reports that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("reports", type=Path, nargs="*")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    comments = {name: render_report(report, MAX_COMMENT_BYTES) for name, report in EXAMPLES.items()}
    comments |= {path.parent.name: path.read_text(encoding="utf-8") for path in arguments.reports}
    with running_chromium() as browser:
        for name, markdown in comments.items():
            for line in draw_comment(browser, markdown, name, arguments.folder):
                print(line)


if __name__ == "__main__":
    main()
