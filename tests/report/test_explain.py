"""What a verdict says in sentences, and that every format says those."""

from __future__ import annotations

import pytest

from ci_gate.report.against_base import describe_duet
from ci_gate.report.annotations import render_annotations
from ci_gate.report.comment import MAX_COMMENT_BYTES, render_report
from ci_gate.report.explain import describe_change, describe_deciding, explain, explain_rest
from ci_gate.report.html.report import render_html
from ci_gate.report.junit import render_junit
from ci_gate.report.limits import describe_excess
from ci_gate.report.reasons import mark_sentence
from ci_gate.report.report import Report
from ci_gate.report.terminal import render_terminal
from tests.report.examples import APPROVALS, BURST, DEPLOYMENTS, REGRESSED, UNCLEAR
from tests.report.html.test_report import text_of
from tests.report.test_comment import shown
from tests.report.verdicts import change, confirm, duet, finding, limit, scenario, verdict


@pytest.mark.parametrize("one", [BURST, APPROVALS, REGRESSED, UNCLEAR])
def test_every_format__says_the_same_sentences(one):
    report = Report(verdict=verdict(one, outcome=one.outcome))
    outputs = {
        "terminal": render_terminal(report.verdict),
        "comment": shown(render_report(report, MAX_COMMENT_BYTES)),
        "page": text_of(render_html(report, None)),
        "junit": render_junit(report.verdict),
        "annotations": "\n".join(render_annotations(report)).replace("%25", "%"),
    }
    assert explain(one)
    for sentence in explain(one):
        for name, text in outputs.items():
            if (name, sentence.kind) == ("annotations", "unclear"):  # which need not block
                continue
            if name == "terminal" and sentence.code is None:  # a row of its list says it in columns
                row = next(line for line in text.splitlines() if line[4:].startswith(sentence.subject + " "))
                assert sentence.figure in row
            else:
                assert sentence.text in text, name


def test_rest__is_what_decided_nothing_and_no_sentence_twice():
    unclear, trust = change(outcome="INCONCLUSIVE"), finding("throttled", "invalid", side="base")
    compared = duet(change("GET /a"), unclear, outcome="FAIL", findings=[trust])
    one = scenario("a", "FAIL", findings=[finding(severity="info")], comparison=compared)
    assert [each.kind for each in explain(one)] == ["worse"]
    assert [each.kind for each in explain_rest(one)] == ["unclear", "invalid", "info"]
    open_ = scenario("a", "INCONCLUSIVE", comparison=duet(unclear, outcome="INCONCLUSIVE", findings=[trust]))
    assert [each.kind for each in explain(open_)] == ["unclear", "unclear"]
    assert explain_rest(open_) == ()


def test_long_endpoint__keeps_its_metric():
    (reason,) = explain(scenario("a", "FAIL", limits=[limit("GET /" + "x" * 500, outcome="FAIL")]))
    assert reason.subject.endswith("… p95")
    assert "x… p95`" in mark_sentence(reason)


@pytest.mark.parametrize(
    ("measured", "bound", "metric", "says"),
    [
        (212.4, 200.0, "p95", "6.2 % above it"),
        (3000.0, 200.0, "p95", "15 times the limit"),
        (150.0, 200.0, "p95", "75 % of the limit"),
        (40.0, 50.0, "rate", "20 % too little"),
        (60.0, 50.0, "rate", "120 % of the floor"),
    ],
)
def test_excess__says_by_how_much(measured, bound, metric, says):
    assert describe_excess(limit(metric=metric, measured=measured, bound=bound)) == says


def test_excess__of_a_limit_of_nothing():
    none = limit(metric="failures", measured=0.1, bound=0.0, outcome="FAIL")
    assert describe_excess(none) == "it allows none"


def test_reasons__name_each_breach_with_its_size_and_nothing_for_a_pass():
    sentences = [f"{each.subject} {each.text}" for each in explain(BURST)]
    assert sentences[0] == "all p50 was 19,400 ms, must be at most 500ms: 38.8 times the limit"
    assert len(sentences) == 4
    assert explain(DEPLOYMENTS) == ()


def test_reasons__of_a_comparison():
    sentences = [each.text for each in explain(REGRESSED)]
    assert [text.split("; ")[0] for text in sentences[:4]] == [
        "went from 4.2 to 304 ms against base, 72.4x (61.2x to 87.1x)",
        "went from 1 to 21.7 against base, 21.7x (21.1x to 22.3x)",
        "went from 3.4 to 4.6 ms against base, +35 % (+29 to +42)",
        "went from 245 to 322 ms against base, +31 % (+27 to +35)",
    ]
    assert [text.split("; ", 1)[1] for text in sentences[:4]] == [
        "the tolerance is 20 %; confirmed on a second start (76x, then 69x)",
        "the tolerance is 5 %; confirmed on a second start (21.7x, then 21.7x)",
        "the tolerance is 8 %; confirmed on a second start (+37 %, then +33 %)",
        "the tolerance is 20 %; confirmed on a second start (+35 %, then +28 %)",
    ]
    (unclear,) = explain(UNCLEAR)
    assert "less than 31 % was not detectable" in unclear.text


