"""Pull requests: by number, or by the repository, branch and commit that a workflow ran for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import msgspec

from ci_gate.github.api.reply import GitHubError, RefusedError
from ci_gate.github.api.transport import Transport

if TYPE_CHECKING:
    from ci_gate.github.api.event import FinishedRun

_MAX_NAMED: Final = 20


class Label(msgspec.Struct, frozen=True):
    """A label of a pull request; only who may triage can set it."""

    name: str


class Repository(msgspec.Struct, frozen=True):
    """``full_name`` is owner/name."""

    full_name: str


class Branch(msgspec.Struct, frozen=True):
    """``repo`` is None where a fork was deleted."""

    ref: str
    sha: str
    repo: Repository | None = None


class PullRequest(msgspec.Struct, frozen=True):
    """``merge_commit_sha`` is the test merge while the pull request is open."""

    number: int
    state: str
    head: Branch
    base: Branch
    labels: list[Label]
    merge_commit_sha: str | None = None

    @property
    def label_names(self) -> tuple[str, ...]:
        return tuple(label.name for label in self.labels)


class _Parent(msgspec.Struct):
    sha: str


class _Commit(msgspec.Struct):
    parents: list[_Parent]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoPullRequest:
    """Why there is none to comment on."""

    why: str


def get_pull(transport: Transport, repository: str, number: int) -> PullRequest:
    """Pull request ``number``, as it is now. Raises GitHubError."""
    return transport.get(f"/repos/{repository}/pulls/{number}").read(PullRequest)


def find_pulls(
    transport: Transport, repository: str, run: FinishedRun
) -> tuple[PullRequest, ...] | NoPullRequest:
    """The open pull requests whose head is still the run's commit, the oldest first.

    Nothing that a fork's run wrote is asked. Where GitHub names no pull request of the run, the list by
    branch also knows forks; the list by commit helps where a branch was renamed.
    """
    if not run.head_repository or not run.head_branch:
        return NoPullRequest(why="the repository or the branch that the run was for is gone")
    found = list(_get_named(transport, repository, run))
    if not _select(found, run):
        owner = run.head_repository.partition("/")[0]
        query: dict[str, str | int] = {"state": "open", "head": f"{owner}:{run.head_branch}"}
        found = _list(transport, f"/repos/{repository}/pulls", query)
    if not _select(found, run):
        found += _list_by_commit(transport, repository, run.head_sha)
    if current := _select(found, run):
        return current
    sha = run.head_sha[:12]
    for pull in found:
        if pull.state == "open" and run.is_from(pull):
            newer = pull.head.sha[:12]
            return NoPullRequest(why=f"{sha} is outdated: the head of #{pull.number} is {newer}")
    return NoPullRequest(why=f"no open pull request has {sha} of {run.head_repository} as its head")


def _select(pulls: Iterable[PullRequest], run: FinishedRun) -> tuple[PullRequest, ...]:
    """Those that are open and at the run's commit, each once."""
    found = {
        pull.number: pull
        for pull in pulls
        if pull.state == "open" and pull.head.sha == run.head_sha and run.is_from(pull)
    }
    return tuple(found[number] for number in sorted(found))


def _get_named(transport: Transport, repository: str, run: FinishedRun) -> Iterator[PullRequest]:
    """Those that GitHub names beside the run; it may also name some of another repository."""
    for number in run.pull_numbers[:_MAX_NAMED]:
        with contextlib.suppress(RefusedError):
            yield get_pull(transport, repository, number)


def find_sides(transport: Transport, repository: str, pull: PullRequest) -> tuple[str, str]:
    """The commits to compare: the test merge's first parent, and the test merge.

    Where there is none of the pull request's head yet: the base branch, and the head itself.
    """
    if pull.merge_commit_sha is not None:
        path = f"/repos/{repository}/git/commits/{pull.merge_commit_sha}"
        parents = [parent.sha for parent in transport.get(path).read(_Commit).parents]
        if parents[1:] == [pull.head.sha]:
            return parents[0], pull.merge_commit_sha
    return pull.base.ref, pull.head.sha


def _list(transport: Transport, path: str, query: dict[str, str | int]) -> list[PullRequest]:
    return [pull for page in transport.get_pages(path, query) for pull in page.read(list[PullRequest])]


def _list_by_commit(transport: Transport, repository: str, sha: str) -> list[PullRequest]:
    try:
        return _list(transport, f"/repos/{repository}/commits/{quote(sha, safe='')}/pulls", {})
    except GitHubError as error:
        if error.status in {404, 409, 422}:  # GitHub does not know the commit
            return []
        raise
