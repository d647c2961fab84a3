"""Which code takes longer, in terminal, comment and page."""

from __future__ import annotations

import msgspec

from ci_gate.judge.code.alone import CodeCost, FunctionCost, HeadCode
from ci_gate.judge.code.difference import CodeChange, CodeTime
from ci_gate.judge.code.flame import Flame, FlameBlock
from ci_gate.judge.timeline.run_timeline import RunTimeline, ScenarioTimeline
from ci_gate.report.html.report import render_html
from ci_gate.report.markdown import render_markdown
from ci_gate.report.report import Report
from ci_gate.report.terminal import render_terminal
from tests.report.verdicts import code_change, function_change, scenario, time_change, verdict


def failed(code):
    return verdict(scenario(outcome="FAIL", code=code), outcome="FAIL")


CODE = code_change(function_change(), function_change("count_visit", base_ms=0, head_ms=12, waits=True))


def test_terminal__names_function_file_line_and_both_figures():
    text = render_terminal(failed(CODE))
    assert "CPU of a success 8.1 ms → 12 ms (+3.9 ms ± 0.3 ms; 900 and 1,400 samples on a CPU)" in text
    assert "risk_score shop/risk.py:41: CPU 0.4 ms → 4.3 ms (+3.9 ms ± 0.3 ms)" in text
    assert "count_visit shop/risk.py:41: waiting 0 ms → 12 ms" in text


def test_comment__has_the_first_function_open_and_all_folded():
    text = render_markdown(failed(CODE))
    line = "**Which code:** `risk_score` in `shop/risk.py:41`: 0.4 ms → 4.3 ms of CPU for each success."
    assert line in text
    folded = text.partition("<details><summary>Which code takes longer</summary>")[2]
    assert "`count_visit`" in folded.partition("</details>")[0]


def test_function__that_waits_and_computes_more_has_both():
    both = msgspec.structs.replace(
        function_change(),
        waits=True,
        own=CodeTime(cpu=time_change(0.4, 4.3), waiting=time_change(0, 40)),
    )
    code = msgspec.structs.replace(CODE, functions=(both,))
    line = "0 ms → 40 ms of waiting (and CPU +3.9 ms ± 0.3 ms) for each success."
    assert line in render_markdown(failed(code))
    assert "waiting (and CPU +3.9 ms ± 0.3 ms) 0 ms → 40 ms" in render_terminal(failed(code))


def test_comment__says_why_nothing_was_sampled():
    text = render_markdown(failed(CodeChange(why_not="py-spy is not installed")))
    assert "**Which code:** not known: py-spy is not installed." in text
    assert "Which code takes longer" not in text


def test_nothing__is_said_where_nothing_was_to_be_sampled():
    for text in (render_terminal(failed(None)), render_markdown(failed(None))):
        assert "code:" not in text.lower().replace("exit code:", "")


def test_name__of_an_adversary_is_text_everywhere():
    code = msgspec.structs.replace(CODE, functions=(function_change("</td><script>@me`", "![x](//y)\u202e"),))
    flame = Flame(is_wall=False, base_ms=1, head_ms=2, blocks=(block("<script>x</script>\u202e"),))
    page = render_html(Report(verdict=failed(code)), timeline(flame))
    assert "<script>x" not in page
    assert "<td><script>" not in page
    markdown = render_markdown(failed(code))
    assert "<script>" not in markdown
    assert "`![x](//y)\ufffd:41`" in markdown
    for text in (page, markdown, render_terminal(failed(code))):
        assert "\u202e" not in text


def test_page__draws_the_difference_without_a_script_of_its_own():
    flame = Flame(is_wall=False, base_ms=8, head_ms=12, blocks=(block("handle"), block("score", 1, 0.5, 1)))
    page = render_html(Report(verdict=failed(CODE)), timeline(flame))
    assert '<svg class="flame" height="36"' in page
    assert "score (shop.py): 1 ms of a success on base, 6 ms on head" in page.replace(".00", "")
    assert 'x="0.000%" y="18" width="50.000%"' in page
    assert 'class="more-3"' in page


def block(name, depth=0, width=1.0, base_ms=8.0):
    return FlameBlock(
        name=name,
        file="shop.py",
        depth=depth,
        left=0.0,
        width=width,
        base_ms=base_ms,
        head_ms=12 * width,
    )


def timeline(flame):
    shown = ScenarioTimeline(scenario="checkout", recordings={}, edges_ms=(), counts={}, flames=(flame,))
    return RunTimeline(schema=1, scenarios=(shown,))


def cost(ms):
    return CodeCost(ms=ms, error_ms=0.075)


ALONE = CodeChange(
    alone=HeadCode(
        functions=(
            FunctionCost(
                name="load_rows",
                file="shop/rows.py",
                line=7,
                is_library=False,
                below="",
                cpu=cost(1.5),
                waiting=cost(6),
                subtree=cost(2.0),
            ),
        ),
        samples=1234,
        cpu=cost(8.1),
    ),
    notes=("the service runs an event loop (asyncio)",),
)


def test_head_alone__has_its_most_costly_functions_in_every_report():
    summary = "head alone: CPU of a success 8.1 ms ± 0.3 ms (1,234 samples on a CPU); the service runs"
    passed = verdict(scenario(code=ALONE))
    terminal = render_terminal(passed)
    assert f"CODE    {summary} an event loop (asyncio)" in terminal
    times = "CPU 1.5 ms ± 0.3 ms, waiting 6 ms ± 0.3 ms; CPU with all below 2 ms ± 0.3 ms"
    assert f"load_rows shop/rows.py:7: {times}" in terminal
    comment = render_markdown(failed(ALONE))
    folded = comment.partition("<details><summary>Which code takes most time</summary>")[2]
    assert "| `load_rows` | `shop/rows.py:7` | 1.5 ± 0.3 | 6 ± 0.3 |" in folded.replace("\u00a0", " ")
    flame = Flame(is_wall=False, base_ms=None, head_ms=12, blocks=(block("handle", base_ms=None),))
    page = render_html(Report(verdict=passed), timeline(flame))
    assert "Which code takes most time" in page
    assert "handle (shop.py): 12 ms of a success<" in page
    assert "more than base" not in page


def test_head_alone__that_fails_has_the_first_function_open():
    line = "**Which code:** `load_rows` in `shop/rows.py:7`: CPU 1.5 ms ± 0.3 ms, waiting 6 ms ± 0.3 ms"
    assert line in render_markdown(failed(ALONE))


def test_comment__says_what_stacks_do_not_show_where_no_function_is_named():
    code = CodeChange(cpu=time_change(8, 8), notes=("the service runs an event loop (asyncio)",))
    line = "**Which code:** no function takes clearly longer; the service runs an event loop (asyncio)."
    assert line in render_markdown(failed(code))
