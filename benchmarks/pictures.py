"""Draws docs/pictures from a real run: ``python -m benchmarks.pictures RUN`` (a folder with its reports).

The comment is report.md as benchmarks.comments draws it, 734 px wide; the page is the top of report.html.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.comments import draw, write_page
from tests.browser import running_chromium

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
WIDTH_PX = 734  # of a comment on GitHub


def main() -> None:
    """Draw both pictures of the run that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    run = parser.parse_args().run
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, running_chromium() as browser:
        comment = Path(name) / "comment.html"
        write_page(comment, (run / "report.md").read_text(encoding="utf-8"))
        with browser.open(comment, width=WIDTH_PX + 32, height=400) as page:
            draw(page, PICTURES / "comment.png", whole=True)
        with browser.open((run / "report.html").resolve(), width=1000, height=1100) as page:
            draw(page, PICTURES / "page.png", whole=False)


if __name__ == "__main__":
    main()
