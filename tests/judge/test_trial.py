"""What a few users showed before the load: pure, from a recording."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest

from ci_gate.evidence.readings import ErrorCount, TaskCount
from ci_gate.evidence.workload import Task, UserClass, Wait, Workload
from ci_gate.judge.steady import classify
from ci_gate.judge.trial import read_trial
from ci_gate.report.trial import render_trial
from ci_gate.thresholds import parse_thresholds
from tests.conftest import THRESHOLDS
from tests.judge.recordings import make_recording, make_rows

A, B = 2, 3


def read(*rows, wait=None, arrivals_per_s=None, limits="", tasks_of_source=(), **totals):
    text = THRESHOLDS.replace("GET /ok", "GET /aa").replace("limits:", f"limits:\n      {limits}")
    thresholds = parse_thresholds(text, "thresholds.yaml")
    (scenario,) = thresholds.scenarios
    scenario = dataclasses.replace(scenario, arrivals_per_s=arrivals_per_s)
    user_class = UserClass(name="Visitor", wait=wait, tasks=tasks_of_source)
    recording = make_recording(*rows)
    recording = msgspec.structs.replace(recording, totals=msgspec.structs.replace(recording.totals, **totals))
    workload = Workload(locustfile="visits.py", classes=(user_class,), error=None)
    return read_trial(scenario, thresholds.profiles, workload, classify(recording, scenario.accept))


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


TOO_SHORT = "GET /a p95 takes 200 successes, profile pull_request brings at most 15"
NOT_READ = (Task(name="visit", share=1.0, endpoints=None, fewest=0),)
READ = (Task(name="visit", share=1.0, endpoints=("GET /a",) * 4, fewest=4),)


@pytest.mark.parametrize(
    ("limits", "source", "wait_s", "lacking"),
    [
        # 5 users who wait 2 s, 4 requests a task, 3 of them to /a: 10/s, and 7.5/s of /a.
        (
            "GET /a: {p95: 1s}",
            NOT_READ,
            2.0,
            [TOO_SHORT],
        ),
        ("GET /a: {p95: 1s}", NOT_READ, 0.1, []),
        ("GET /a: {p95: 1s}", READ, 2.0, []),  # the source tells it
        ("GET /a: {p95: 1s}", NOT_READ, None, []),
        ("GET /b: {p95: 1s}", NOT_READ, 2.0, []),  # it was not called: nothing is known
    ],
)
def test_trial__names_what_a_profile_is_too_short_for(limits, source, wait_s, lacking):
    tasks = (TaskCount(user_class="Visitor", task="visit", runs=2, requests=8),)
    wait = Wait(kind="pause", mean_s=wait_s) if wait_s else None
    rows = (make_rows(A, [1.0] * 6), make_rows(B, [1.0] * 2))
    trial = read(*rows, wait=wait, tasks=tasks, limits=limits, tasks_of_source=source)
    texts = [str(each) for each in trial.too_short if each.profile == "pull_request"]
    assert [text.removeprefix("visits: ").partition(";")[0] for text in texts] == lacking
    assert ("too short, by what was seen: visits: " in render_trial(trial)) == bool(trial.too_short)


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
