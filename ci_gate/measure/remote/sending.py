"""What a worker has recorded and the master has not got yet, of all recordings of its run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from ci_gate.evidence.delivery import DELIVERY_FILE
from ci_gate.measure.remote.farewell import MAX_FETCH_S
from ci_gate.measure.remote.messages import Acknowledgement, Block, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ci_gate.measure.remote.outbox import Outbox

MAX_IDLE_S: Final = 10.0
"""Once the run is over: how long a worker stays while nothing arrives."""


class Sending:
    """The outboxes that are not empty yet, by the worker's own folders.

    A recording of which the master says that it knows no part of ours is not sent until the run is over: a
    load may be on, and only who ends the run knows all its recordings.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._outboxes: dict[Path, Outbox] = {}
        self._without: set[str] = set()  # recordings in which the master knows of no part of ours
        self._arrived_s = 0.0
        self._ends_s: float | None = None  # when a worker leaves at the latest, once the run is over

    def add(self, folder: Path, outbox: Outbox) -> None:
        """One more. It is done when its last file has arrived."""
        self._outboxes[folder] = outbox

    def is_kept(self, folder: Path) -> bool:
        """Whether not all that is in this folder has arrived."""
        return folder in self._outboxes

    def kept(self) -> tuple[Path, ...]:
        """The folders of which not all has arrived."""
        return tuple(self._outboxes)

    def is_without(self, recording: str) -> bool:
        """Whether the master knows of no part of ours in it."""
        return recording in self._without

    def send(self, send: Callable[[Block], bool]) -> bool:
        """Send what is due; True while there is something that may still arrive."""
        for folder, outbox in tuple(self._outboxes.items()):
            if outbox.recording in self._without:
                continue
            for block in outbox.take():
                if not send(block):
                    break  # it comes again: it is not acknowledged
            if (folder / DELIVERY_FILE).exists() and outbox.is_empty():
                del self._outboxes[folder]
        return any(outbox.recording not in self._without for outbox in self._outboxes.values())

    def note(self, answer: Acknowledgement | Unknown) -> None:
        """What the master says of a block."""
        if isinstance(answer, Unknown):
            self._without.add(answer.recording)
            return
        for outbox in self._outboxes.values():
            if outbox.note(answer):
                self._arrived_s = self._clock()

    def end_run(self) -> None:
        """The run is over: all is sent that has not arrived."""
        self._without.clear()
        self._arrived_s = self._clock()
        self._ends_s = self._arrived_s + MAX_FETCH_S

    def is_arriving(self) -> bool:
        """Whether to stay, once the run is over: something has arrived lately, and somebody still fetches."""
        assert self._ends_s is not None  # noqa: S101 - the run is over
        return self._clock() < min(self._ends_s, self._arrived_s + MAX_IDLE_S)
