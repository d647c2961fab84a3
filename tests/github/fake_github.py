"""GitHub's REST API as a real HTTP server on loopback: with state, pages, refusals and failures on demand."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from tests.github.fake_state import BLOBS, REPOSITORY, NotAllowedError, State

NUMBERED = "/repositories/1"  # how GitHub's own links to further pages name a repository


@dataclass(kw_only=True)
class Failure:
    """The next ``times`` requests that match fail; ``done``: after having been done."""

    method: str
    path: str
    times: int
    status: int | None  # None: the connection is closed without a word
    message: str = "on demand"
    headers: dict[str, str] = field(default_factory=dict)
    done: bool = False


class FakeGitHub:
    """``requests`` are those that came, as ``METHOD path``; ``state`` is what they read and changed."""

    def __init__(self) -> None:
        self.state = State()
        self.requests: list[str] = []
        self.failures: list[Failure] = []
        self.meanwhile: list[tuple[str, str, Callable[[], None]]] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._make_handler())
        self._server.daemon_threads = True
        port = self._server.server_address[1]
        self.url = self.state.url = f"http://127.0.0.1:{port}"
        self.state.blob_url = f"http://localhost:{port}"  # another host, as GitHub's storage is
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def fail(self, method: str, path: str, *, times: int = 1, status: int | None = 500, **more: Any) -> None:
        self.failures.append(Failure(method=method, path=path, times=times, status=status, **more))

    def then(self, method: str, path: str, do: Callable[[], None]) -> None:
        """Something that somebody else does, right after the next request that matches was answered."""
        self.meanwhile.append((method, path, do))

    def count(self, method: str, path: str = "") -> int:
        return sum(line.startswith(method) and path in line for line in self.requests)

    def answer(self, request: _Request) -> _Answer | None:
        """None: close the connection."""
        with self._lock:
            self.requests.append(f"{request.method} {request.path}")
            failure = self._take_failure(request)
            if failure is not None and not failure.done:
                return _fail(failure)
            answer = self._answer_well(request)
            for each in [each for each in self.meanwhile if each[0] == request.method]:
                if re.search(each[1], request.path):
                    self.meanwhile.remove(each)
                    each[2]()
            return _fail(failure) if failure is not None else answer

    def _take_failure(self, request: _Request) -> Failure | None:
        for failure in self.failures:
            if failure.times and failure.method == request.method and re.search(failure.path, request.path):
                failure.times -= 1
                return failure
        return None

    def _answer_well(self, request: _Request) -> _Answer:
        if request.path.startswith(BLOBS):
            return self._answer_blob(request)
        path = request.path.replace(NUMBERED, f"/repos/{REPOSITORY}", 1)
        description = self.state.description
        template = description.match(request.method, path)
        if template is None:
            description.violations.append(f"no such operation: {request.method} {path}")
            return _Answer(404, {"message": "Not Found"})
        try:
            status, body, extra = self._perform(request, path, template)
        except NotAllowedError as refusal:
            status, body, extra = refusal.status, {"message": str(refusal), "documentation_url": "x"}, {}
        except Exception as error:  # noqa: BLE001  a mistake of the fake must fail the test, not look like GitHub
            description.violations.append(f"{request.method} {path}: {error!r}")
            return _Answer(500, {"message": "the fake failed"})
        description.check_reply(request.method, template, status, body)
        if page := extra.pop("next", None):
            following = urlencode({**dict(parse_qsl(request.query)), "page": page})
            rest = path.removeprefix(f"/repos/{REPOSITORY}")
            extra["Link"] = f'<{self.url}{NUMBERED}{rest}?{following}>; rel="next", <{self.url}>; rel="last"'
        return _Answer(status, body, extra)

    def _perform(self, request: _Request, path: str, template: str):
        actor = self._authenticate(request)
        query = dict(parse_qsl(request.query))
        description = self.state.description
        wrong = description.check_request(request.method, template, query, request.body)
        if wrong:
            raise NotAllowedError(422, f"Validation Failed: {wrong}")
        values = {name: unquote(value) for name, value in description.read_path(template, path).items()}
        return self.state.answer(request.method, template, values, query, request.body, actor)

    def _answer_blob(self, request: _Request) -> _Answer:
        if request.token is not None:  # the storage refuses two ways to sign at once
            return _Answer(400, {"message": "InvalidAuthenticationInfo"})
        wanted = int(request.path.removeprefix(BLOBS))
        return _Answer(200, next(each.content for each in self.state.artifacts if each.id == wanted))

    def _authenticate(self, request: _Request):
        if not request.agent:
            raise NotAllowedError(403, "Request forbidden by administrative rules: User-Agent required")
        scheme, _, token = (request.token or "").partition(" ")
        if scheme != "Bearer" or token not in self.state.actors:
            raise NotAllowedError(401, "Bad credentials")
        return self.state.actors[token]

    def _make_handler(self):
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one packet, or every reply waits for an acknowledgement

            def log_message(self, *_args):
                pass

            def _handle(self):
                parts = urlsplit(self.path)
                length = int(self.headers.get("Content-Length") or 0)
                raw = self.rfile.read(length)
                answer = fake.answer(
                    _Request(
                        method=self.command,
                        path=parts.path,
                        query=parts.query,
                        body=json.loads(raw) if raw else None,
                        token=self.headers.get("Authorization"),
                        agent=self.headers.get("User-Agent"),
                    )
                )
                if answer is None:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PATCH = do_DELETE = _handle  # noqa: N815  names that http.server asks for

        return Handler


@dataclass(frozen=True, kw_only=True)
class _Request:
    method: str
    path: str
    query: str
    body: Any
    token: str | None
    agent: str | None


@dataclass(frozen=True)
class _Answer:
    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


def _fail(failure: Failure) -> _Answer | None:
    if failure.status is None:
        return None
    return _Answer(failure.status, {"message": failure.message}, dict(failure.headers))
