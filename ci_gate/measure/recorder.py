"""Runs inside Locust and records every request exactly; with any unmodified locustfile.

``python -m ci_gate.measure.recorder FOLDER locust-arguments...`` is Locust with the recorder in it;
FOLDER/plan.json says what to do. At its rate limit Locust spends 60 microseconds on a request: what runs for
every request is written for speed, and what Locust does not report is found without touching the others.
"""

from __future__ import annotations

import random
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import locust.main
from locust import events
from locust.contrib.fasthttp import LocustBadStatusCode
from requests.exceptions import HTTPError

from ci_gate.evidence import RecordingPlan, read_json
from ci_gate.measure.phases import Conductor
from ci_gate.measure.unreported import OpenReplies, find_current_user, find_waiting_requests
from ci_gate.samples import (
    BODY_PREFIX,
    ENDED_BY_CHECK,
    ENDED_BY_STATUS,
    ENDED_NEVER,
    ENDED_UNREPORTED,
    ENDED_WELL,
    ENDED_WITHOUT_REPLY,
    FLAG_HTML,
    FLAG_RETRY_AFTER,
    NOT_HTTP,
    SampleWriter,
)

_THROTTLING = frozenset({403, 429, 503})
_HTML_STARTS = (b"<!doctype html", b"<html")
_REMEMBERED = 4096


class Recorder:
    """Turns Locust's request events, and requests that end without one, into samples."""

    def __init__(self, writer: SampleWriter) -> None:
        self._writer = writer
        self._open_replies = OpenReplies()
        self._class_ids: dict[type, int] = {}
        self._body_flags: dict[int, int] = {}

    def listen(self) -> None:
        """Attach to Locust, for as long as the process lives."""
        self._open_replies.watch()
        events.request.add_listener(self._make_listener())

    def _make_listener(self) -> Callable[..., None]:
        write, text_id, body_flags = self._writer.write, self._writer.string_id, self._body_flags
        forget, user_class_id, crc32 = self._open_replies.forget, self._user_class_id, zlib.crc32
        endpoint_ids: dict[tuple[str, str], int] = {}

        def on_request(  # noqa: PLR0913 - the arguments are Locust's
            *,
            request_type: str,
            name: str,
            response_time: float,
            response_length: int,
            response: Any = None,
            context: dict[str, Any] | None = None,
            exception: BaseException | None = None,
            start_time: float | None = None,
            **_more: Any,
        ) -> None:
            forget(id(context), None)
            try:
                endpoint = endpoint_ids[request_type, name]
            except KeyError:
                endpoint = endpoint_ids[request_type, name] = text_id(f"{request_type} {name}")
            status = NOT_HTTP if response is None else response.status_code
            body = getattr(response, "_cached_content", None) or getattr(response, "_content", None)
            crc = flags = 0
            if body and type(body) is bytes:
                crc = crc32(body if len(body) <= BODY_PREFIX else body[:BODY_PREFIX])
                flags = body_flags[crc] if crc in body_flags else self._flag_body(crc, body)
            if exception or status in _THROTTLING:
                flags |= _flag_throttling(response, status)
            start_s = start_time or time.time() - (response_time or 0) / 1000
            write(
                start_s,
                start_s,
                response_time or 0,
                response_length or 0,
                endpoint,
                text_id(repr(exception)) if exception else 0,
                crc,
                user_class_id(),
                status or 0,
                flags,
                _ending(status, exception) if exception else ENDED_WELL,
            )

        return on_request

    def _user_class_id(self) -> int:
        """Id of the class of the user that is making a request right now."""
        arguments = getattr(gevent.getcurrent(), "args", None)
        if arguments and (known := self._class_ids.get(type(arguments[0]))):
            return known
        user = find_current_user()
        if user is None:
            return 0
        return self._class_ids.setdefault(type(user), self._writer.string_id(type(user).__name__))

    def _flag_body(self, crc: int, body: bytes) -> int:
        flags = FLAG_HTML if body[:BODY_PREFIX].lstrip().lower().startswith(_HTML_STARTS) else 0
        if len(self._body_flags) < _REMEMBERED:
            self._body_flags[crc] = flags
        return flags

    def write_waiting(self) -> None:
        """Write the requests that users still wait for; for the moment before the users are killed."""
        for request in find_waiting_requests():
            waited_ms = (time.time() - request.start_s) * 1000
            endpoint, user_class = (
                self._writer.string_id(request.endpoint),
                self._writer.string_id(request.user_class),
            )
            self._writer.write(
                request.start_s, request.start_s, waited_ms, 0, endpoint, 0, 0, user_class, 0, 0, ENDED_NEVER
            )

    def finish(self) -> None:
        """Write the replies that no scenario ever reported, and close the file."""
        for reply in self._open_replies.take():
            endpoint, user_class = (
                self._writer.string_id(reply.endpoint),
                self._writer.string_id(reply.user_class),
            )
            start_s, row = reply.start_s, (reply.response_ms, 0, endpoint, 0, 0, user_class, reply.status)
            self._writer.write(start_s, start_s, *row, 0, ENDED_UNREPORTED)
        self._writer.close()


def _flag_throttling(response: Any, status: int) -> int:
    headers = getattr(response, "headers", None) or ()
    return FLAG_RETRY_AFTER if status in _THROTTLING and "retry-after" in headers else 0


def _ending(status: int, exception: BaseException) -> int:
    if not status:
        return ENDED_WITHOUT_REPLY
    return ENDED_BY_STATUS if isinstance(exception, LocustBadStatusCode | HTTPError) else ENDED_BY_CHECK


def main() -> None:
    """Run Locust with the recorder in it; ends the process with Locust's exit code."""
    folder, arguments = Path(sys.argv[1]), sys.argv[2:]
    plan = read_json(folder / "plan.json", RecordingPlan)
    recorder = Recorder(SampleWriter(folder))
    recorder.listen()
    Conductor(plan, folder, recorder).listen(events)
    random.seed(plan.seed)
    sys.argv = ["locust", *arguments]
    locust.main.main()


if __name__ == "__main__":
    main()
