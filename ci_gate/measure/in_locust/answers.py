"""Which server and which page answered, where that is not what was asked for. Runs inside Locust."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from ci_gate.addresses import hide_credentials, server_of
from ci_gate.evidence.readings import Redirects

_REMEMBERED: Final = 4096
_PAGES_OF_ENDPOINT: Final = 50
_KEPT: Final = 1000


@dataclass(slots=True)
class _Seen:
    """How often a page answered, and for which two paths, of the many that may have been asked for."""

    asked: str
    also_asked: str = ""
    count: int = 1


class Answers:
    """Gets every reply that was redirected, or whose URL does not begin with ``home``."""

    def __init__(self, host: str) -> None:
        parts = urlsplit(host)
        self.home = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/"
        self._server = server_of(host)
        self._servers: dict[str, str] = {}
        self._pages: dict[str, dict[str, _Seen]] = {}  # of each endpoint, by the page that answered
        self.other_hosts: dict[str, str] = {}  # by the first endpoints that were answered there

    def see(self, endpoint: str, url: Any, response: Any) -> None:
        """Take note of who answered; ``url`` is what was asked, None where the client does not say."""
        endpoint = hide_credentials(endpoint)
        sent = getattr(response, "request", None)
        answered = str(getattr(sent, "url", None) or getattr(response, "url", None) or url or "")
        server = self._find_server(answered)
        if server and server != self._server:
            if len(self.other_hosts) < _REMEMBERED:
                self.other_hosts.setdefault(endpoint, server)
        elif server and url and answered != url:
            asked, page = _path_of(str(url)), _path_of(answered)
            if asked.rstrip("/") != page.rstrip("/"):
                self._count(endpoint, asked, page)

    def _find_server(self, url: str) -> str:
        origin = "/".join(url.split("/", 3)[:3])
        if "://" not in origin:
            return ""
        if origin not in self._servers and len(self._servers) < _REMEMBERED:
            self._servers[origin] = server_of(origin)
        return self._servers.get(origin) or server_of(origin)

    def _count(self, endpoint: str, asked: str, page: str) -> None:
        if len(self._pages) < _REMEMBERED:
            self._pages.setdefault(endpoint, {})
        pages = self._pages.get(endpoint, {})
        if seen := pages.get(page):
            seen.count += 1
            if not seen.also_asked and asked.rstrip("/") != seen.asked.rstrip("/"):
                seen.also_asked = asked
        elif len(pages) < _PAGES_OF_ENDPOINT:
            pages[page] = _Seen(asked)
        else:  # each result has a page of its own: only one that comes again and again is to stay
            for each in pages.values():
                each.count -= 1
            self._pages[endpoint] = {page: each for page, each in pages.items() if each.count}

    def begin_steady(self) -> None:
        """Forget the redirects of the ramp: a first visit without a session is often sent to a login."""
        self._pages.clear()

    def redirects(self) -> tuple[Redirects, ...]:
        """How often which path was answered by which other one since then, the most frequent first."""
        every = (
            Redirects(
                endpoint=endpoint, asked=seen.asked, also_asked=seen.also_asked, page=page, count=seen.count
            )
            for endpoint, pages in self._pages.items()
            for page, seen in pages.items()
        )
        return tuple(sorted(every, key=lambda each: -each.count)[:_KEPT])


def _path_of(url: str) -> str:
    """The path without parameters and query: they differ from reply to reply of one page."""
    path = url.split("/", 3)[3:]
    return "/" + path[0].partition("#")[0].partition("?")[0].partition(";")[0] if path else "/"
