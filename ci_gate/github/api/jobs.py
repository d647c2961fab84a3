"""The jobs of a workflow run: how the one that is the check ended."""

from __future__ import annotations

import msgspec

from ci_gate.github.api.event import FinishedRun
from ci_gate.github.api.transport import Transport


class _Job(msgspec.Struct):
    name: str
    conclusion: str | None = None


class _Jobs(msgspec.Struct):
    jobs: list[_Job]


def list_conclusions(transport: Transport, repository: str, run: FinishedRun, name: str) -> tuple[str, ...]:
    """How the jobs called ``name`` ended, also in a workflow that the run called. Raises GitHubError.

    ``caller / name`` is the job of one such workflow alone. The newest attempt of each job, for a part of a
    run can be run again.
    """
    path = f"/repos/{repository}/actions/runs/{run.run_id}/jobs"
    pages = transport.get_pages(path, {"filter": "latest"})
    jobs = [job for page in pages for job in page.read(_Jobs).jobs]
    called = f" / {name}"
    return tuple(
        job.conclusion
        for job in jobs
        if job.conclusion and (job.name == name or (called.count(" / ") == 1 and job.name.endswith(called)))
    )
