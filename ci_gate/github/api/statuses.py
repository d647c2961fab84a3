"""The commit status: the verdict as one line beside a commit."""

from __future__ import annotations

from typing import Literal

import msgspec

from ci_gate.github.api.reply import Reply
from ci_gate.github.api.transport import Transport

State = Literal["success", "failure", "error"]


class Status(msgspec.Struct, frozen=True):
    """``state`` is a State when it is ours; GitHub also knows pending."""

    context: str
    state: str
    description: str | None = None
    target_url: str | None = None


class _Combined(msgspec.Struct):
    statuses: list[Status]


def set_status(transport: Transport, repository: str, sha: str, status: Status) -> None:
    """Set a status; its description has at most 140 characters. Raises GitHubError."""
    body = {
        "state": status.state,
        "context": status.context,
        "description": status.description,
        "target_url": status.target_url,
    }

    def find() -> Status | None:
        pages = transport.get_pages(f"/repos/{repository}/commits/{sha}/status")
        return next(
            (each for page in pages for each in page.read(_Combined).statuses if each == status), None
        )

    transport.post(f"/repos/{repository}/statuses/{sha}", body, read=_read, find=find)


def _read(reply: Reply) -> Status:
    return reply.read(Status)
