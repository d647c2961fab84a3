"""Writes the row of an event, and counts the event beside it. Runs inside Locust, for every request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import gevent
from locust import User

from ci_gate.evidence.readings import EndpointTotal
from ci_gate.evidence.samples import ENDED_WELL, SampleWriter, pack_row
from ci_gate.measure.in_locust.arrivals import take_intended
from ci_gate.measure.in_locust.unreported import find_current_user


class Rows:
    """The rows of events, and how many there were of each endpoint, counted before its row is written."""

    def __init__(
        self, writer: SampleWriter, find_ending_user: Callable[[], User | None], *, has_arrivals: bool
    ) -> None:
        self._writer = writer
        self._find_ending_user = find_ending_user
        self._has_arrivals = has_arrivals
        self._heard: Counter[int] = Counter()  # by endpoint id
        self._failed: Counter[int] = Counter()
        self._class_ids: dict[type, int] = {type(None): 0}

    def make_writer(self) -> Callable[..., None]:
        """A function that writes one row; all it needs is in local variables, for speed."""
        take_row, getcurrent, class_ids = self._writer.take_row, gevent.getcurrent, self._class_ids
        heard, failed, has_arrivals = self._heard, self._failed, self._has_arrivals

        def write_row(  # noqa: PLR0913, PLR0917 - a row has as many fields
            start_s: float,
            response_ms: float,
            length: int,
            endpoint: int,
            error: int,
            crc: int,
            status: int,
            flags: int,
            ending: int,
        ) -> None:
            heard[endpoint] += 1
            if ending != ENDED_WELL:
                failed[endpoint] += 1
            arguments = getattr(getcurrent(), "args", None)  # of a user's greenlet: the user
            user = arguments[0] if arguments and type(arguments[0]) in class_ids else self._find_user()
            intended_s = (take_intended(user) if has_arrivals and user is not None else None) or start_s
            place, offset = take_row()
            user_class = class_ids[type(user)]
            pack_row(
                place, offset, start_s, intended_s, response_ms, length,
                endpoint, error, crc, user_class, status, flags, ending,
            )  # fmt: skip

        return write_row

    def _find_user(self) -> User | None:
        """The user that makes a request right now; its class has an id from then on."""
        user = find_current_user() or self._find_ending_user()
        if type(user) not in self._class_ids:
            self._class_ids[type(user)] = self._writer.string_id(type(user).__name__)
        return user

    def forget(self) -> None:
        """Count anew: what was heard before a fork is in the other process's file."""
        self._heard.clear()
        self._failed.clear()

    def count(self) -> tuple[EndpointTotal, ...]:
        """How many events there were of each endpoint."""
        texts = self._writer.texts()
        return tuple(
            EndpointTotal(endpoint=texts[number], requests=count, failures=self._failed[number])
            for number, count in self._heard.items()
        )
