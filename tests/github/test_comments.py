from __future__ import annotations

import pytest

from ci_gate.github.api.comments import ACTIONS_AUTHOR, find_author, make_marker, upsert_comment
from ci_gate.github.api.reply import GitHubError, RefusedError
from tests.github.fake_state import Actor

MARKER = make_marker("load-gate")


def upsert(transport, text="new text", author=ACTIONS_AUTHOR):
    return upsert_comment(transport, "shop/shop", 7, text, marker=MARKER, author=author)


def bodies(fake):
    return [comment.body for comment in fake.state.comments.get(7, [])]


def test_first_comment__is_created(issue, connect):
    assert upsert(connect()).action == "created"
    assert bodies(issue) == [f"{MARKER}\nnew text"]


def test_second_comment__updates_the_first_in_place(issue, connect):
    upsert(connect(), "old")
    assert upsert(connect()).action == "updated"
    assert bodies(issue) == [f"{MARKER}\nnew text"]


def test_same_text__is_not_written_again(issue, connect):
    upsert(connect())
    assert upsert(connect()).action == "unchanged"
    assert (issue.count("POST"), issue.count("PATCH")) == (1, 0)


def test_own_comment__is_found_on_the_last_page(issue, connect):
    for number in range(120):
        issue.state.add_comment(7, "somebody", str(number))
    own = issue.state.add_comment(7, ACTIONS_AUTHOR, f"{MARKER}\nold")
    for number in range(120):
        issue.state.add_comment(7, "somebody", str(number))
    assert upsert(connect()).action == "updated"
    assert own.body == f"{MARKER}\nnew text"
    assert len(bodies(issue)) == 241


@pytest.mark.parametrize(
    ("author", "body"),
    [
        ("octocat", f"{MARKER}\nnot yours"),
        (None, f"{MARKER}\nof a deleted account"),
        (ACTIONS_AUTHOR, f"quoting {MARKER}"),
        (ACTIONS_AUTHOR, f"{make_marker('other-gate')}\nanother gate"),
        (ACTIONS_AUTHOR, "<!-- ci-gate:load-gate-2 -->\nanother gate"),
        ("github-actions", f"{MARKER}\na user of that name"),
    ],
)
def test_others_comment__is_never_touched(issue, connect, author, body):
    issue.state.add_comment(7, author, body)
    assert upsert(connect()).action == "created"
    assert bodies(issue) == [body, f"{MARKER}\nnew text"]


def test_several_own_comments__the_oldest_is_kept_alone(issue, connect):
    for number in range(3):
        issue.state.add_comment(7, ACTIONS_AUTHOR, f"{MARKER}\n{number}")
    issue.state.comments[7].reverse()
    oldest = issue.state.comments[7][-1]
    assert upsert(connect()).action == "updated"
    assert issue.state.comments[7] == [oldest]
    assert oldest.body == f"{MARKER}\nnew text"


def test_two_at_once__leave_the_older_comment_with_the_last_text(issue, connect):
    def write_at_the_same_time():
        issue.state.add_comment(7, ACTIONS_AUTHOR, f"{MARKER}\nof another run")

    issue.then("GET", "comments", write_at_the_same_time)
    assert upsert(connect()).action == "updated"
    assert bodies(issue) == [f"{MARKER}\nnew text"]


def test_two_at_once__the_younger_one_leaves_the_older_to_itself(issue, connect):
    def write_at_the_same_time():
        issue.state.add_comment(7, ACTIONS_AUTHOR, f"{MARKER}\nof another run")

    issue.then("POST", "comments", write_at_the_same_time)
    assert upsert(connect()).action == "created"
    assert bodies(issue)[0] == f"{MARKER}\nnew text"
    upsert(connect(), "the next run")
    assert bodies(issue) == [f"{MARKER}\nthe next run"]


def test_second_comment__that_may_not_be_deleted_changes_nothing(issue, connect):
    for number in range(2):
        issue.state.add_comment(7, ACTIONS_AUTHOR, f"{MARKER}\n{number}")
    issue.fail("DELETE", "comments", status=403)
    assert upsert(connect()).action == "updated"
    assert bodies(issue) == [f"{MARKER}\nnew text", f"{MARKER}\n1"]


@pytest.mark.parametrize("status", [502, None])
def test_lost_reply__makes_no_second_comment(issue, connect, status):
    issue.fail("POST", "comments", status=status, done=True)
    assert upsert(connect()).action == "created"
    assert bodies(issue) == [f"{MARKER}\nnew text"]


@pytest.mark.parametrize("status", [502, None])
def test_lost_request__is_repeated(issue, connect, status):
    issue.fail("POST", "comments", times=2, status=status)
    assert upsert(connect()).action == "created"
    assert bodies(issue) == [f"{MARKER}\nnew text"]


def test_update__is_repeated_after_a_failure(issue, connect):
    upsert(connect(), "old")
    issue.fail("PATCH", "comments", times=2, done=True)
    assert upsert(connect()).action == "updated"
    assert bodies(issue) == [f"{MARKER}\nnew text"]


def test_comment__deleted_meanwhile_is_made_anew(issue, connect):
    upsert(connect(), "old")
    issue.then("GET", "comments", issue.state.comments[7].clear)
    assert upsert(connect()).action == "created"
    assert bodies(issue) == [f"{MARKER}\nnew text"]


def test_read_only_token__is_refused(issue, connect):
    issue.state.actors["token"] = Actor(may_write=False)
    with pytest.raises(RefusedError, match="HTTP 403 Resource not accessible by integration"):
        upsert(connect())
    assert issue.count("POST") == 1


def test_locked_conversation__is_refused(issue, connect):
    issue.state.locked.add(7)
    with pytest.raises(RefusedError, match="issue is locked"):
        upsert(connect())


@pytest.mark.parametrize(("characters", "is_refused"), [(65_536, False), (65_537, True)])
def test_body__beyond_githubs_size_is_refused_by_the_server(issue, connect, characters, is_refused):
    text = "x" * (characters - len(MARKER) - 1)
    if is_refused:
        with pytest.raises(GitHubError, match="body is too long"):
            upsert(connect(), text)
    else:
        upsert(connect(), text)


def test_author__of_a_workflow_token_is_the_actions_app(github, connect):
    assert find_author(connect()) == ACTIONS_AUTHOR


def test_author__of_a_personal_token_is_its_user(github, connect):
    github.state.actors["token"] = Actor(login="octocat", is_app=False)
    assert find_author(connect()) == "octocat"


def test_author__with_a_wrong_token_is_an_error(github, connect):
    with pytest.raises(RefusedError, match="401"):
        find_author(connect(token="wrong"))


def test_author__is_compared_without_case(issue, connect):
    issue.state.actors["token"] = Actor(login="OctoCat", is_app=False)
    upsert(connect(), "old", author="octocat")
    assert upsert(connect(), author="OCTOCAT").action == "updated"


@pytest.mark.parametrize(
    ("key", "marker"),
    [
        ("load-gate", "<!-- ci-gate:load-gate -->"),
        ("a/thresholds.yaml", "<!-- ci-gate:a/thresholds.yaml -->"),
        ("--><script>", "<!-- ci-gate:script -->"),
    ],
)
def test_marker__is_one_hidden_line(key, marker):
    assert make_marker(key) == marker