@pytest.mark.parametrize(
    ("base", "says"),
    [(212.0, "base itself 212 ms"), (480.0, "base itself 480 ms, which breaks it too")],
)
def test_breach__has_the_figure_of_base_where_there_is_one(base, says):
    broken = limit(measured=512.0, outcome="FAIL")
    compared = duet(change(base=base, head=505.0), change("GET /a", base=1.0), change(metric="p50", base=2.0))
    (reason, *_) = explain(scenario("a", "FAIL", limits=[broken], comparison=compared))
    assert reason.text == f"was 512 ms, must be at most 300ms: 70.7 % above it; beside base 505 ms, {says}"
    (alone,) = explain(scenario("a", "FAIL", limits=[broken]))
    assert "base" not in alone.text


def test_change__whose_plain_figures_say_another_thing_is_said_to_be_paired():
    assert "against base, window by window +12 %" in describe_change(change(head=200.0))
    assert "against base, +12 %" in describe_change(change())


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"mde": 0.31}, "about 9 minutes under load instead of 60 s (max_duration), or a tolerance of 31 %"),
        ({"mde": 0.9, "tolerance": 0.05}, "a tolerance of 90 %"),
        ({"mde": 3.0}, "many more requests: these are too few to tell"),
        ({"mde": 0.2, "tolerance": 0.0}, "a tolerance of 20 %"),
        ({"mde": 0.09}, "run it again: this is too close to the tolerance, or made by a few stalls"),
        (
            {"metric": "failures", "mde": 0.02, "tolerance": 0.01},
            "about 4 minutes under load instead of 60 s",
        ),
    ],
)
def test_unclear_change__says_what_would_decide_it(values, says):
    one = change(outcome="INCONCLUSIVE", **values)
    compared = duet(one, outcome="INCONCLUSIVE")
    assert describe_deciding(one, compared).startswith(says)
    (reason,) = explain(scenario("a", "INCONCLUSIVE", comparison=compared))
    assert reason.remedy == describe_deciding(one, compared)


@pytest.mark.parametrize(
    ("outcome", "says", "kind"),
    [
        ("FAIL", "; confirmed on a second start (+14 %, then +9.8 %)", "worse"),
        (
            "INCONCLUSIVE",
            "; not confirmed on a second start (+14 %, then +9.8 %)",
            "unclear",
        ),
        (
            "PASS",
            "; not confirmed on a second start (+14 %, then +9.8 %)",
            "info",
        ),
    ],
)
def test_change__that_was_compared_twice_says_what_each_start_showed(outcome, says, kind):
    one, other = change(outcome=outcome), change("GET /a", outcome="PASS")
    compared = confirm(duet(one, other, outcome=outcome), ("all", "p95", 0.14, 0.098))
    told = scenario("a", outcome, comparison=compared)
    (sentence,) = [each for each in (*explain(told), *explain_rest(told)) if each.subject == "all p95"]
    assert says in sentence.text
    assert sentence.kind == kind
    if outcome == "INCONCLUSIVE":
        assert sentence.remedy.startswith("run it again")
    assert "second start" not in describe_change(other, compared)


@pytest.mark.parametrize(
    ("outcome", "starts", "failure", "says"),
    [
        ("FAIL", [("all", "p95", 0.14, 0.098)], "", ": FAIL, confirmed on a second start"),
        (
            "INCONCLUSIVE",
            [("all", "p95", 0.14, 0.0)],
            "",
            ": INCONCLUSIVE, for a second start did not confirm what the first one showed",
        ),
        ("FAIL", [], "base did not start", ": FAIL; a second start could not confirm it: base did not start"),
    ],
)
def test_comparison__says_in_its_sentence_what_the_second_start_did(outcome, starts, failure, says):
    compared = confirm(duet(change(outcome=outcome), outcome=outcome), *starts, failure=failure)
    assert describe_duet(compared).endswith(says)
    assert "second start" not in describe_duet(duet(change(outcome=outcome), outcome=outcome))
    if failure:
        (reason,) = explain(scenario("a", outcome, comparison=compared))
        assert "could not be used to confirm it" in reason.text


def test_reasons__of_what_cannot_be_trusted_come_before_limits_that_it_broke():
    breached, found = limit(outcome="FAIL"), finding(message="throttled")
    kinds = {
        outcome: [each.kind for each in explain(scenario("a", outcome, limits=[breached], findings=[found]))]
        for outcome in ("FAIL", "INVALID")
    }
    assert kinds == {"FAIL": ["breach", "invalid"], "INVALID": ["invalid", "breach"]}
