"""Comments as GitHub draws them: what stands open fits, and a phone shows what matters."""

from __future__ import annotations

import pytest

from benchmarks.comments import LOOKS, write_page
from ci_gate.report.comment import MAX_COMMENT_BYTES, render_report
from tests.browser import running_chromium
from tests.report.examples import EXAMPLES

WIDE, PHONE = LOOKS[0], LOOKS[1]
SEEN = """
[...document.querySelectorAll('table')].filter(table => table.checkVisibility()).map(table =>
  [...table.rows[0].cells].filter(cell => cell.getBoundingClientRect().right <= innerWidth).length
    / table.rows[0].cells.length)
"""


@pytest.fixture(scope="module")
def chromium():
    with running_chromium() as browser:
        yield browser


@pytest.mark.parametrize("name", sorted(EXAMPLES.keys() - {"hostile-names"}))
def test_open_tables__fit_and_show_two_columns_on_a_phone(chromium, tmp_path, name):
    page = tmp_path / "comment.html"
    write_page(page, render_report(EXAMPLES[name], MAX_COMMENT_BYTES))
    with chromium.open(page, width=WIDE.width) as shown:
        assert set(shown.run(SEEN)) <= {1}
    with chromium.open(page, width=PHONE.width) as shown:
        assert shown.run("document.documentElement.scrollWidth <= innerWidth")
        assert all(share >= 2 / 5 for share in shown.run(SEEN))
