"""Says of a connection that broke whether replies had come over it before. Runs inside Locust.

A server that closes idle connections may do so at the moment in which the next request is sent. Locust's
HttpUser then gets an error that looks like any other broken connection. FastHttpUser sends such a request
again by itself, and shows nothing.
"""

from __future__ import annotations

from http.client import RemoteDisconnected
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from ci_gate.evidence.samples import KEPT_ALIVE_CLOSED


class KeptAliveClosed(RemoteDisconnected):
    """The connection ended without a reply, after earlier requests had been answered over it."""

    def __init__(self) -> None:
        super().__init__(KEPT_ALIVE_CLOSED)


class _Counting:
    """Beside a connection of urllib3: how many replies have come since it was opened."""

    replies = 0

    def connect(self) -> None:
        self.replies = 0
        super().connect()  # type: ignore[misc]

    def request(self, *arguments: Any, **more: Any) -> None:
        try:
            super().request(*arguments, **more)  # type: ignore[misc]
        except ConnectionResetError as error:
            self._raise_if_kept_alive(error)
            raise

    def getresponse(self) -> Any:
        try:
            response = super().getresponse()  # type: ignore[misc]
        except (ConnectionResetError, BrokenPipeError) as error:
            self._raise_if_kept_alive(error)
            raise
        self.replies += 1
        return response

    def _raise_if_kept_alive(self, error: Exception) -> None:
        if self.replies:
            raise KeptAliveClosed from error


class _CountingConnection(_Counting, HTTPConnection):
    pass


class _CountingTLSConnection(_Counting, HTTPSConnection):
    pass


def name_closed_connections() -> None:
    """For each connection that is opened from now on."""
    HTTPConnectionPool.ConnectionCls = _CountingConnection
    HTTPSConnectionPool.ConnectionCls = _CountingTLSConnection
