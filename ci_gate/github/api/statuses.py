"""The commit status: the verdict as one line beside a commit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ci_gate.github.api.transport import Transport

State = Literal["success", "failure", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """``context`` is the status's name, ``target_url`` what it links to, empty for nothing."""

    context: str
    state: State
    description: str
    target_url: str = ""


def set_status(transport: Transport, repository: str, sha: str, status: Status) -> None:
    """Set a status; its description has at most 140 characters. Raises GitHubError.

    After a lost reply it is set again: GitHub shows the newest of a context.
    """
    body = {
        "state": status.state,
        "context": status.context,
        "description": status.description,
        "target_url": status.target_url or None,
    }
    transport.post(f"/repos/{repository}/statuses/{sha}", body)
