"""HTTP to GitHub: the token, time limits, pages, and what is asked again after a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeVar
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from ci_gate import __version__
from ci_gate.github.api.reply import (
    GitHubError,
    MaybeDoneError,
    RefusedError,
    Reply,
    TooLargeError,
    read_message,
)
from ci_gate.github.api.retry import MAX_ATTEMPTS, backoff_s, wait_before_retry
from ci_gate.wording import format_exact

DEFAULT_API_URL: Final = "https://api.github.com"
API_VERSION: Final = "2022-11-28"
MAX_JSON_BYTES: Final = 16 * 1024**2
_TIMEOUTS_S: Final = (10.0, 30.0)  # to connect, and between two bytes
_MAX_PAGES: Final = 300
_FIRST_REDIRECT: Final = 300
_FIRST_SERVER_ERROR: Final = 500
_CHUNK_BYTES: Final = 64 * 1024

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How to wait, and for how long in all. ``jitter`` gives numbers from 0 to 1, ``wall_s`` Unix time."""

    sleep: Callable[[float], None]
    jitter: Callable[[], float]
    monotonic_s: Callable[[], float]
    wall_s: Callable[[], float]
    total_s: float = 300.0


class _Token(AuthBase):
    """Sent to GitHub alone: a redirect to another host does not get it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def __repr__(self) -> str:
        return "_Token(***)"


class Transport:
    """Requests to one GitHub API, all of them together within ``patience.total_s`` of waiting."""

    def __init__(self, session: requests.Session, *, base_url: str, token: str, patience: Patience) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._auth = _Token(token)
        self._patience = patience
        self._deadline_s = patience.monotonic_s() + patience.total_s

    def __repr__(self) -> str:
        return f"Transport({self._base_url})"

    def get(
        self,
        path: str,
        params: Mapping[str, str | int] | None = None,
        *,
        max_bytes: int = MAX_JSON_BYTES,
    ) -> Reply:
        """Raises GitHubError, RefusedError; so do all methods."""
        return self._send(_Request("GET", self._base_url + path, params=params, max_bytes=max_bytes))

    def get_pages(self, path: str, params: Mapping[str, str | int] | None = None) -> Iterator[Reply]:
        """Every page, by GitHub's own links."""
        reply = self.get(path, {"per_page": 100, **(params or {})})
        yield reply
        for _ in range(_MAX_PAGES - 1):
            if reply.next_url is None:
                return
            if urlsplit(reply.next_url)[:2] != urlsplit(self._base_url)[:2]:
                raise GitHubError(f"GET {path}", "the link to the next page leads to another host")
            reply = self._send(_Request("GET", reply.next_url))
            yield reply
        if reply.next_url is not None:
            raise GitHubError(f"GET {path}", f"more than {_MAX_PAGES} pages")

    def patch(self, path: str, body: Mapping[str, object]) -> Reply:
        return self._send(_Request("PATCH", self._base_url + path, body=body))

    def delete(self, path: str) -> Reply:
        return self._send(_Request("DELETE", self._base_url + path))

    def post(self, path: str, body: Mapping[str, object]) -> Reply:
        """For what may be done twice, such as setting a status."""
        return self._send(_Request("POST", self._base_url + path, body=body))

    def post_once(
        self,
        path: str,
        body: Mapping[str, object],
        *,
        read: Callable[[Reply], _T],
        find: Callable[[], _T | None],
    ) -> _T:
        """Make something once: ``find`` looks for it after a failure that leaves open whether it was made."""
        for attempt in range(MAX_ATTEMPTS):
            try:
                return read(self._send(_Request("POST", self._base_url + path, body=body, is_once=True)))
            except MaybeDoneError as error:
                if attempt == MAX_ATTEMPTS - 1:
                    raise
                self._wait(backoff_s(attempt, self._patience.jitter()), error)
                found = find()
                if found is not None:
                    return found
        raise AssertionError("the last attempt returns or raises")

    def _send(self, request: _Request) -> Reply:
        for attempt in range(MAX_ATTEMPTS):
            outcome = self._attempt(request, attempt)
            if isinstance(outcome, Reply):
                return outcome
            if outcome.may_be_done and request.is_once:
                raise MaybeDoneError(request.asked, outcome.message, outcome.error.status)
            if outcome.wait_s is None or attempt == MAX_ATTEMPTS - 1:
                raise outcome.error
            self._wait(outcome.wait_s, outcome.error)
        raise AssertionError("the last attempt returns or raises")

    def _attempt(self, request: _Request, attempt: int) -> Reply | _Failure:
        try:
            with self._session.request(
                request.method,
                request.url,
                params=request.params,
                json=request.body,
                headers=_HEADERS,
                auth=self._auth,
                timeout=_TIMEOUTS_S,
                stream=True,
                allow_redirects=request.method == "GET",
            ) as response:
                content = self._read_bounded(response, request)
        except requests.RequestException as error:
            never_sent = isinstance(error, requests.ConnectTimeout) or "NewConnectionError" in repr(error)
            message = f"no reply: {type(error).__name__}"
            wait_s = backoff_s(attempt, self._patience.jitter())
            return _Failure(GitHubError(request.asked, message), message, wait_s, may_be_done=not never_sent)
        if response.status_code < _FIRST_REDIRECT:
            next_url = response.links.get("next", {}).get("url")
            return Reply(status=response.status_code, content=content, next_url=next_url)
        return self._explain(response, content, request.asked, attempt)

    def _explain(self, response: requests.Response, content: bytes, asked: str, attempt: int) -> _Failure:
        status = response.status_code
        reason = read_message(content)
        message = f"HTTP {status} {reason or response.reason}"
        wait_s = None
        if status >= HTTPStatus.BAD_REQUEST:
            wait_s = wait_before_retry(
                status,
                {name.lower(): value for name, value in response.headers.items()},
                reason,
                attempt=attempt,
                now_s=self._patience.wall_s(),
                jitter=self._patience.jitter(),
            )
        kind = RefusedError if wait_s is None and status in {401, 403, 404} else GitHubError
        may_be_done = status >= _FIRST_SERVER_ERROR
        return _Failure(kind(asked, message, status), message, wait_s, may_be_done=may_be_done)

    def _read_bounded(self, response: requests.Response, request: _Request) -> bytes:
        content = bytearray()
        for chunk in response.iter_content(_CHUNK_BYTES):
            content += chunk
            if len(content) > request.max_bytes:
                raise TooLargeError(request.asked, f"the reply is larger than {request.max_bytes:,} bytes")
            if self._patience.monotonic_s() > self._deadline_s:
                raise GitHubError(request.asked, f"not done within {format_exact(self._patience.total_s)} s")
        return bytes(content)

    def _wait(self, wait_s: float, error: GitHubError) -> None:
        if self._patience.monotonic_s() + wait_s > self._deadline_s:
            most = format_exact(self._patience.total_s)
            why = f"trying again would take {wait_s:.0f} s, beyond {most} s in all"
            raise GitHubError(str(error), why, error.status) from error
        self._patience.sleep(wait_s)


@contextmanager
def open_transport(
    environ: Mapping[str, str],
    patience: Patience,
    open_session: Callable[[], requests.Session] = requests.Session,
) -> Iterator[Transport | None]:
    """A transport by GITHUB_TOKEN and GITHUB_API_URL; None without a token."""
    token = environ.get("GITHUB_TOKEN", "")
    if not token:
        yield None
        return
    with open_session() as session:
        base_url = environ.get("GITHUB_API_URL", DEFAULT_API_URL)
        yield Transport(session, base_url=base_url, token=token, patience=patience)


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    url: str
    params: Mapping[str, str | int] | None = None
    body: Mapping[str, object] | None = None
    max_bytes: int = MAX_JSON_BYTES
    is_once: bool = False

    @property
    def asked(self) -> str:
        return f"{self.method} {urlsplit(self.url).path}"


@dataclass(frozen=True, slots=True)
class _Failure:
    """``wait_s`` is None where asking again is of no use."""

    error: GitHubError
    message: str
    wait_s: float | None
    may_be_done: bool


_HEADERS: Final = {
    "Accept": "application/vnd.github+json",
    "User-Agent": f"ci-gate/{__version__}",
    "X-GitHub-Api-Version": API_VERSION,
}
