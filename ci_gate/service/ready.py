"""Waits until a service is ready: asks a path, a port or a command again and again."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from base64 import b64encode
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from ci_gate.addresses import credentials_of, hide_credentials
from ci_gate.errors import ServiceError
from ci_gate.wording import format_exact

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator
    from pathlib import Path

PROBE_TIMEOUT_S = 3.0
FIRST_PAUSE_S = 0.02
MAX_PAUSE_S = 0.25
IN_A_ROW = 10
"""Good answers on fresh connections: of several processes that listen, one may not be ready yet."""
DEFAULT_PORTS = {"http": 80, "https": 443}
BODY_LIMIT = 64 * 1024
"""Bytes of the answer that are read, so that a small one ends in peace; the rest is not downloaded."""


class Clock(Protocol):
    """What the module ``time`` offers."""

    def monotonic(self) -> float: ...
    def sleep(self, seconds: float, /) -> None: ...


def await_ready(
    probe: Callable[[float], str | None],
    ended: Callable[[], str | None],
    *,
    timeout_s: float,
    clock: Clock,
    in_a_row: int = IN_A_ROW,
) -> float:
    """Polls until ``probe`` finds nothing wrong ``in_a_row`` times, and returns the seconds that took.

    ``probe`` is given the seconds it may take and says what is wrong; ``ended`` says how the service ended,
    None while it runs. Raises ServiceError as soon as it has ended, or after ``timeout_s``; a service that is
    too slow to answer so often until then is ready if it answers.
    """
    started = clock.monotonic()
    pause_s = FIRST_PAUSE_S
    good = 0
    while True:
        left_s = timeout_s - (clock.monotonic() - started)
        # One that has answered well is not called unready for the little time that was left to ask again.
        wrong = probe(PROBE_TIMEOUT_S if good else max(0.1, min(PROBE_TIMEOUT_S, left_s)))
        # Asked after the probe: what answered may be another program that took the port.
        if (how := ended()) is not None:
            raise ServiceError(f"the service ended before it was ready: {how}")
        elapsed_s = clock.monotonic() - started
        good = good + 1 if wrong is None else 0
        if good == in_a_row or (good and elapsed_s >= timeout_s):
            return elapsed_s
        if elapsed_s >= timeout_s:
            raise ServiceError(f"the service was not ready after {format_exact(timeout_s)} s: {wrong}")
        clock.sleep(min(FIRST_PAUSE_S if good else pause_s, timeout_s - elapsed_s))
        pause_s = min(pause_s * 1.5, MAX_PAUSE_S)


def probe_tcp(url: str, timeout_s: float) -> str | None:
    """None if the URL's host and port accept a connection, else what is wrong."""
    parts = urlsplit(url)
    port = parts.port or DEFAULT_PORTS[parts.scheme]
    try:
        socket.create_connection((parts.hostname or "", port), timeout=timeout_s).close()
    except OSError as error:
        return f"connect to {parts.hostname}:{port}: {_reason(error)}"
    return None


def probe_http(
    url: str, timeout_s: float, statuses: Container[int] = (), ca: Path | None = None
) -> str | None:
    """One GET, with the URL's credentials. None if the status is below 400 or in ``statuses``.

    Else what is wrong. ``ca`` has the certificates that the server's own is signed by, where they are not the
    system's. Takes at most ``timeout_s`` after the name is resolved, even if bytes drip in one by one.
    """
    parts, shown = urlsplit(url), hide_credentials(url)
    host = parts.hostname or ""
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=str(ca) if ca else None)
        connection = http.client.HTTPSConnection(host, parts.port, timeout=timeout_s, context=context)
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=timeout_s)
    late = threading.Event()
    try:
        connection.connect()
        with _cut_off(connection.sock, timeout_s, late):
            target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
            status = _get(connection, target, _authorization(url))
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"GET {shown}: {'no answer in time' if late.is_set() else _reason(error)}"
    finally:
        connection.close()
    is_right = status < HTTPStatus.BAD_REQUEST or status in statuses
    return None if is_right else f"GET {shown} answered {status}"


def _authorization(url: str) -> dict[str, str]:
    """As Locust sends it: encoded as Latin-1, and only where there are both user and password."""
    credentials = credentials_of(url)
    if credentials is None:
        return {}
    return {"Authorization": f"Basic {b64encode(':'.join(credentials).encode('latin-1')).decode()}"}


def _get(connection: http.client.HTTPConnection, target: str, authorization: dict[str, str]) -> int:
    headers = {"Connection": "close", "User-Agent": "ci-gate", **authorization}
    connection.request("GET", target, headers=headers)
    response = connection.getresponse()
    # The status is the answer; a body that breaks off is for the load to find.
    with contextlib.suppress(OSError, http.client.HTTPException):
        response.read(BODY_LIMIT)
    return response.status


@contextlib.contextmanager
def _cut_off(sock: socket.socket, timeout_s: float, late: threading.Event) -> Iterator[None]:
    """A socket's own timeout begins anew with each byte; this one does not."""

    def cut() -> None:
        late.set()
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(timeout_s, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _reason(error: Exception) -> str:
    match error:
        case ConnectionRefusedError():
            return "nothing listens there yet"
        case TimeoutError():
            return "no answer in time"
        case http.client.RemoteDisconnected() | ConnectionResetError():
            return "the connection was closed without an answer"
        case http.client.BadStatusLine() | http.client.LineTooLong():
            return "the answer is not HTTP"
        case ssl.SSLCertVerificationError():
            return f"{error.verify_message}: name the file of its certificates as service.ca"
        case _:
            return str(error) or type(error).__name__
