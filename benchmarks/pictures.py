"""Draws docs/pictures from a real run: ``python -m benchmarks.pictures RUN`` (a folder with its reports).

The comment is report.md as GitHub's own Markdown renderer (cmark-gfm) makes HTML of it, 734 px wide; the page
is the top of report.html. Takes Chromium, and a font with emoji (Debian: fonts-noto-color-emoji).
"""

from __future__ import annotations

import argparse
import base64
import tempfile
from pathlib import Path

from tests.browser import Page, running_chromium
from tests.report.github_text import render_html

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
WIDTH_PX = 734  # of a comment on GitHub
STYLE = """
body { margin: 16px; width: 734px; color: #1f2328; background: #fff; line-height: 1.5;
       font: 14px -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif; }
table { border-collapse: collapse; display: block; width: max-content; max-width: 100%; overflow: hidden; }
td, th { border: 1px solid #d1d9e0; padding: 6px 13px; } tr:nth-child(2n) td { background: #f6f8fa; }
code { background: #eff1f3; border-radius: 6px; padding: .2em .4em;
       font: 85% ui-monospace, "Liberation Mono", monospace; }
a { color: #0969da; text-decoration: none; } h2, h3 { margin: 16px 0 8px; } summary { margin: 4px 0; }
"""


def draw(page: Page, path: Path, *, whole: bool) -> None:
    """What the page looks like, below its window's edge too if ``whole``."""
    answer = page.call("Page.captureScreenshot", captureBeyondViewport=whole)
    path.write_bytes(base64.b64decode(answer["data"]))


def main() -> None:
    """Draw both pictures of the run that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    run = parser.parse_args().run
    PICTURES.mkdir(exist_ok=True)
    body = render_html((run / "report.md").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as name, running_chromium() as browser:
        comment = Path(name) / "comment.html"
        head = f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>"
        comment.write_text(head + body, encoding="utf-8")
        with browser.open(comment, width=WIDTH_PX + 32, height=400) as page:
            draw(page, PICTURES / "comment.png", whole=True)
        with browser.open((run / "report.html").resolve(), width=1000, height=1100) as page:
            draw(page, PICTURES / "page.png", whole=False)


if __name__ == "__main__":
    main()
