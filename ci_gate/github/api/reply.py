"""What GitHub answered: a reply to read, or an error that names the request and the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import msgspec

from ci_gate.errors import OutsideError

_T = TypeVar("_T")


class GitHubError(OutsideError):
    """The request to GitHub and its answer. ``status`` is None where no reply came."""

    def __init__(self, asked: str, message: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(f"{asked}: {message}")


class TooLargeError(GitHubError):
    """A reply is larger than what was asked for may be."""


class RefusedError(GitHubError):
    """GitHub says that this token may not do this (401, 403), or hides it (404)."""


class MaybeDoneError(GitHubError):
    """A request that must be done only once failed, and it is not known whether it was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A reply below 400, read whole."""

    status: int
    content: bytes
    next_url: str | None  # of the next page

    def read(self, kind: type[_T]) -> _T:
        """Raises GitHubError where the reply is not what GitHub documents."""
        try:
            return msgspec.json.decode(self.content, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise GitHubError("read GitHub's reply", f"not as documented: {error}", self.status) from error


class _ErrorBody(msgspec.Struct):
    message: str = ""


def read_message(content: bytes) -> str:
    """GitHub's message about an error, on one line."""
    try:
        message = msgspec.json.decode(content, type=_ErrorBody).message
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return " ".join(message.split())[:300]
