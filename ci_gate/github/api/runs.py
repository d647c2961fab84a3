"""The runs of a workflow, as GitHub lists them."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import msgspec

from ci_gate.github.api.reply import RefusedError
from ci_gate.github.api.transport import Transport

_NOT_FOUND: Final = 404


class _Number(msgspec.Struct, frozen=True):
    number: int


class Run(msgspec.Struct, frozen=True):
    """``pull_requests`` is empty for a fork's. ``conclusion`` is None while the run lasts."""

    id: int
    workflow_id: int
    created_at: str  # ISO 8601, UTC
    status: str | None = None
    conclusion: str | None = None
    pull_requests: list[_Number] | None = None

    def may_be_for(self, pull_number: int) -> bool:
        """Whether it ran for this pull request, as far as GitHub knows."""
        numbers = {pull.number for pull in self.pull_requests or ()}
        return not numbers or pull_number in numbers


class _Repository(msgspec.Struct, frozen=True):
    full_name: str = ""


class Push(msgspec.Struct, frozen=True):
    """A run for a push, of whatever GitHub lists: fields that say whose push it was."""

    id: int
    created_at: str  # ISO 8601, UTC
    event: str = ""
    head_branch: str | None = None
    head_repository: _Repository | None = None


class _Pushes(msgspec.Struct):
    workflow_runs: list[Push]


class _Runs(msgspec.Struct):
    workflow_runs: list[Run]


def find_run_before(
    transport: Transport, repository: str, run_id: int, *, head_sha: str, pull_number: int
) -> Run | None:
    """The newest run of the same workflow before run ``run_id``, for this pull request at this head.

    The workflow is identified by GitHub's own number; a branch could give its name to another file.
    Raises GitHubError.
    """
    own = transport.get(f"/repos/{repository}/actions/runs/{run_id}").read(Run)
    path = f"/repos/{repository}/actions/workflows/{own.workflow_id}/runs"
    pages = transport.get_pages(path, {"event": "pull_request", "head_sha": head_sha})
    before = [
        run
        for page in pages
        for run in page.read(_Runs).workflow_runs
        if (run.created_at, run.id) < (own.created_at, own.id) and run.may_be_for(pull_number)
    ]
    return max(before, key=lambda run: (run.created_at, run.id), default=None)


def list_pushes(transport: Transport, repository: str, workflow: str, branch: str) -> list[Push]:
    """The ended runs of a workflow's file for a push to ``branch`` of this repository, the newest first.

    None where there is no such workflow. Raises GitHubError.
    """
    path = f"/repos/{repository}/actions/workflows/{quote(workflow, safe='')}/runs"
    query: dict[str, str | int] = {"event": "push", "branch": branch, "status": "completed", "per_page": 50}
    try:
        runs = transport.get(path, query).read(_Pushes).workflow_runs
    except RefusedError as error:
        if error.status == _NOT_FOUND:
            return []
        raise
    # What is asked for is looked at again: a fork's branch can have any name.
    found = [run for run in runs if _is_push(run, repository, branch)]
    return sorted(found, key=lambda run: (run.created_at, run.id), reverse=True)


def _is_push(run: Push, repository: str, branch: str) -> bool:
    whose = run.head_repository.full_name.casefold() if run.head_repository else ""
    return run.event == "push" and run.head_branch == branch and whose == repository.casefold()
