"""The slowest requests of head: which they are, and what leads to their traces."""

from __future__ import annotations

import msgspec
import pytest

from ci_gate.errors import EvidenceError
from ci_gate.evidence.samples import ENDED_NEVER, ENDED_WITHOUT_REPLY, UNSENT
from ci_gate.judge.slowest import SlowRequest, find_slowest
from ci_gate.judge.steady import classify
from ci_gate.judge.verdict import decode_verdict
from tests.judge.evidence_notation import HEALTHY, draw
from tests.judge.recordings import BEGIN_S, make_recording, make_rows
from tests.report.outputs import judge_evidence, render_verdict

LINK = "https://traces.example.com/trace/{trace_id}?org=1"
TRACE = "0af7651916cd43dd8448eb211c80319c"


def find(*rows, link=LINK, **changes):
    return find_slowest(classify(make_recording(*rows, **changes), ()), link)


def test_slowest__are_ten_failures_included_the_slowest_first():
    quick, slow = make_rows(2, [5.0] * 500), make_rows(3, [900.0, 800.0, 700.0])
    none = make_rows(3, [5000.0], status=0, ending=ENDED_WITHOUT_REPLY)
    found = find(quick, slow, none)
    assert [each.response_ms for each in found] == [5000.0, 900.0, 800.0, 700.0, *[5.0] * 6]
    assert (found[0].endpoint, found[0].status, found[0].trace_id, found[0].link) == (
        "POST /b",
        "no reply",
        "",
        "",
    )
    assert found[1].sent_at_s == pytest.approx(0.0)
    assert found[2].sent_at_s == pytest.approx(10 / 3)


def test_slowest__are_of_the_steady_phase_and_were_sent():
    ramp = make_rows(2, [9000.0], begin_s=BEGIN_S - 5)
    unsent = make_rows(4, [9000.0], status=0, ending=ENDED_NEVER)
    strings = ("", "Visitor", "GET /a", "POST /b", UNSENT)
    assert [each.response_ms for each in find(ramp, unsent, make_rows(2, [7.0]), strings=strings)] == [7.0]
    assert find(ramp, unsent, strings=strings) == ()


def test_trace__is_that_of_the_request_that_was_sent_then():
    found = find(make_rows(2, [5.0, 9.0]), traces={BEGIN_S + 5: TRACE, 1.0: "f" * 32})
    assert [each.trace_id for each in found] == [TRACE, ""]
    assert [each.link for each in found] == [f"https://traces.example.com/trace/{TRACE}?org=1", ""]
    assert not find(make_rows(2, [9.0]), link=None, traces={BEGIN_S: TRACE})[0].link


def judge_traced(link=LINK):
    drawn = draw(f"{HEALTHY}\n3 GET /items 200 4000ms\nlimit GET /items p50 1ms")
    traces = {float(row["start_s"]): TRACE for row in drawn.recording.samples if row["response_ms"] > 3000}
    recording = msgspec.structs.replace(drawn.recording, traces=traces)
    verdict = judge_evidence(type(drawn)(thresholds=drawn.thresholds, plan=drawn.plan, recording=recording))
    (scenario,) = verdict.scenarios
    slowest = tuple(
        msgspec.structs.replace(each, link=link.replace("{trace_id}", each.trace_id) if each.trace_id else "")
        for each in scenario.slowest
    )
    scenario = msgspec.structs.replace(scenario, slowest=slowest)
    return msgspec.structs.replace(verdict, scenarios=(scenario,))


def test_page__links_the_traces_and_the_comment_only_names_them():
    shown = render_verdict(judge_traced())
    href = f'href="https://traces.example.com/trace/{TRACE}?org=1"'
    assert shown["page"].count(href) == 3
    assert "Slowest requests" in shown["page"]
    assert f"`{TRACE}`" in shown["comment"]
    assert "Slowest requests" in shown["comment"]
    assert "traces.example.com" not in shown["comment"]


def test_comment__of_what_passed_has_no_slow_requests():
    passed = render_verdict(judge_evidence(draw(HEALTHY)))
    assert "Slowest requests" not in passed["comment"]
    assert "Slowest requests" in passed["page"]
    assert ">trace<" not in passed["page"]


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//x",
        "https://a b",
        'https://a"onclick="b',
        "https://a)](b",
    ],
)
def test_verdict_with_another_kind_of_link__is_refused(link):
    text = msgspec.json.encode(judge_traced(link))
    with pytest.raises(EvidenceError):
        decode_verdict(text)
    assert decode_verdict(msgspec.json.encode(judge_traced()))


@pytest.mark.parametrize("trace_id", ["<b>", "0" * 31, "A" * 32, "0" * 33])
def test_verdict_with_what_is_no_trace_id__is_refused(trace_id):
    request = SlowRequest(endpoint="GET /a", sent_at_s=0.0, response_ms=1.0, status="200", trace_id=trace_id)
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(request), type=SlowRequest)
