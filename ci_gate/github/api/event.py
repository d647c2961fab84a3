"""What a workflow ran for, from the variables and the payload that GitHub gives each job. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from ci_gate.errors import UsageError
from ci_gate.github.api.pulls import Branch, Label, PullRequest, Repository

_DEFAULT_SERVER_URL: Final = "https://github.com"
_REPOSITORY: Final = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
_QUEUED_PULL: Final = re.compile(r"^refs/heads/gh-readonly-queue/.+/pr-([0-9]{1,9})-[0-9a-f]{40}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedRun:
    """The run that a workflow_run event is about. All fields are GitHub's own, none the fork's.

    ``conclusion`` is empty where GitHub names none. ``pull_numbers`` are of pull requests from branches of
    this repository alone: GitHub names none of a fork.
    """

    run_id: int
    event: str
    head_repository: str  # empty where a fork was deleted
    head_branch: str
    head_sha: str
    attempt: int = 1
    conclusion: str = ""
    pull_numbers: tuple[int, ...] = ()
    url: str = ""

    def is_from(self, pull: PullRequest) -> bool:
        """Whether the pull request comes from the same repository."""
        repo = pull.head.repo
        return repo is not None and repo.full_name.casefold() == self.head_repository.casefold()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """``pull_number`` is None where no one pull request is meant; ``labels`` are as old as the event.

    ``head_sha`` is empty where no comment is to be made. ``finished`` is there for workflow_run alone.
    """

    name: str
    repository: str
    pull_number: int | None
    head_sha: str
    labels: tuple[str, ...]
    run_url: str
    finished: FinishedRun | None


class _Pull(msgspec.Struct):
    number: int
    head: Branch
    labels: list[Label] = []


class _Group(msgspec.Struct):
    head_ref: str


class _Numbered(msgspec.Struct):
    number: int


class _Run(msgspec.Struct):
    id: int
    event: str
    head_sha: str
    head_branch: str | None = None
    head_repository: Repository | None = None
    html_url: str = ""
    run_attempt: int = 1
    conclusion: str | None = None
    pull_requests: list[_Numbered] = []


class _Payload(msgspec.Struct):
    pull_request: _Pull | None = None
    merge_group: _Group | None = None
    workflow_run: _Run | None = None


def read_event(environ: Mapping[str, str], payload: bytes) -> Event:
    """``payload`` is the file at GITHUB_EVENT_PATH, empty if there is none. Raises UsageError."""
    name, repository = environ.get("GITHUB_EVENT_NAME", ""), environ.get("GITHUB_REPOSITORY", "")
    if not name or not _REPOSITORY.fullmatch(repository):
        raise UsageError(
            "publish runs in a GitHub workflow: GITHUB_EVENT_NAME or GITHUB_REPOSITORY is not set"
        )
    try:
        content = msgspec.json.decode(payload or b"{}", type=_Payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"GITHUB_EVENT_PATH: {error}") from error
    pull, queued = content.pull_request, content.merge_group
    match = _QUEUED_PULL.match(queued.head_ref) if queued else None
    run = content.workflow_run if name == "workflow_run" else None
    return Event(
        name=name,
        repository=repository,
        pull_number=pull.number if pull else int(match[1]) if match else None,
        head_sha=pull.head.sha if pull else "",
        labels=tuple(label.name for label in pull.labels) if pull else (),
        run_url=run.html_url if run else _run_url(environ, repository),
        finished=_read_run(run) if run else None,
    )


def _read_run(run: _Run) -> FinishedRun:
    return FinishedRun(
        run_id=run.id,
        event=run.event,
        head_repository=run.head_repository.full_name if run.head_repository else "",
        head_branch=run.head_branch or "",
        head_sha=run.head_sha,
        attempt=run.run_attempt,
        conclusion=run.conclusion or "",
        pull_numbers=tuple(pull.number for pull in run.pull_requests),
        url=run.html_url,
    )


def _run_url(environ: Mapping[str, str], repository: str) -> str:
    run_id = environ.get("GITHUB_RUN_ID", "")
    server = environ.get("GITHUB_SERVER_URL", _DEFAULT_SERVER_URL)
    return f"{server}/{repository}/actions/runs/{run_id}" if run_id.isdigit() else ""
