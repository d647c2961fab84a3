"""The runs of a workflow, as GitHub lists them."""

from __future__ import annotations

import msgspec

from ci_gate.github.api.transport import Transport


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
