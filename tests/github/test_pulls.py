from __future__ import annotations

import pytest

from ci_gate.github.api.event import FinishedRun
from ci_gate.github.api.pulls import NoPullRequest, find_pulls, find_sides, get_pull
from ci_gate.github.api.reply import RefusedError
from tests.github.fake_state import Pull

SHA, OTHER = "a" * 40, "c" * 40
FORK = "mallory/shop"


def find_all(transport, *, head_repository=FORK, branch="topic", sha=SHA, numbers=()):
    run = FinishedRun(
        run_id=1,
        event="pull_request",
        head_repository=head_repository,
        head_branch=branch,
        head_sha=sha,
        pull_numbers=numbers,
    )
    return find_pulls(transport, "shop/shop", run)


def find(transport, **values):
    found = find_all(transport, **values)
    return found if isinstance(found, NoPullRequest) else found[0]


def test_pull_of_a_fork__is_found_by_repository_branch_and_sha(github, connect):
    github.state.pulls += [
        Pull(number=1, sha=OTHER),
        Pull(number=2, sha=SHA, head_repository=FORK, labels=("bug", "x")),
    ]
    found = find(connect())
    assert (found.number, found.label_names) == (2, ("bug", "x"))


def test_same_branch_name_in_another_fork__is_not_it(github, connect):
    github.state.pulls.append(Pull(number=1, sha=SHA, head_repository="alice/shop"))
    assert isinstance(find(connect()), NoPullRequest)


def test_fork_of_the_same_owner__with_another_name_is_not_it(github, connect):
    github.state.pulls.append(Pull(number=1, sha=SHA, head_repository="mallory/other"))
    assert isinstance(find(connect()), NoPullRequest)


def test_outdated_sha__is_dropped_and_said(github, connect):
    github.state.pulls.append(Pull(number=3, sha=OTHER, head_repository=FORK))
    assert find(connect()) == NoPullRequest(why="aaaaaaaaaaaa is outdated: the head of #3 is cccccccccccc")


@pytest.mark.parametrize("pull", [Pull(number=1, sha=SHA, state="closed", head_repository=FORK), None])
def test_closed_or_missing_pull__is_said(github, connect, pull):
    github.state.pulls += [pull] if pull else []
    assert find(connect()) == NoPullRequest(
        why="no open pull request has aaaaaaaaaaaa of mallory/shop as its head"
    )


def test_deleted_fork__has_no_pull(github, connect):
    github.state.pulls.append(Pull(number=1, sha=SHA, head_repository=None))
    assert isinstance(find(connect()), NoPullRequest)


def test_renamed_branch__is_found_by_its_commit(github, connect):
    github.state.pulls.append(Pull(number=4, sha=SHA, branch="renamed"))
    assert find(connect(), head_repository="shop/shop").number == 4


def test_closed_pull__is_not_found_by_its_commit_either(github, connect):
    github.state.pulls.append(Pull(number=4, sha=SHA, branch="renamed", state="closed"))
    assert isinstance(find(connect(), head_repository="shop/shop"), NoPullRequest)


@pytest.mark.parametrize(("numbers", "found"), [((9,), [9]), ((5, 9), [5, 9]), ((), [5, 9]), ((4,), [5, 9])])
def test_pulls_that_github_names__are_asked_first(github, connect, numbers, found):
    github.state.pulls += [
        Pull(number=9, sha=SHA, base="main"),
        Pull(number=5, sha=SHA, base="release"),
        Pull(number=4, sha=OTHER, branch="another"),
    ]
    pulls = find_all(connect(), head_repository="shop/shop", numbers=numbers)
    assert [pull.number for pull in pulls] == found


@pytest.mark.parametrize("gone", [{"head_repository": ""}, {"branch": ""}])
def test_gone_repository__is_no_question_for_github(github, connect, gone):
    assert find(connect(), **gone) == NoPullRequest(
        why="the repository or the branch that the run was for is gone"
    )
    assert github.requests == []


def test_several_pulls_of_one_head__the_oldest_is_first(github, connect):
    github.state.pulls += [
        Pull(number=number, sha=SHA, head_repository=FORK, base=base)
        for number, base in ((9, "main"), (5, "release"))
    ]
    assert find(connect()).number == 5


def test_many_pulls__are_searched_on_all_pages(github, connect):
    github.state.pulls += [
        Pull(number=number, sha=OTHER, head_repository="mallory/other") for number in range(1, 150)
    ]
    github.state.pulls.append(Pull(number=150, sha=SHA, head_repository=FORK))
    assert find(connect()).number == 150


@pytest.mark.parametrize("branch", ["a&state=closed", "ü/ä b", "x:y", "a#b?c"])
def test_branch_name__is_sent_as_one_value(github, connect, branch):
    github.state.pulls.append(Pull(number=6, sha=SHA, head_repository=FORK, branch=branch))
    assert find(connect(), branch=branch).number == 6


def test_get_pull__by_number(github, connect):
    github.state.pulls.append(Pull(number=6, sha=SHA, base="release", merge_sha=OTHER))
    pull = get_pull(connect(), "shop/shop", 6)
    assert (pull.base.ref, pull.merge_commit_sha) == ("release", OTHER)
    with pytest.raises(RefusedError, match="404"):
        get_pull(connect(), "shop/shop", 7)


BASE, MERGE = "b" * 40, "d" * 40


@pytest.mark.parametrize(
    ("merge_sha", "parents", "sides"),
    [
        (MERGE, (BASE, SHA), (BASE, MERGE)),
        (MERGE, (BASE, OTHER), ("main", SHA)),  # the merge is of an older head
        (MERGE, (SHA,), ("main", SHA)),
        (None, (), ("main", SHA)),
    ],
)
def test_sides__are_the_test_merge_and_its_first_parent(github, connect, merge_sha, parents, sides):
    github.state.pulls.append(Pull(number=6, sha=SHA, merge_sha=merge_sha))
    github.state.parents[MERGE] = parents
    transport = connect()
    assert find_sides(transport, "shop/shop", get_pull(transport, "shop/shop", 6)) == sides
