from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_gate.report.escape import (
    MAX_NAME_LENGTH,
    MAX_TEXT_LENGTH,
    clean,
    code_element,
    code_span,
    escape_markdown,
)
from tests.report.github_text import find_references, render

HOSTILE = (
    "@octocat",
    "a@evil.example",
    "@org/team please",
    "#1",
    "owner/repo#1",
    "GH-12 gh-1",
    "owner/repo@deadbeefcafe",
    "deadbeefcafe1234567",
    "https://evil.example/x",
    "HTTP://evil.example",
    "www.evil.example",
    "WWW.evil.example",
    "ftp://evil.example mailto:a@b.example",
    ":tada: :+1:",
    "<img src=x onerror=alert(1)>",
    "<!-- ci-gate:load-gate -->",
    "</code></summary></details>",
    "&lt;b&gt; &#64;octocat &commat;octocat",
    "![x](https://evil.example/x.png)",
    "[x](javascript:alert(1))",
    "[x][1]",
    "**bold** __bold__ ~~gone~~ _x_",
    "a|b|c \\| d",
    "`code` ``more`` ```",
    "`",
    "\\",
    "x\\",
    "$x$ $`y`$",
    "line\nbreak\r\n\r\n# heading\n- [ ] task\n|a|b|\n|-|-|\n",
    "> [!CAUTION] > quote",
    "a\u202egnp.exe b\u2066c",
    "zero\u200bwidth\u200djoiner\ufeff \u2060 \u00ad",
    "tag\U000e0041 filler\u3164 sel\ufe0f",
    "z\u0351\u0352\u0353\u0354\u0355\u0356algo",
    "\x00\x1b[31mred\x07",
    "\ud800 lone",
    "[^1] footnote",
    "::error::x ##[error]y",
    "%0A::error::x %25 100%",
)
ALLOWED_IN_CONTEXT = {"p", "code", "table", "thead", "tbody", "tr", "th", "td"}
hostile_text = st.one_of(
    st.text(),
    st.lists(
        st.sampled_from([*HOSTILE, *"@#:/.`|\\<>&[]()*_~$!-+ \n", "www", "gh", "12", "a", "deadbe"])
    ).map("".join),
)


def _in_table(shown: str) -> str:
    return f"| name | other |\n|:-|-:|\n| {shown} | 1 |\n"


def _as_shown(markdown: str) -> str:
    return "".join(render(markdown).text).replace("\u200b", "")


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("escape", [escape_markdown, code_span, code_element])
def test_escape__hostile_text_becomes_nothing_but_text(text, escape):
    for markdown in (f"x {escape(text)} x", _in_table(escape(text))):
        rendered = render(markdown)
        assert set(rendered.tags) <= ALLOWED_IN_CONTEXT
        assert find_references(rendered) == {}


@pytest.mark.parametrize("text", ["@octocat", "#1", "https://a.example", ":tada:", "gh-1", "deadbeefcafe"])
def test_references__are_found_where_nothing_escapes_them(text):
    assert find_references(render(f"x {text} x"))


@given(hostile_text)
def test_escape_markdown__shows_exactly_the_cleaned_text(text):
    rendered = render(f"x {escape_markdown(text)} y")
    assert rendered.tags == ["p"]
    assert find_references(rendered) == {}
    assert _as_shown(f"x {escape_markdown(text)} y") == f"x {clean(text, MAX_TEXT_LENGTH)} y\n"


@given(hostile_text)
def test_code__shows_exactly_the_cleaned_name(text):
    for escape in (code_span, code_element):
        rendered = render(f"x {escape(text)} y")
        assert rendered.tags == ["p", "code"]
        assert _as_shown(f"x {escape(text)} y") == f"x {clean(text, MAX_NAME_LENGTH)} y\n"


@given(hostile_text)
def test_code__keeps_the_cells_of_a_table_apart(text):
    for escape in (code_span, code_element, escape_markdown):
        rendered = render(_in_table(escape(text)))
        assert rendered.tables == [[2, 2]]
        assert set(rendered.tags) <= ALLOWED_IN_CONTEXT


@given(hostile_text)
def test_code_element__is_text_in_a_summary(text):
    rendered = render(f"<details><summary>{code_element(text)}</summary>\n\nx\n\n</details>")
    assert rendered.tags == ["details", "summary", "code", "p"]
    assert find_references(rendered) == {}


@pytest.mark.parametrize("name", ["GET /api/v1/deployments/{id}", "POST /a_b/*", "GET /x?a=1&b=[2]", "p99.9"])
def test_code_span__leaves_a_usual_name_as_it_is(name):
    assert code_span(name) == f"`{name}`"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb", "a\ufffdb"),
        ("a\u200bb", "a\ufffdb"),
        ("a\nb\t c", "a b c"),
        ("\u3164", "\ufffd"),
        ("e\u0301", "e\u0301"),
        ("e\u0301\u0301\u0301", "e\u0301\u0301\ufffd"),
        ("", "(empty)"),
        ("x" * 200, "x" * 119 + "…"),
        ("Größe 测试 🚀", "Größe 测试 🚀"),
    ],
)
def test_clean__replaces_what_nobody_can_see(text, shown):
    assert clean(text, MAX_NAME_LENGTH) == shown


@given(st.text())
def test_clean__is_done_once(text):
    once = clean(text, MAX_NAME_LENGTH)
    assert clean(once, MAX_NAME_LENGTH) == once
