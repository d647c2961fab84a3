"""The master's side: gives workers their part, takes in what they record, and knows who is there.

It gets messages and returns answers; how they come is no matter to it.
"""

from __future__ import annotations

import logging
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import ci_gate
from ci_gate.evidence.processes import WORKER
from ci_gate.measure.remote.messages import (
    Answer,
    Block,
    Ended,
    Hello,
    Join,
    Ping,
    Pong,
    Question,
    Refusal,
    Unknown,
    Wait,
    Work,
)
from ci_gate.measure.remote.receiver import Receiver
from ci_gate.measure.target import Target

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ci_gate.evidence.recording import RecordingPlan

MAX_SILENCE_S: Final = 15.0
"""Of a worker or a master: then the other one gives it up."""


@dataclass(slots=True)
class _Place:
    """One worker of the recording. ``locust`` is the name of its Locust, once that has joined."""

    agent: bytes
    name: str
    ticket: str
    receiver: Receiver
    heard_s: float
    locust: bytes | None = None
    has_ended: bool = False


class Desk:
    """For one recording. ``target`` is what the master itself was told."""

    def __init__(
        self, plan: RecordingPlan, folder: Path, target: Target, clock: Callable[[], float] = time.monotonic
    ) -> None:
        assert target.crew is not None  # noqa: S101 - it is what there is a desk for
        self._plan, self._folder, self._target, self._crew = plan, folder, target, target.crew
        self._clock = clock
        self._places: dict[int, _Place] = {}
        self._has_begun = False
        self._log = logging.getLogger(__name__)

    def hear(self, sender: bytes, question: Question) -> Answer | None:
        """Take in what a worker says; returns what it is to be answered."""
        for place in self._places.values():
            if place.agent == sender:
                place.heard_s = self._clock()
        match question:
            case Hello():
                return self._welcome(sender, question)
            case Refusal():
                self._dismiss(sender, question.why)
            case Join():
                self._admit(sender, question.ticket)
            case Block():
                part = self._find_part(sender, question)
                return part.receiver.take(question) if part else Unknown(recording=question.recording)
            case Ping():
                return Pong(asked_s=question.monotonic_s, wall_s=time.time(), monotonic_s=time.monotonic())
            case Ended():
                if part := self._find_part(sender, question):
                    part.has_ended = True
        return None

    def begin(self) -> None:
        """The load begins: from now on nobody takes another's place."""
        self._has_begun = True

    def is_admitted(self, locust: bytes) -> bool:
        """Whether this is the Locust of one of the workers."""
        return any(place.locust == locust for place in self._places.values())

    def has_gone(self) -> bool:
        """Whether one that had a part has ended, or is not heard of any more."""
        return any(self._is_gone(place) for place in self._places.values())

    def has_ended(self) -> bool:
        """Whether the Locust of one has ended."""
        return any(place.has_ended for place in self._places.values())

    def is_awaited(self, missing: frozenset[str]) -> bool:
        """Whether something is still to come of a worker that is heard of, but of those Locusts."""
        return any(
            place.locust is not None
            and place.locust.decode(errors="replace") not in missing
            and not place.receiver.is_whole()
            and not self._is_silent(place)
            for place in self._places.values()
        )

    def _is_gone(self, place: _Place) -> bool:
        return place.has_ended or self._is_silent(place)

    def _is_silent(self, place: _Place) -> bool:
        return self._clock() - place.heard_s >= MAX_SILENCE_S

    def _welcome(self, sender: bytes, hello: Hello) -> Answer:
        if hello.version != ci_gate.__version__:
            return Wait(why=f"the master is ci-gate {ci_gate.__version__}")
        number = next((number for number, place in self._places.items() if place.agent == sender), None)
        if number is None:
            number = self._find_free()
            if number is None:
                return Wait(why="the load has begun, or all its workers are there")
            receiver = Receiver(self._folder / WORKER.format(number))
            receiver.begin(sender)
            self._places[number] = _Place(
                agent=sender,
                name=hello.name,
                ticket=secrets.token_hex(16),
                receiver=receiver,
                heard_s=self._clock(),
            )
            self._log.info("Worker %d is on %s", number, hello.name)
        elif self._places[number].has_ended:
            return Wait(why="")  # its part of this recording is done
        return self._make_work(number)

    def _find_free(self) -> int | None:
        if self._has_begun:
            return None
        numbers = range(1, self._plan.processes + 1)
        return next(
            (
                number
                for number in numbers
                if number not in self._places or self._is_silent(self._places[number])
            ),
            None,
        )

    def _make_work(self, number: int) -> Work:
        crew = self._crew
        ticket = self._places[number].ticket
        return Work(
            recording=crew.recording,
            number=number,
            ticket=ticket,
            plan=self._plan,
            target=Target(
                url=self._target.url,
                secrets=self._target.secrets,
                settings=self._target.settings,
            ),
            files=crew.files,
        )

    def _dismiss(self, sender: bytes, why: str) -> None:
        for number, place in tuple(self._places.items()):
            if place.agent == sender and not self._has_begun:
                self._log.error("Worker %d on %s cannot take part: %s", number, place.name, why)
                del self._places[number]

    def _admit(self, sender: bytes, ticket: str) -> None:
        for place in self._places.values():
            if secrets.compare_digest(place.ticket, ticket) and place.locust in {None, sender}:
                place.locust = sender

    def _find_part(self, sender: bytes, question: Block | Ended) -> _Place | None:
        """The place that a message is about; None where its sender has not got that one."""
        place = self._places.get(question.number)
        is_theirs = question.recording == self._crew.recording and place and place.agent == sender
        return place if is_theirs else None
