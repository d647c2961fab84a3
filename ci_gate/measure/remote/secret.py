"""The secret that a master shares with its workers: each connection between them proves it, and is encrypted.

ZeroMQ's own CURVE does both. The master's key pair is made from the secret: who does not know the secret
knows neither half of it, so that a connection comes about only between two that do. It is refused before
Locust reads anything of it. The keys of a connection are drawn anew, so nothing of it can be sent again.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import zmq
from zmq.utils import z85

from ci_gate.addresses import WORKER_SECRET
from ci_gate.errors import OutsideError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

MIN_LENGTH: Final = 16
_MAX_BYTES: Final = 4096
_MAX_MESSAGE_BYTES: Final = 32 * 1024**2  # the statistics of many endpoints are a few
_HEARTBEAT_MS: Final = 1000
_DEAD_MS: Final = 5000  # without a word of the other side: the connection is made anew
_REFUSED: Final = (
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)


class _Keys(NamedTuple):
    public: bytes
    secret: bytes


def read_secret(path: Path | None, text: str) -> str:
    """The secret in this file; without one, this text of the environment.

    Never on the command line, which others can read. Raises UsageError where there is none, or a short one.
    """
    if path is not None:
        try:
            with path.open("rb") as file:
                text = file.read(_MAX_BYTES).decode()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise UsageError(f"{path}: {reason}") from error
    text = text.strip()
    if len(text) < MIN_LENGTH:
        given = "is too short" if text else "is missing"
        raise UsageError(
            f"the secret of the workers {given}: put {MIN_LENGTH} characters or more into {WORKER_SECRET}, "
            "or into a file for --secret-file, the same on all machines (openssl rand -hex 32)"
        )
    return text


def protect_server(socket: zmq.Socket[Any], secret: str) -> None:
    """Let only those connect who know the secret. Before it is bound. Raises OutsideError without CURVE."""
    keys = _make_keys(secret)
    _bound(socket)
    socket.setsockopt(zmq.ROUTER_HANDOVER, 1)  # a worker whose connection was cut comes back at once
    socket.setsockopt(zmq.CURVE_SERVER, 1)
    socket.setsockopt(zmq.CURVE_PUBLICKEY, keys.public)
    socket.setsockopt(zmq.CURVE_SECRETKEY, keys.secret)


def protect_client(socket: zmq.Socket[Any], secret: str) -> None:
    """Connect only to one who knows the secret. Before it is connected. Raises OutsideError without CURVE."""
    keys = _make_keys(secret)
    _bound(socket)
    public, own = zmq.curve_keypair()
    socket.setsockopt(zmq.CURVE_PUBLICKEY, public)
    socket.setsockopt(zmq.CURVE_SECRETKEY, own)
    socket.setsockopt(zmq.CURVE_SERVERKEY, keys.public)


def watch_refusals(socket: zmq.Socket[Any]) -> zmq.Socket[Any]:
    """A socket that gets a message each time a connection is refused: there is another secret, or none."""
    return socket.get_monitor_socket(_REFUSED)


def _bound(socket: zmq.Socket[Any]) -> None:
    socket.setsockopt(zmq.MAXMSGSIZE, _MAX_MESSAGE_BYTES)
    socket.setsockopt(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, _DEAD_MS)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, _HEARTBEAT_MS)


@lru_cache(maxsize=4)
def _make_keys(secret: str) -> _Keys:
    if not zmq.has("curve"):
        raise OutsideError("this ZeroMQ is built without CURVE (libsodium): nobody could prove the secret")
    # Slow on purpose: who listens could try secrets one after the other.
    own = hashlib.scrypt(secret.encode(), salt=b"ci-gate workers 1", n=2**14, r=8, p=1, dklen=32)
    encoded = z85.encode(own)
    return _Keys(public=zmq.curve_public(encoded), secret=encoded)
