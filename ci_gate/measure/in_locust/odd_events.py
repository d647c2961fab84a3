"""Request events whose values are not what Locust says they are. Runs inside Locust.

The code of a scenario may fire any event it likes. What has a plain meaning is read so (a Decimal, a number
of numpy, a start on another clock). What has none is noted with its endpoint and value; a request whose time
or status cannot be read counts as a failure, for nobody knows whether it was fast or good.
"""

from __future__ import annotations

import math
import operator
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ci_gate.evidence.readings import OddValue
from ci_gate.evidence.samples import NOT_HTTP, storable

CLOCK_SLACK_S: Final = 1.0
MAX_BYTES: Final = 2**63 - 1
_MAX_KINDS: Final = 100
_OTHERS: Final = "(other endpoints)"
_SHOWN: Final = 100
_NO_STATUS: Final = object()
_SUBSECONDS: Final = (1.0, 1e3, 1e6, 1e9)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadEvent:
    """What an event says, in values that a row can hold. ``unread`` says what of it could not be read."""

    start_s: float
    response_ms: float
    length: int
    status: int
    unread: str


class OddEvents:
    """Reads events one value at a time, and counts what was odd in them.

    ``http_replies`` are the classes of the replies of Locust's own clients: there status 0 is no reply.
    """

    def __init__(
        self,
        clean: Callable[[str], str],
        http_replies: tuple[type, ...],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clean = clean  # of secrets; what is recorded is read by many
        self._http_replies = http_replies
        self._clock = clock
        self._began_s = clock()
        self._seen: dict[tuple[str, str], list[Any]] = {}  # value and meaning of the first, and the count

    def read(
        self,
        endpoint: str,
        *,
        now_s: float,
        start_time: object,
        response_time: object,
        response_length: object,
        response: object,
        failed: bool,
    ) -> ReadEvent:
        """Read an event that was fired at ``now_s``, in Unix seconds."""
        lived_s = self._clock() - self._began_s + CLOCK_SLACK_S
        unread = ""
        response_ms = _read_number(response_time)
        if response_ms is None or not 0 <= response_ms <= lived_s * 1000:
            response_ms = 0.0
            if response_time is not None or not failed:  # a failure may well have no time
                unread = self._note(endpoint, "response_time", response_time, "a failure")
        start_s = _place(start_time, now_s, lived_s)
        if start_s is None:
            start_s = now_s - response_ms / 1000
            if start_time is not None and _read_number(start_time) != 0:
                self._note(endpoint, "start_time", start_time, "when the event was fired")
        length = _read_whole(0 if response_length is None else response_length, MAX_BYTES)
        if length is None:
            length = max(0, math.floor(_read_number(response_length) or 0))
            self._note(endpoint, "response_length", response_length, str(length))
        status = _find_status(response)
        code = NOT_HTTP if status is _NO_STATUS else _read_status(status)
        if code == 0 and not failed and not isinstance(response, self._http_replies):
            code = NOT_HTTP  # of another protocol: 0 is gRPC's OK
        if code is None:
            unread = self._note(endpoint, "status_code", status, "a failure")
        return ReadEvent(
            start_s=start_s,
            response_ms=response_ms,
            length=min(length, MAX_BYTES),
            status=NOT_HTTP if code is None else code,
            unread=unread,
        )

    def name(self, request_type: object, name: object) -> str:
        """The endpoint of an event whose method or name may be no text."""
        endpoint = name_endpoint(request_type, name)
        for argument, value in (("request_type", request_type), ("name", name)):
            if not isinstance(value, str | bytes):
                self._note(endpoint, argument, value, "the text of it")
        return endpoint

    def _note(self, endpoint: str, argument: str, value: object, read_as: str) -> str:
        shown = self._clean(show_value(value))
        key = (self._clean(endpoint), argument)
        if key not in self._seen and len(self._seen) >= _MAX_KINDS:
            key = (_OTHERS, argument)
        self._seen.setdefault(key, [shown, read_as, 0])[2] += 1
        return f"{argument} {shown} cannot be read"

    def take(self) -> tuple[OddValue, ...]:
        """What was odd so far, by endpoint and argument."""
        return tuple(
            OddValue(
                endpoint=storable(endpoint),
                argument=argument,
                value=storable(value),
                read_as=storable(read_as),
                count=count,
            )
            for (endpoint, argument), (value, read_as, count) in self._seen.items()
        )


def name_endpoint(request_type: object, name: object) -> str:
    """``METHOD name``, whatever the two are."""
    return f"{show_text(request_type)} {show_text(name)}"


def show_text(value: object) -> str:
    """A text as it is, bytes as the text they hold, anything else as Python shows it."""
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    return f"{value}" if isinstance(value, str) else show_value(value)


def show_value(value: object) -> str:
    """``repr(value)``, cut to a line; where that raises, what kind of thing it is."""
    return show_error(value)[:_SHOWN]


def show_error(error: object) -> str:
    """``repr(error)``, also of an object whose repr raises."""
    try:
        return repr(error)
    except Exception as raised:  # noqa: BLE001 - it is the scenario's own code, and may raise anything
        return f"{type(error).__name__} (its repr raises {type(raised).__name__})"


def is_failure(exception: object) -> bool:
    """Whether an event's exception says failure, as Locust takes it; also where it cannot even say that."""
    try:
        return bool(exception)
    except Exception:  # noqa: BLE001 - see above
        return True


def _read_number(value: Any) -> float | None:
    """A finite number of any kind; None for what is no number, text included."""
    if isinstance(value, str | bytes | bytearray):
        return None
    try:
        number = float(value)
    except Exception:  # noqa: BLE001 - __float__ is the scenario's own code
        return None
    return number if math.isfinite(number) else None


def _read_whole(value: Any, most: int) -> int | None:
    """A whole number from 0 to ``most``, of any kind."""
    try:
        whole = operator.index(value)
    except Exception:  # noqa: BLE001 - __index__ is the scenario's own code
        number = _read_number(value)
        if number is None or not number.is_integer():
            return None
        whole = int(number)
    return whole if 0 <= whole <= most else None


def _find_status(response: object) -> object:
    """The status of a reply; the exception where asking for it raises."""
    if response is None:
        return _NO_STATUS
    try:
        return getattr(response, "status_code", _NO_STATUS)
    except Exception as raised:  # noqa: BLE001 - the reply may be of the scenario's own class
        return raised


def _read_status(value: Any) -> int | None:
    """0 for no reply, as Locust's clients have it; None for what is no status."""
    if value is None:
        return 0
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:9])
    return _read_whole(value, NOT_HTTP - 1)


def _read_offset_s() -> float:
    """What the wall clock is ahead of the other; the best of three, lest another program run in between."""
    readings = [(time.perf_counter(), time.time(), time.perf_counter()) for _ in range(3)]
    before_s, wall_s, after_s = min(readings, key=lambda each: each[2] - each[0])
    return wall_s - (before_s + after_s) / 2


def _place(start_time: Any, now_s: float, lived_s: float) -> float | None:
    """When a request was sent, in Unix seconds, if ``start_time`` says so on any clock in use; else None.

    These are Unix time in seconds or a thousandth, millionth or billionth of them, and the clock of
    ``time.perf_counter()`` and ``time.monotonic()``. The right one puts the request into the life of this
    process; no other does, for they are many years apart.
    """
    number = _read_number(start_time)
    if number is None:
        return None
    for candidate_s in (*(number / each for each in _SUBSECONDS), _read_offset_s() + number):
        if -CLOCK_SLACK_S <= now_s - candidate_s <= lived_s:
            return candidate_s
    return None
