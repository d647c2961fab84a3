"""What a few users showed before the load: pure, from a recording."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest

from ci_gate.evidence.readings import ErrorCount, TaskCount
from ci_gate.evidence.workload import UserClass, Wait, Workload
from ci_gate.judge.steady import classify
from ci_gate.judge.trial import read_trial
from ci_gate.report.trial import render_trial
from ci_gate.thresholds import parse_thresholds
from tests.conftest import THRESHOLDS
from tests.judge.recordings import make_recording, make_rows

A, B = 2, 3


def read(*rows, wait=None, arrivals_per_s=None, **totals):
    (scenario,) = parse_thresholds(THRESHOLDS.replace("GET /ok", "GET /aa"), "thresholds.yaml").scenarios
    scenario = dataclasses.replace(scenario, arrivals_per_s=arrivals_per_s)
    user_class = UserClass(name="Visitor", wait=wait, tasks=())
    recording = make_recording(*rows)
    recording = msgspec.structs.replace(recording, totals=msgspec.structs.replace(recording.totals, **totals))
    workload = Workload(locustfile="visits.py", classes=(user_class,), error=None)
    return read_trial(scenario, workload, classify(recording, scenario.accept))


def test_trial__counts_what_on_start_asked_too():
    trial = read(make_rows(A, [1.0] * 4), make_rows(B, [5.0] * 2, begin_s=985.0, status=201))
    assert [(row.endpoint, row.requests) for row in trial.endpoints] == [
        *(("all", 6), ("GET /a", 4), ("POST /b", 2))
    ]
    assert trial.not_called == ("GET /aa was not called; called instead: GET /a, POST /b",)


@pytest.mark.parametrize(
    ("wait", "arrivals_per_s", "rate_per_s"),
    [
        (Wait(kind="pause", mean_s=2.0), None, 5 / 2.0 * 2.5),
        (None, None, None),
        (Wait(kind="pause", mean_s=0.0), None, None),
        (Wait(kind="pause", mean_s=2.0), 10.0, None),
    ],
)
def test_trial__requests_of_a_task_say_what_all_users_would_send(wait, arrivals_per_s, rate_per_s):
    tasks = (TaskCount(user_class="Visitor", task="visit", runs=4, requests=10),)
    (each,) = read(make_rows(A, [1.0] * 10), wait=wait, arrivals_per_s=arrivals_per_s, tasks=tasks).classes
    assert each.rate_per_s == rate_per_s
    assert [(task.name, task.runs, task.requests_per_run) for task in each.tasks] == [("visit", 4, 2.5)]


def test_trial__says_what_went_wrong_and_that_nothing_succeeded():
    trial = read(
        make_rows(A, [1.0] * 4, status=500),
        start_failures=(ErrorCount(subject="Visitor", error="KeyError: 'token'", count=3),),
    )
    assert not trial.shows_something
    page = render_trial(trial)
    assert "500 x 4" in page
    assert "error: 3 x Visitor: KeyError: 'token'" in page
    assert "nothing succeeded: a run of it would be INVALID" in page
    assert "nothing succeeded" not in render_trial(read(make_rows(A, [1.0])))
