"""The commonest error of the service's log, beside the replies that failed."""

from __future__ import annotations

import msgspec
import pytest

from ci_gate.evidence.log_errors import NO_LOG_ERRORS, LogErrors
from ci_gate.judge.diagnosis.log_lines import describe_log_errors
from tests.judge.evidence_notation import HEALTHY, draw
from tests.report.outputs import render_every_output

CLIENTS = "psycopg.OperationalError: connection to 10.0.0.9 failed: FATAL: sorry, too many clients already"


def describe(*others, exceptions=(), is_cut=False):
    return list(describe_log_errors(LogErrors(exceptions=exceptions, others=others, is_cut=is_cut)))


def test_lines__that_differ_by_numbers_are_one_kind():
    lines = [(f"ERROR order {number} has no price", 2) for number in range(50)]
    assert describe(*lines) == ["service.log, 100 x: ERROR order * has no price"]
    assert describe(*lines, ("FATAL no disk", 3), is_cut=True) == [
        "service.log, at least 100 x: ERROR order * has no price; 1 other kind of errors"
    ]
    assert describe() == []


def test_exception__is_said_instead_of_the_line_that_announces_it():
    announced = ("ERROR Exception in application", 100)
    assert "x: KeyError: 'id'" in describe(announced, exceptions=(("KeyError: 'id'", 99),))[0]
    assert "x: ERROR Exception in" in describe(announced, exceptions=(("KeyError: 'id'", 9),))[0]


@pytest.mark.parametrize(
    "line",
    [
        "ERROR cannot connect: password=hunter2secret",
        'ERROR {"api_key": "hunter2secret"}',
        "ERROR Authorization: Bearer hunter2secret",
        "ERROR got header bearer hunter2secret",
        "ERROR postgres://shop:hunter2secret@db/shop is down",
        "ERROR token='hunter2secret'",
    ],
)
def test_secrets__are_hidden(line):
    (shown,) = describe((line, 1))
    assert "hunter2secret" not in shown
    assert "***" in shown


def test_line__is_cut():
    assert len(describe(("ERROR " + "y" * 5000, 1))[0]) < 250


def render(lines, errors):
    drawn = draw(f"{HEALTHY}\n{lines}")
    recording = msgspec.structs.replace(drawn.recording, log_errors=errors)
    return render_every_output(type(drawn)(thresholds=drawn.thresholds, plan=drawn.plan, recording=recording))


@pytest.mark.parametrize("output", ["comment", "page", "terminal"])
@pytest.mark.parametrize("kind", ["GET /pay 500 5ms", "GET /pay 0 5ms unreachable"])
def test_failing_replies__stand_beside_the_commonest_error_of_the_log(output, kind):
    hostile = LogErrors(exceptions=((f"{CLIENTS} <img src=x> @team [a](http://b)", 5332),))
    text = render(f"300 {kind}", hostile)[output].replace("\N{ZERO WIDTH SPACE}", "").replace("\\", "")
    assert "service.log, 5,332 x: psycopg.OperationalError: connection to " in text
    assert "too many clients already" in text
    assert output == "terminal" or "<img" not in text
    assert "service.log, " not in render(f"300 {kind}", NO_LOG_ERRORS)[output]


@pytest.mark.parametrize("more", ["", "900 GET /items 200 4000ms"])
def test_comment__shows_it_open_whatever_else_is_wrong(more):
    lines = f"300 GET /pay 500 5ms\n300 GET /pay 200 5ms\n{more}\nlimit GET /items p50 1s"
    for kind in (lines, lines.replace("300 GET /pay 200 5ms", "")):  # FAIL, then INVALID
        opened = render(kind, LogErrors(exceptions=(("KeyError: 'id'", 300),)))["comment"].split("<details>")[
            0
        ]
        assert opened.count("service.log, 300 x: KeyError: 'id'") == 1


@pytest.mark.parametrize("output", ["comment", "page", "terminal"])
def test_log_of_a_service_that_answers_well__is_not_quoted(output):
    assert "too many clients" not in render("", LogErrors(exceptions=((CLIENTS, 3),)))[output]
