"""Pull requests: by number, or by the repository, branch and commit that a workflow ran for."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

import msgspec

from ci_gate.github.reply import GitHubError
from ci_gate.github.transport import Transport


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


def find_pull(
    transport: Transport, repository: str, *, head_repository: str, head_branch: str, head_sha: str
) -> PullRequest | NoPullRequest:
    """The open pull request whose head is still this commit of this repository; of several, the oldest.

    Nothing that a fork's run wrote is asked. The list by branch also knows forks; the list by commit helps
    where a branch was renamed.
    """
    owner = head_repository.partition("/")[0]
    query: dict[str, str | int] = {"state": "open", "head": f"{owner}:{head_branch}"}
    found = [*_list(transport, f"/repos/{repository}/pulls", query)]
    if not any(_is_at(pull, head_repository, head_sha) for pull in found):
        found += _list_by_commit(transport, repository, head_sha)
    ours = [pull for pull in found if pull.state == "open" and _is_from(pull, head_repository)]
    current = [pull for pull in ours if pull.head.sha == head_sha]
    if current:
        return min(current, key=lambda pull: pull.number)
    if ours:
        newer = ours[0].head.sha[:12]
        return NoPullRequest(why=f"{head_sha[:12]} is outdated: the head of #{ours[0].number} is {newer}")
    return NoPullRequest(why=f"no open pull request has {head_sha[:12]} of {head_repository} as its head")


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


def _is_from(pull: PullRequest, head_repository: str) -> bool:
    return pull.head.repo is not None and pull.head.repo.full_name.casefold() == head_repository.casefold()


def _is_at(pull: PullRequest, head_repository: str, head_sha: str) -> bool:
    return _is_from(pull, head_repository) and pull.head.sha == head_sha
