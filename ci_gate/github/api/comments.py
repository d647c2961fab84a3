"""The one comment of a gate on a pull request, found again by its marker and its author."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from ci_gate.github.api.reply import RefusedError, Reply
from ci_gate.github.api.transport import Transport

ACTIONS_AUTHOR: Final = "github-actions[bot]"
"""Who comments with the GITHUB_TOKEN of a workflow."""

_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404


class User(msgspec.Struct, frozen=True):
    """``login`` of an app ends in ``[bot]``."""

    login: str


class Comment(msgspec.Struct, frozen=True):
    """``user`` is None where the account is gone."""

    id: int
    html_url: str
    user: User | None
    body: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upserted:
    """What became of the comment, and who GitHub says wrote it."""

    action: Literal["created", "updated", "unchanged"]
    url: str
    author: str


def make_marker(key: str) -> str:
    """The hidden first line of a comment; ``key`` distinguishes several gates of one repository."""
    return f"<!-- ci-gate:{re.sub(r'[^A-Za-z0-9._/]+', '-', key).strip('-')} -->"


def find_author(transport: Transport) -> str:
    """The login that this token comments as.

    The token of a workflow may not ask who it is; any other app must be named by who runs ci-gate.
    """
    try:
        return transport.get("/user").read(User).login
    except RefusedError as error:
        if error.status == _FORBIDDEN:
            return ACTIONS_AUTHOR
        raise


def upsert_comment(
    transport: Transport,
    repository: str,
    number: int,
    text: str,
    *,
    marker: str,
    author: str,
    may_create: bool = True,
) -> Upserted | None:
    """Write ``text`` into the gate's comment on pull request ``number``, or make it if that may be.

    None where there is none and none may be made.

    Of several, which two runs at once may have made, the oldest is kept and the others are deleted.
    Somebody else's comment with the same marker is never touched.
    """
    body = f"{marker}\n{text}"
    issue = f"/repos/{repository}/issues/{number}/comments"

    def find() -> Comment | None:
        return next(iter(_find_own(transport, issue, marker, author)), None)

    own = _find_own(transport, issue, marker, author)
    updated = _update(transport, repository, own, body)
    if updated is not None or not may_create:
        return updated
    made = transport.post_once(issue, {"body": body}, read=_read, find=find)
    # Another run may have made one since we looked. Both see both now, and agree on the oldest.
    own = _find_own(transport, issue, marker, author)
    if len(own) > 1 and own[0].id != made.id:
        return _update(transport, repository, own, body) or _describe("created", made)
    return _describe("created", made)


def _update(transport: Transport, repository: str, own: Sequence[Comment], body: str) -> Upserted | None:
    """Write ``body`` into the first, and delete the others; None where there is none any more."""
    if not own:
        return None
    oldest, *others = own
    comments = f"/repos/{repository}/issues/comments"
    done = _describe("unchanged", oldest)
    if oldest.body != body:
        try:
            reply = transport.patch(f"{comments}/{oldest.id}", {"body": body})
        except RefusedError as error:
            if error.status != _NOT_FOUND:
                raise
            return None  # deleted since we looked
        done = _describe("updated", reply.read(Comment))
    for other in others:
        with contextlib.suppress(RefusedError):  # deleted since, or not ours to delete: the text is written
            transport.delete(f"{comments}/{other.id}")
    return done


def _find_own(transport: Transport, issue: str, marker: str, author: str) -> list[Comment]:
    """The oldest first."""
    own = [
        comment
        for page in transport.get_pages(issue)
        for comment in page.read(list[Comment])
        if comment.user is not None
        and comment.user.login.casefold() == author.casefold()
        and (comment.body or "").startswith(marker)
    ]
    return sorted(own, key=lambda comment: comment.id)


def _read(reply: Reply) -> Comment:
    return reply.read(Comment)


def _describe(action: Literal["created", "updated", "unchanged"], comment: Comment) -> Upserted:
    return Upserted(
        action=action, url=comment.html_url, author=comment.user.login if comment.user else "nobody"
    )
