from __future__ import annotations

import pytest

from ci_gate.github.api.event import Event, FinishedRun
from ci_gate.github.publication import (
    PublishOptions,
    exit_code_of,
    make_report,
    mark_contradiction,
    needs_comment,
    plan_actions,
)
from ci_gate.github.threshold_files import ThresholdFiles
from ci_gate.judge.verdict import decode_verdict
from ci_gate.report.report import Report
from ci_gate.thresholds import parse_thresholds
from tests.github.repositories import APPROVED, LOOSE, THRESHOLDS, run_verdict
from tests.report.verdicts import change, duet, scenario, verdict

RUN = FinishedRun(run_id=1, event="pull_request", head_repository="m/s", head_branch="t", head_sha="a" * 40)


def event(*, head_sha="", finished=None, number=None):
    return Event(
        name="x",
        repository="s/s",
        pull_number=number,
        head_sha=head_sha,
        labels=(),
        run_url="",
        finished=finished,
    )


def side(text=THRESHOLDS, **digests):
    return ThresholdFiles(thresholds=parse_thresholds(text, "thresholds.yaml"), digests=digests)


@pytest.mark.parametrize(
    ("happened", "values", "has_token", "expected"),
    [
        (event(head_sha="a"), {}, True, {"summary", "annotations", "comment"}),
        (event(head_sha="a"), {"status": "load"}, True, {"summary", "annotations", "comment", "status"}),
        (event(head_sha="a"), {"comment": "never"}, True, {"summary", "annotations"}),
        (event(head_sha="a"), {"status": "load"}, False, {"summary", "annotations"}),
        (event(), {"status": "load"}, True, {"summary", "annotations"}),
        (event(finished=RUN), {"status": "load"}, True, {"summary", "comment", "status"}),
    ],
)
def test_actions__follow_from_the_event(happened, values, has_token, expected):
    options = PublishOptions(thresholds_file="t.yaml", **values)
    assert plan_actions(happened, options, has_token=has_token) == expected


def report(*, base=None, head=None, labels=(), p95=212.4):
    return make_report(decode_verdict(run_verdict(p95)), base=base, head=head, labels=labels, run_url="")


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({}, 0),
        ({"p95": 350.0}, 1),
        ({"base": side(), "head": side()}, 0),
        ({"base": side(), "head": side(LOOSE)}, 1),
        ({"base": side(), "head": side(LOOSE), "labels": (APPROVED.upper(),)}, 0),
        ({"base": side(), "head": side(LOOSE), "labels": ("thresholds-approved",)}, 1),
        ({"base": side(), "head": side(LOOSE), "labels": None}, 0),
        ({"base": side(LOOSE), "head": side()}, 0),
        ({"base": None, "head": side(LOOSE)}, 0),
        ({"base": side(a="1"), "head": side(a="2")}, 0),
    ],
)
def test_exit_code__is_the_verdicts_unless_a_loosening_is_not_approved(values, code):
    assert exit_code_of(report(**values)) == code


def test_report__compares_only_what_changed():
    assert report(base=side(), head=side()).under_base == ()
    assert [row.scenario for row in report(base=side(), head=side(LOOSE)).under_base] == ["checkout"]


@pytest.mark.parametrize(
    ("p95", "outcome", "expected"),
    [
        (350.0, "PASS", "INVALID"),
        (212.4, "PASS", "PASS"),
        (350.0, "FAIL", "FAIL"),
        (350.0, "INVALID", "INVALID"),
    ],
)
def test_contradiction__makes_a_pass_invalid(p95, outcome, expected):
    """Of limits that are others than head's."""
    verdict = decode_verdict(run_verdict(p95, outcome, thresholds=LOOSE))
    judged = mark_contradiction(verdict, side())
    assert judged.outcome == expected
    assert (judged == verdict) is (outcome == expected)
    assert mark_contradiction(verdict, None) == verdict


@pytest.mark.parametrize(
    ("one", "when"),
    [
        (scenario(), {"always"}),
        (scenario(comparison=duet(change(outcome="PASS"))), {"always"}),
        (scenario(comparison=duet(change(size=-0.3, outcome="PASS", is_real=True))), {"always", "on-change"}),
        (scenario(outcome="INCONCLUSIVE"), {"always", "on-change"}),
        (scenario(outcome="INVALID"), {"always", "on-change", "on-failure"}),
    ],
)
def test_comment__is_needed_for_what_is_not_as_on_base_or_red(one, when):
    report = Report(verdict=verdict(one, outcome=one.outcome))
    assert {
        each for each in ("always", "on-change", "on-failure", "never") if needs_comment(report, each)
    } == when
