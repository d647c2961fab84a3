"""Runs inside Locust and records every request exactly; with any unmodified locustfile.

``python -m ci_gate.measure.recorder FOLDER locust-arguments...`` is Locust with the recorder in it;
FOLDER/plan.json says what to do. At its rate limit Locust spends 60 microseconds on a request: what runs for
every request is written for speed, and what Locust does not report is found without touching the others.
"""

from __future__ import annotations

import functools
import gc
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import locust.main
from gevent import getcurrent
from locust import User, argument_parser, events
from locust.contrib.fasthttp import LocustBadStatusCode
from requests.exceptions import HTTPError

from ci_gate.addresses import find_secrets, hide_credentials, hide_secrets
from ci_gate.evidence import RecordingPlan, read_json
from ci_gate.measure import HOST_VARIABLE
from ci_gate.measure.answers import Answers
from ci_gate.measure.arrivals import Arrivals, take_intended
from ci_gate.measure.phases import Conductor
from ci_gate.measure.printed import filter_output
from ci_gate.measure.schedule import Schedule
from ci_gate.measure.unreported import (
    OpenReplies,
    UnreportedRequest,
    find_current_user,
    find_waiting_requests,
)
from ci_gate.measure.unused import take_own_variables
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
    UNSENT,
    SampleWriter,
    pack_row,
)

_THROTTLING = frozenset({403, 429, 503})
_HTML_STARTS = (b"<!doctype html", b"<html")
_REMEMBERED = 4096


class Recorder:
    """Turns Locust's request events, and requests that end without one, into samples."""

    def __init__(
        self, writer: SampleWriter, arrivals: Arrivals | None, host: str, clean: Callable[[str], str]
    ) -> None:
        self._writer = writer
        self._clean = clean  # of secrets; what is recorded is read by many
        self.answers = Answers(host)
        self._arrivals = arrivals
        self._open_replies = OpenReplies()
        self._class_ids: dict[type, int] = {type(None): 0}
        self._body_flags: dict[int, int] = {}
        self._endpoint_ids: dict[tuple[str, str], int] = {}  # none is 0: that is the empty text

    def listen(self) -> None:
        """Attach to Locust, for as long as the process lives."""
        self._open_replies.watch()
        events.request.add_listener(self._make_listener())

    def _make_listener(self) -> Callable[..., None]:
        take_row, body_flags = self._writer.take_row, self._body_flags
        forget, endpoint_ids = self._open_replies.forget, self._endpoint_ids
        class_ids, arrivals = self._class_ids, self._arrivals
        see, home, size = self.answers.see, self.answers.home, len(self.answers.home)

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
            url: str | None = None,
            **_more: Any,
        ) -> None:
            forget(id(context), None)
            endpoint = endpoint_ids.get((request_type, name)) or self._meet(request_type, name)
            if getattr(getattr(response, "request", None), "url", None) is not url or str(url)[:size] != home:
                see(f"{request_type} {name}", url, response)
            status = NOT_HTTP if response is None else getattr(response, "status_code", NOT_HTTP)
            body = getattr(response, "_cached_content", None) or getattr(response, "_content", None)
            crc = flags = 0
            if body and type(body) is bytes:
                crc = crc32(body if len(body) <= BODY_PREFIX else body[:BODY_PREFIX])
                flags = body_flags[crc] if crc in body_flags else self._flag_body(crc, body)
            flags |= _flag_throttling(response) if status in _THROTTLING else 0
            start_s = start_time or time.time() - (response_time or 0) / 1000
            arguments = getattr(getcurrent(), "args", None)  # of a user's greenlet: the user
            user = arguments[0] if arguments and type(arguments[0]) in class_ids else self._find_user()
            pack_row(
                *take_row(),
                start_s,
                (take_intended(user) if arrivals and user else None) or start_s,
                response_time or 0,
                response_length or 0,
                endpoint,
                self._error_id(exception) if exception else 0,
                crc,
                class_ids[type(user)],
                status or 0,
                flags,
                _ending(status, exception) if exception else ENDED_WELL,
            )

        return on_request

    def _meet(self, request_type: str, name: str) -> int:
        number = self._writer.string_id(hide_credentials(f"{request_type} {name}"))
        self._endpoint_ids[request_type, name] = number
        return number

    def _error_id(self, exception: BaseException) -> int:
        return self._writer.string_id(self._clean(repr(exception)))

    def _find_user(self) -> User | None:
        """The user that makes a request right now; its class has an id from then on."""
        user = find_current_user()
        if type(user) not in self._class_ids:
            self._class_ids[type(user)] = self._writer.string_id(type(user).__name__)
        return user

    def _flag_body(self, crc: int, body: bytes) -> int:
        flags = FLAG_HTML if body[:BODY_PREFIX].lstrip().lower().startswith(_HTML_STARTS) else 0
        if len(self._body_flags) < _REMEMBERED:
            self._body_flags[crc] = flags
        return flags

    def write_waiting(self) -> None:
        """Write the requests that users still wait for; for the moment before the users are killed."""
        for request in find_waiting_requests():
            intended_s = (take_intended(request.user) if self._arrivals else None) or request.start_s
            self._write_unreported(request, intended_s, (time.time() - request.start_s) * 1000, ENDED_NEVER)

    def write_unsent(self) -> None:
        """Write the arrivals that brought no request: no user was free, or the task made none."""
        for intended_s in self._arrivals.take_unused() if self._arrivals else ():
            waited_ms = (time.time() - intended_s) * 1000
            unsent = UnreportedRequest(
                endpoint=UNSENT, user=None, start_s=intended_s, response_ms=0.0, status=0
            )
            self._write_unreported(unsent, intended_s, waited_ms, ENDED_NEVER)

    def _write_unreported(
        self, request: UnreportedRequest, intended_s: float, response_ms: float, ending: int
    ) -> None:
        endpoint = self._writer.string_id(hide_credentials(request.endpoint))
        user_class = self._writer.string_id(type(request.user).__name__ if request.user else "")
        row = (
            request.start_s,
            intended_s,
            response_ms,
            0,
            endpoint,
            0,
            0,
            user_class,
            request.status,
            0,
            ending,
        )
        self._writer.write(*row)

    def finish(self) -> None:
        """Write the replies that no scenario ever reported, and close the file."""
        for reply in self._open_replies.take():
            self._write_unreported(reply, reply.start_s, reply.response_ms, ENDED_UNREPORTED)
        self._writer.close()


