"""A worker's connection to its master, beside the one that its Locust has. It comes back by itself."""

from __future__ import annotations

import contextlib
import time
import uuid
from typing import TYPE_CHECKING, Final, Self

import zmq
from zmq.utils.monitor import parse_monitor_message

from ci_gate.errors import OutsideError
from ci_gate.measure.remote.messages import MALFORMED, Answer, Question, pack, read_answer
from ci_gate.measure.remote.secret import protect_client, watch_refusals

if TYPE_CHECKING:
    from ci_gate.addresses import HostPort

MAX_REFUSED_S: Final = 8.0
"""Each connection is ended at once: then the secret is another."""


class Connection:
    """A context manager. ``heard_s`` is when the master answered last, by the monotonic clock.

    ``name`` is by which the master knows it, also when it comes back.
    """

    def __init__(self, master: HostPort, secret: str) -> None:
        self._master = master
        self.name = f"ci-gate-{uuid.uuid4().hex}"
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        protect_client(self._socket, secret)
        self._socket.setsockopt(zmq.IDENTITY, self.name.encode())
        self._socket.setsockopt(zmq.IMMEDIATE, 1)  # nothing is kept for a master that is not there
        self._socket.setsockopt(zmq.IPV6, ":" in master.host)
        self._monitor = watch_refusals(self._socket)
        self._poller = zmq.Poller()
        for socket in (self._socket, self._monitor):
            self._poller.register(socket, zmq.POLLIN)
        self._refused_s: float | None = None  # since when each connection is refused
        self.heard_s = time.monotonic()

    def __enter__(self) -> Self:
        try:
            self._socket.connect(f"tcp://{self._master}")
        except zmq.ZMQError as error:
            raise OutsideError(f"cannot connect to {self._master}: {error.strerror}") from error
        return self

    def __exit__(self, *_exc: object) -> None:
        self._context.destroy(linger=500)

    def send(self, message: Question) -> bool:
        """False where the master is not there, or takes no more for now."""
        with contextlib.suppress(zmq.Again):
            self._socket.send(pack(message, self.name), zmq.NOBLOCK)
            return True
        return False

    def receive(self, timeout_s: float) -> Answer | None:
        """The next answer, None where none comes in time. Raises OutsideError where the secret is another."""
        deadline = time.monotonic() + timeout_s
        left_s = timeout_s
        while left_s >= 0:
            ready = dict(self._poller.poll(int(left_s * 1000)))
            if self._monitor in ready:
                event = parse_monitor_message(self._monitor.recv_multipart())["event"]
                self._refused_s = self._refused_s or time.monotonic()
                # The other side speaks another protocol, or ends each connection, as a proxy may for a while.
                is_closed = event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
                if not is_closed or time.monotonic() > self._refused_s + MAX_REFUSED_S:
                    raise OutsideError(
                        f"{self._master} refuses this worker, or does not prove the secret itself: is it "
                        "`ci-gate run --workers`, with the same secret?"
                    )
            if self._socket in ready:
                with contextlib.suppress(*MALFORMED):
                    if answer := read_answer(self._socket.recv()):
                        self._refused_s, self.heard_s = None, time.monotonic()
                        return answer
            left_s = deadline - time.monotonic()
        return None

    def silence_s(self) -> float:
        """For how long nothing was heard of the master."""
        return time.monotonic() - self.heard_s
