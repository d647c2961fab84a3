from __future__ import annotations

import pytest

from ci_gate.github.api.reply import GitHubError, RefusedError
from ci_gate.github.api.statuses import Status, set_status
from tests.github.fake_state import Actor

SHA = "a" * 40
STATUS = Status(
    context="load-gate", state="failure", description="a broke 1 limit", target_url="https://x.example"
)


def test_status__is_set(github, connect):
    set_status(connect(), "shop/shop", SHA, STATUS)
    assert github.state.statuses == [
        {
            "sha": SHA,
            "context": "load-gate",
            "state": "failure",
            "description": "a broke 1 limit",
            "target_url": "https://x.example",
        }
    ]


@pytest.mark.parametrize("is_done", [True, False])
def test_status__whose_reply_was_lost_is_set_again_without_a_look_up(github, connect, is_done):
    github.fail("POST", "statuses", status=None, done=is_done)
    set_status(connect(), "shop/shop", SHA, STATUS)
    assert {status["state"] for status in github.state.statuses} == {"failure"}
    assert github.count("GET") == 0


def test_read_only_token__is_refused(github, connect):
    github.state.actors["token"] = Actor(may_write=False)
    with pytest.raises(RefusedError, match="403"):
        set_status(connect(), "shop/shop", SHA, STATUS)


def test_long_description__is_refused_by_the_server(github, connect):
    with pytest.raises(GitHubError, match="description is too long"):
        set_status(connect(), "shop/shop", SHA, Status(context="x", state="success", description="x" * 141))
