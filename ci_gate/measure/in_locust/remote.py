"""Workers on other machines: Locust's own sockets, which prove the secret first. Runs inside Locust.

Locust's protocol asks for no password, takes any sender for a worker, and hands out the locustfile. So its
two socket classes are replaced by such as are encrypted (see `ci_gate.measure.remote.secret`), answer
ci-gate's own messages themselves, and let Locust see nothing but the messages of workers that have a part.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import time
from typing import TYPE_CHECKING, Any, Final

import gevent
import zmq
from locust.exception import RPCError
from locust.rpc import Message, zmqrpc

from ci_gate.addresses import HostPort, hide_credentials
from ci_gate.evidence.clocks import read_clock
from ci_gate.measure.in_locust.several import Conducting, Master, become_worker
from ci_gate.measure.remote.desk import MAX_SILENCE_S, Desk
from ci_gate.measure.remote.messages import Join, pack, read_question
from ci_gate.measure.remote.secret import protect_client, protect_server, watch_refusals

if TYPE_CHECKING:
    from pathlib import Path

    from ci_gate.evidence.recording import RecordingPlan
    from ci_gate.measure.in_locust.crew import Pacer
    from ci_gate.measure.target import Membership, Target

_NOT_OURS: Final = frozenset({"locustfile"})  # it asks for code
_MAX_LINES: Final = 10
_log: Final = logging.getLogger(__name__)


class Server(zmqrpc.Server):
    """The master's. Messages of unknown senders, and such as are none of Locust's, are dropped."""

    def __init__(self, host: str, port: int, *, desk: Desk, secret: str) -> None:
        zmqrpc.BaseSocket.__init__(self, zmq.ROUTER, ":" not in host)
        protect_server(self.socket, secret)
        self._desk = desk
        self._lines = 0
        gevent.spawn(self._report_refusals, watch_refusals(self.socket))
        try:
            self.socket.bind(f"tcp://{HostPort(host, port)}")
        except zmq.ZMQError as error:
            raise RPCError(f"Socket bind failure: {error}") from error
        self.port = port

    def recv_from_client(self) -> tuple[str, Message]:
        while True:
            try:
                frames = self.socket.recv_multipart()
            except zmq.ZMQError as error:
                raise RPCError("ZMQ network broken") from error
            try:
                if message := self._read(*frames):
                    return message.node_id, message
            except Exception as error:  # noqa: BLE001 - decoders raise whatever the data make them raise
                self._lines += 1
                if self._lines <= _MAX_LINES:
                    _log.warning("Dropped a message of a worker: %s", hide_credentials(repr(error)[:200]))

    def _read(self, sender: bytes, body: bytes) -> Message | None:
        """Locust's own message; None where it is ours. Raises whatever is wrong with it."""
        if question := read_question(body):
            if answer := self._desk.hear(sender, question):
                with contextlib.suppress(zmq.Again):  # it asks again
                    self.socket.send_multipart([sender, pack(answer, "")], zmq.NOBLOCK)
            return None
        if not self._desk.is_admitted(sender):
            raise ValueError("its sender has no part in this recording")
        message: Message = Message.unserialize(body)
        if not isinstance(message.type, str) or message.type in _NOT_OURS:
            raise ValueError("no worker sends such a message")
        if message.node_id != sender.decode():
            raise ValueError("it has the name of another worker")
        return message

    def _report_refusals(self, monitor: Any) -> None:
        for _ in range(_MAX_LINES):
            monitor.recv_multipart()
            _log.warning("Refused a connection: it does not prove the secret")
        self.socket.disable_monitor()


class Client(zmqrpc.Client):
    """A worker's. It shows its ticket before Locust says anything."""

    def __init__(self, host: str, port: int, identity: str, *, membership: Membership) -> None:
        zmqrpc.BaseSocket.__init__(self, zmq.DEALER, ":" not in host)
        protect_client(self.socket, membership.secret)
        self.socket.setsockopt(zmq.IDENTITY, identity.encode())
        self.socket.connect(f"tcp://{HostPort(host, port)}")
        self.socket.send(pack(Join(ticket=membership.ticket), identity))


class _Remote:
    """Workers as the desk knows them."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._first_asked_s: float | None = None
        self.join = lambda _client_id, _pid: None
        self.begin, self.has_ended, self.has_lost = desk.begin, desk.has_ended, desk.has_gone

    def is_awaited(self, missing: frozenset[str]) -> bool:
        """One that Locust hears nothing of may only stand still for a moment."""
        self._first_asked_s = self._first_asked_s or time.monotonic()
        is_patient = time.monotonic() - self._first_asked_s < MAX_SILENCE_S
        return self._desk.is_awaited(frozenset() if is_patient else missing)

    def end_rest(self) -> None:
        """They end by themselves, when they hear nothing any more."""


def conduct(plan: RecordingPlan, folder: Path, target: Target, conductor: Conducting) -> list[str]:
    """Make this process the master of workers on other machines; returns Locust's options."""
    crew = target.crew
    assert crew is not None  # noqa: S101 - the caller has seen it
    desk = Desk(plan, folder, target)
    conductor.take_role(Master(plan, _Remote(desk)), folder)
    _replace("Server", functools.partial(Server, desk=desk, secret=crew.secret))
    return [
        *("--master", "--expect-workers", str(plan.processes)),
        *("--expect-workers-max-wait", str(math.ceil(plan.spawn_timeout_s))),
        *("--master-bind-host", crew.host, "--master-bind-port", str(crew.port)),
    ]


def take_part(
    plan: RecordingPlan, folder: Path, membership: Membership, arrivals: Pacer | None, conductor: Conducting
) -> list[str]:
    """Make this process one of the workers; returns Locust's options."""

    def find_offset_s() -> float:
        clock = read_clock(folder)
        return clock.offset_s if clock else 0.0

    become_worker(plan, membership.number, folder, arrivals, conductor, find_offset_s)
    _replace("Client", functools.partial(Client, membership=membership))
    return ["--worker", "--master-host", membership.host, "--master-port", str(membership.port)]


def _replace(name: str, made_by: Any) -> None:
    setattr(zmqrpc, name, made_by)  # `locust.runners` takes it from there for each socket