def _flag_throttling(response: Any) -> int:
    return FLAG_RETRY_AFTER if "retry-after" in (getattr(response, "headers", None) or ()) else 0


def _ending(status: int, exception: BaseException) -> int:
    if not status:
        return ENDED_WITHOUT_REPLY
    return ENDED_BY_STATUS if isinstance(exception, LocustBadStatusCode | HTTPError) else ENDED_BY_CHECK


def main() -> None:
    """Run Locust with the recorder in it; ends the process with Locust's exit code."""
    folder, arguments = Path(sys.argv[1]), sys.argv[2:]
    # A run is what its plan says: no variables of Locust's own, no files that it would take options from.
    take_own_variables(os.environ)
    argument_parser.get_parser.__defaults__ = ((),)
    argument_parser.get_empty_argument_parser.__defaults__ = (True, ())
    host_at = arguments.index("--host") + 1
    host = arguments[host_at] = os.environ.pop(HOST_VARIABLE, arguments[host_at])
    clean = functools.partial(hide_secrets, secrets=find_secrets((host,)))
    if clean(host) != host:
        filter_output(clean)
    plan = read_json(folder / "plan.json", RecordingPlan)
    arrivals = Arrivals(Schedule(plan.arrivals_per_s, plan.ramp_s)) if plan.arrivals_per_s else None
    recorder = Recorder(SampleWriter(folder), arrivals, host, clean)
    recorder.listen()
    Conductor(plan, folder, recorder, arrivals, clean).listen(events)
    random.seed(plan.seed)
    gc.freeze()  # what the recorder has imported is not searched for garbage again and again
    sys.argv = ["locust", *arguments]
    locust.main.main()


if __name__ == "__main__":
    main()
