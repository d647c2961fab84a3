"""The end of a run with workers on other machines: they are told so, and what is missing is fetched."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, Final

import zmq

from ci_gate.evidence.processes import WORKER
from ci_gate.measure.remote.messages import (
    MALFORMED,
    Acknowledgement,
    Answer,
    Block,
    Done,
    Hello,
    Ping,
    Question,
    Unknown,
    pack,
    read_question,
)
from ci_gate.measure.remote.receiver import Receiver
from ci_gate.measure.remote.secret import protect_server

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ci_gate.addresses import HostPort

_POLL_S: Final = 0.1
_QUIET_S: Final = 1.5  # after the last worker was told, or the last block came
MAX_WAIT_S: Final = 6.0
"""For a worker that says nothing: they ask once a second."""
MAX_FETCH_S: Final = 60.0
"""For what has not come yet."""


def dismiss(address: HostPort, secret: str, workers: int, folders: Mapping[str, Path]) -> tuple[str, ...]:
    """Answer the workers at this address, for some seconds, that there is no more to do.

    ``folders`` are those of the recordings, by their ids. Returns a line for each worker whose recording is
    not whole.
    """
    receivers = {
        (recording, number): Receiver(folder / WORKER.format(number))
        for recording, folder in folders.items()
        for number in range(1, workers + 1)
    }
    context: zmq.Context[Any] = zmq.Context()
    try:
        socket = context.socket(zmq.ROUTER)
        protect_server(socket, secret)
        socket.setsockopt(zmq.IPV6, ":" in address.host)
        if folders and _bind(socket, address):
            _answer_all(socket, workers, receivers)
    finally:
        context.destroy(linger=500)
        for receiver in receivers.values():
            receiver.end()
    return tuple(
        f"the recording of worker {number} is not whole: its own is on its machine, and may be copied to "
        f"{folders[recording] / WORKER.format(number)}"
        for (recording, number), receiver in receivers.items()
        if _is_missing(receiver)
    )


def _bind(socket: zmq.Socket[Any], address: HostPort) -> bool:
    """False where it is taken: the Locust before may need a moment to let it go."""
    deadline = time.monotonic() + MAX_WAIT_S
    while time.monotonic() < deadline:
        with contextlib.suppress(zmq.ZMQError):
            socket.bind(f"tcp://{address}")
            return True
        time.sleep(_POLL_S)
    return False


def _answer_all(socket: zmq.Socket[Any], workers: int, receivers: Mapping[tuple[str, int], Receiver]) -> None:
    began_s = last_s = time.monotonic()
    dismissed: set[bytes] = set()
    while (now_s := time.monotonic()) < began_s + MAX_FETCH_S:
        is_complete = len(dismissed) >= workers and not any(map(_is_missing, receivers.values()))
        if now_s > last_s + (_QUIET_S if is_complete else MAX_WAIT_S):
            return
        if not socket.poll(int(_POLL_S * 1000)):
            continue
        with contextlib.suppress(*MALFORMED, ValueError, OSError):
            sender, body = socket.recv_multipart()
            question = read_question(body)
            answer = _find_answer(sender, question, receivers)
            if isinstance(answer, Acknowledgement) or sender not in dismissed:
                last_s = time.monotonic()  # one that still ends its load only asks what time it is
            if isinstance(question, Hello):
                dismissed.add(sender)
            if answer:
                socket.send_multipart([sender, pack(answer, "")], zmq.NOBLOCK)


def _is_missing(receiver: Receiver) -> bool:
    return receiver.has_begun() and not receiver.is_whole()


def _find_answer(
    sender: bytes, question: Question | None, receivers: Mapping[tuple[str, int], Receiver]
) -> Answer | None:
    match question:
        case Hello() | Ping():
            return Done()
        case Block():
            receiver = receivers.get((question.recording, question.number))
            if receiver and receiver.is_of(sender):
                return receiver.take(question)
            return Unknown(recording=question.recording)
    return None
