"""What ci-gate's own messages between a master and its workers are. MessagePack of exactly these types.

They go over Locust's socket, in Locust's envelope. Whoever sends them has proven the secret; what they say is
read as data all the same: of bounded size, within the ranges of evidence.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from ci_gate.evidence.processes import MAX_PROCESSES
from ci_gate.evidence.ranges import Count, Moment
from ci_gate.evidence.readings import StrictValue
from ci_gate.evidence.recording import RecordingPlan
from ci_gate.measure.target import MAX_FILES, Target

OURS: Final = "ci_gate"
"""As the type in Locust's envelope."""
BLOCK_BYTES: Final = 256 * 1024
Text = Annotated[str, Meta(max_length=500)]
Id = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
Number = Annotated[int, Meta(ge=1, le=MAX_PROCESSES)]
FileName = Annotated[
    str,
    Meta(
        pattern=r"^(samples\.bin|(strings|marks|readings|clock)\.jsonl|traces-[0-9]{1,10}\.jsonl|locust\.log"
        r"|(totals|delivery)\.json)\Z"
    ),
]
"""What a worker records, and nothing else: a name is never a path."""
Digests = Annotated[dict[Text, Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]], Meta(max_length=MAX_FILES)]


class Hello(StrictValue, frozen=True, tag="hello"):
    """Of a worker that has nothing to do."""

    version: Text
    name: Text


class Refusal(StrictValue, frozen=True, tag="refusal"):
    """Of a worker that cannot do what it is given."""

    why: Text


class Join(StrictValue, frozen=True, tag="join"):
    """Of the Locust of a worker, before anything else."""

    ticket: Id


class Block(StrictValue, frozen=True, tag="block"):
    """A piece of a file; ``offset`` is its number: the one after it begins where it ends.

    ``size`` is that of a file that is of use only as a whole; 0 of one that grows.
    """

    recording: Id
    number: Number
    file: FileName
    offset: Count
    data: Annotated[bytes, Meta(max_length=BLOCK_BYTES)]
    size: Count = 0


class Ping(StrictValue, frozen=True, tag="ping"):
    """What time is it? ``monotonic_s`` is the worker's."""

    monotonic_s: Moment


class Ended(StrictValue, frozen=True, tag="ended"):
    """The Locust of a worker has ended."""

    recording: Id
    number: Number


class Work(StrictValue, frozen=True, tag="work"):
    """What a worker is to do. ``files`` are those that its folder must have, with their SHA-256."""

    recording: Id
    number: Number
    ticket: Id
    plan: RecordingPlan
    target: Target
    files: Digests


class Wait(StrictValue, frozen=True, tag="wait"):
    """There is nothing to do yet; ``why`` is empty where that is as it should be."""

    why: Text


class Done(StrictValue, frozen=True, tag="done"):
    """There is nothing to do any more."""


class Acknowledgement(StrictValue, frozen=True, tag="acknowledgement"):
    """So many bytes of this file are written."""

    recording: Id
    number: Number
    file: FileName
    size: Count


class Unknown(StrictValue, frozen=True, tag="unknown"):
    """The worker has no part in this recording, or not any more."""

    recording: Id


class Pong(StrictValue, frozen=True, tag="pong"):
    """The master's clocks; ``asked_s`` is what the question had."""

    asked_s: Moment
    wall_s: Moment
    monotonic_s: Moment


Question = Hello | Refusal | Join | Block | Ping | Ended
Answer = Work | Wait | Done | Acknowledgement | Unknown | Pong

_envelope: Final = msgspec.msgpack.Decoder(tuple[str, msgspec.Raw, str])
_question: Final = msgspec.msgpack.Decoder(Question)
_answer: Final = msgspec.msgpack.Decoder(Answer)
MALFORMED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def pack(message: Question | Answer, name: str) -> bytes:
    """A message in Locust's envelope; ``name`` is that of the worker that it is of, or for."""
    return msgspec.msgpack.encode((OURS, message, name))


def read_question(frame: bytes) -> Question | None:
    """What a worker says; None where it is a message of Locust's. Raises one of MALFORMED."""
    kind, body, _ = _envelope.decode(frame)
    return _question.decode(body) if kind == OURS else None


def read_answer(frame: bytes) -> Answer | None:
    """What the master says. As `read_question`."""
    kind, body, _ = _envelope.decode(frame)
    return _answer.decode(body) if kind == OURS else None
