from __future__ import annotations

import json

import pytest

from ci_gate.errors import UsageError
from ci_gate.github.api.event import FinishedRun, read_event

SHA = "a" * 40
ENVIRON = {
    "GITHUB_REPOSITORY": "shop/shop",
    "GITHUB_RUN_ID": "42",
    "GITHUB_SERVER_URL": "https://github.example",
}


def read(name, payload=None, **environ):
    return read_event(ENVIRON | {"GITHUB_EVENT_NAME": name} | environ, json.dumps(payload or {}).encode())


def test_pull_request__tells_number_head_and_labels():
    payload = {
        "pull_request": {
            "number": 7,
            "head": {"sha": SHA, "ref": "topic", "repo": None},
            "labels": [{"name": "bug"}, {"name": "thresholds-approved"}],
        }
    }
    event = read("pull_request", payload)
    assert (event.pull_number, event.head_sha) == (7, SHA)
    assert event.labels == ("bug", "thresholds-approved")
    assert event.run_url == "https://github.example/shop/shop/actions/runs/42"
    assert event.finished is None


@pytest.mark.parametrize(
    ("ref", "number"),
    [
        (f"refs/heads/gh-readonly-queue/main/pr-104-{SHA}", 104),
        (f"refs/heads/gh-readonly-queue/release/2.x/pr-9-{SHA}", 9),
        (f"refs/heads/pr-104-{SHA}", None),
        ("refs/heads/gh-readonly-queue/main/pr-104-zzz", None),
    ],
)
def test_merge_group__names_its_pull_request(ref, number):
    event = read("merge_group", {"merge_group": {"head_ref": ref, "head_sha": SHA}})
    assert (event.pull_number, event.head_sha) == (number, "")


def test_workflow_run__tells_of_the_finished_run():
    run = {
        "id": 99,
        "event": "pull_request",
        "head_sha": SHA,
        "head_branch": "topic",
        "head_repository": {"full_name": "mallory/shop"},
        "html_url": "https://github.example/shop/shop/actions/runs/99",
        "pull_requests": [{"number": 7, "id": 1}, {"number": 8, "id": 2}],
        "run_attempt": 2,
        "conclusion": "cancelled",
    }
    event = read("workflow_run", {"workflow_run": run})
    assert event.finished == FinishedRun(
        run_id=99,
        event="pull_request",
        head_repository="mallory/shop",
        head_branch="topic",
        head_sha=SHA,
        attempt=2,
        conclusion="cancelled",
        pull_numbers=(7, 8),
        url="https://github.example/shop/shop/actions/runs/99",
    )
    assert event.run_url == "https://github.example/shop/shop/actions/runs/99"
    gone = read("workflow_run", {"workflow_run": run | {"head_repository": None, "head_branch": None}})
    assert (gone.finished.head_repository, gone.finished.head_branch) == ("", "")


def test_dispatch__means_no_pull_request():
    event = read("workflow_dispatch", {"inputs": {"profile": "full"}})
    assert (event.pull_number, event.head_sha, event.labels) == (None, "", ())


def test_run_url__is_left_out_where_there_is_no_run():
    assert read("push", GITHUB_RUN_ID="").run_url == ""


@pytest.mark.parametrize(
    "environ", [{"GITHUB_EVENT_NAME": ""}, {"GITHUB_REPOSITORY": ""}, {"GITHUB_REPOSITORY": "../../user"}]
)
def test_outside_a_workflow__is_a_usage_error(environ):
    with pytest.raises(UsageError, match="runs in a GitHub workflow"):
        read_event(ENVIRON | {"GITHUB_EVENT_NAME": "push"} | environ, b"")


@pytest.mark.parametrize("payload", [b"{", b"[]", b'{"pull_request": {"number": "7"}}', b"\xff"])
def test_payload__that_is_not_one_is_a_usage_error(payload):
    with pytest.raises(UsageError, match="GITHUB_EVENT_PATH"):
        read_event(ENVIRON | {"GITHUB_EVENT_NAME": "pull_request"}, payload)
