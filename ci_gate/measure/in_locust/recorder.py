"""Runs inside Locust and records every request exactly; with any unmodified locustfile.

``python -m ci_gate.measure.in_locust FOLDER locust-arguments...`` is Locust with the recorder in it;
FOLDER/plan.json says what to do, once the host is known (AWAITED_HOST). At its rate limit Locust spends 100
microseconds on a request: what runs for every request is written for speed, and what Locust does not report
is found without touching the others.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import locust.main
import msgspec
from locust import argument_parser, events
from locust.contrib.fasthttp import FastResponse, LocustBadStatusCode
from requests import Response
from requests.exceptions import HTTPError

from ci_gate.addresses import (
    find_secrets,
    hide_credentials,
    hide_secrets,
    keep_secret,
    kept_secrets,
)
from ci_gate.evidence.readings import EndpointTotal, OddValue
from ci_gate.evidence.recording import RecordingPlan
from ci_gate.evidence.samples import (
    ENDED_BY_CHECK,
    ENDED_BY_STATUS,
    ENDED_NEVER,
    ENDED_UNREPORTED,
    ENDED_WELL,
    ENDED_WITHOUT_REPLY,
    NOT_HTTP,
    UNSENT,
    SampleWriter,
)
from ci_gate.evidence.strict_json import read_json
from ci_gate.evidence.workload import GivenSettings
from ci_gate.measure import AWAITED_HOST
from ci_gate.measure.in_locust.answers import Answers
from ci_gate.measure.in_locust.arrivals import Arrivals, take_intended
from ci_gate.measure.in_locust.bodies import Bodies
from ci_gate.measure.in_locust.certificates import trust
from ci_gate.measure.in_locust.error_texts import ErrorTexts
from ci_gate.measure.in_locust.kept_alive import name_closed_connections
from ci_gate.measure.in_locust.locust_log import bound_errors, make_summaries_harmless
from ci_gate.measure.in_locust.odd_events import CLOCK_SLACK_S, MAX_BYTES, OddEvents, is_failure, show_error
from ci_gate.measure.in_locust.phases import Conductor
from ci_gate.measure.in_locust.roles import take_role
from ci_gate.measure.in_locust.rows import Rows
from ci_gate.measure.in_locust.schedule import Schedule
from ci_gate.measure.in_locust.traces import SlowTraces
from ci_gate.measure.in_locust.unreported import (
    OpenReplies,
    UnreportedRequest,
    WaitingRequests,
)
from ci_gate.measure.locustfile.printed import filter_output, print_whatever_comes
from ci_gate.measure.locustfile.unused import take_own_variables
from ci_gate.measure.target import Target


class Recorder:
    """Turns Locust's request events, and requests that end without one, into samples."""

    def __init__(
        self, writer: SampleWriter, arrivals: Arrivals | None, host: str, clean: Callable[[str], str]
    ) -> None:
        self._writer = writer
        self._clean = clean  # of secrets; what is recorded is read by many
        self.answers = Answers(host)
        self._arrivals = arrivals
        self.traces: SlowTraces | None = None
        self._open_replies = OpenReplies()
        self._waiting = WaitingRequests()
        self._bodies = Bodies()
        self._odd = OddEvents(clean, (Response, FastResponse))
        self._texts = ErrorTexts()
        self._rows = Rows(writer, self._waiting.find_user, has_arrivals=arrivals is not None)
        self._write_row = self._rows.make_writer()
        self._endpoint_ids: dict[tuple[str, str], int] = {}  # none is 0: that is the empty text

    def listen(self) -> None:
        """Attach to Locust, for as long as the process lives."""
        self._open_replies.watch()
        events.request.add_listener(self.make_listener())

    def begin_steady(self) -> None:
        """What is gathered of the steady phase alone begins anew."""
        self.answers.begin_steady()
        if self.traces:
            self.traces.begin_steady()

    def make_listener(self) -> Callable[..., None]:
        """A listener of Locust's event `request` that writes a row for each."""
        look_at, write_row, error_id = self._bodies.look_at, self._write_row, self._error_id
        forget, open_replies = self._open_replies.forget, self._open_replies.keys
        known, meet, see, home = self._endpoint_ids, self._meet, self.answers.see, self.answers.home
        clock, began_s = time.time, time.time()

        def on_request(  # noqa: PLR0913 - the arguments are Locust's
            *,
            request_type: Any = None,
            name: Any = None,
            response_time: Any = None,
            response_length: Any = None,
            response: Any = None,
            context: dict[str, Any] | None = None,
            exception: BaseException | None = None,
            start_time: Any = None,
            url: Any = None,
            **_more: Any,
        ) -> None:
            if open_replies:
                forget(id(context), None)
            now_s = clock()
            try:
                endpoint = known.get((request_type, name)) or meet(request_type, name)
                sent = getattr(response, "request", None)
                if sent is None or sent.url is not url or not str(url).startswith(home):
                    see(f"{request_type} {name}", url, response)
                status = NOT_HTTP if response is None else getattr(response, "status_code", NOT_HTTP)
                crc, flags = look_at(response, status)
                took_s = response_time / 1000
                start_s = start_time or now_s - took_s
                error, ending = 0, ENDED_WELL
                if exception:
                    error, ending = error_id(exception), _ending(status, exception)
                is_plain = (
                    type(response_time) is type(start_s) is float
                    and type(status) is type(response_length) is int
                    and (response_time >= 0 and began_s <= start_s <= now_s + CLOCK_SLACK_S - took_s)
                    and (0 <= status <= NOT_HTTP and 0 <= response_length <= MAX_BYTES)
                    and (status or exception)  # 0 and no failure: of another protocol, perhaps
                )
            except Exception:  # noqa: BLE001 - a scenario's own client may put in anything, of any class
                is_plain = False
            if is_plain:
                write_row(
                    start_s, response_time, response_length, endpoint, error, crc, status, flags, ending
                )
            else:
                event = request_type, name, response_time, response_length, response, exception
                self._write_odd(now_s, start_time, url, *event)

        return on_request

    def _write_odd(self, now_s: float, start_time: Any, url: Any, *event: Any) -> None:
        """Write an event that is not as Locust documents it: never the end of a run, nor lost in silence."""
        request_type, name, response_time, response_length, response, exception = event
        endpoint = self._odd.name(request_type, name)
        failed = is_failure(exception)
        read = self._odd.read(
            endpoint,
            now_s=now_s,
            start_time=start_time,
            response_time=response_time,
            response_length=response_length,
            response=response,
            failed=failed,
        )
        crc = flags = 0
        with contextlib.suppress(Exception):
            crc, flags = self._bodies.look_at(response, read.status)
        with contextlib.suppress(Exception):
            self.answers.see(endpoint, url, response)
        number = self._writer.string_id(hide_credentials(endpoint))
        error, ending = self._writer.string_id(read.unread), ENDED_BY_CHECK if read.unread else ENDED_WELL
        if failed:
            error, ending = self._error_id(exception), _ending(read.status, exception)
        self._write_row(
            read.start_s, read.response_ms, read.length, number, error, crc, read.status, flags, ending
        )

    def _meet(self, request_type: Any, name: Any) -> int:
        """The id of a new endpoint. Raises TypeError where it has no name in text."""
        if not (isinstance(request_type, str) and isinstance(name, str)):
            raise TypeError
        number = self._writer.string_id(hide_credentials(f"{request_type} {name}"))
        self._endpoint_ids[request_type, name] = number
        return number

    def _error_id(self, exception: BaseException) -> int:
        # Cleaned before it is cut: half a secret would not be known again.
        return self._writer.string_id(self._texts.shorten(self._clean(show_error(exception))))

    def move_to(self, folder: Path) -> None:
        """Record into another folder from now on, and only what comes now: for a process that was forked."""
        self._writer.move_to(folder)
        self._rows.forget()
        self._open_replies.take()

    def count_heard(self) -> tuple[EndpointTotal, ...]:
        """How many events were heard of each endpoint."""
        return self._rows.count()

    def take_odd_values(self) -> tuple[OddValue, ...]:
        """What was odd in the events so far."""
        return self._odd.take()

    def note_waiting(self) -> None:
        """Note the requests that users still wait for; for the moment before the users are killed."""
        self._waiting.note(time.time())
        events.request.add_listener(self._waiting.forget)

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
        user_class = self._writer.string_id(type(request.user).__name__ if request.user is not None else "")
        times = request.start_s, intended_s, max(response_ms, 0.0)  # the wall clock may have been set back
        error = self._writer.string_id(self._clean(request.error))
        self._writer.write(*times, 0, endpoint, error, 0, user_class, request.status, 0, ending)

    def finish(self) -> None:
        """Write the replies that no scenario ever reported, and close the file."""
        for reply in self._open_replies.take():
            self._waiting.forget(start_time=reply.start_s)
            self._write_unreported(reply, reply.start_s, reply.response_ms, ENDED_UNREPORTED)
        for request in self._waiting.take():
            intended_s = (take_intended(request.user) if self._arrivals else None) or request.start_s
            self._write_unreported(request, intended_s, request.response_ms, ENDED_NEVER)
            if self.traces:
                self.traces.keep(request.response_ms, request.start_s, request.context)
        self._writer.close()
        if self.traces:
            self.traces.write()


def _ending(status: int, exception: BaseException) -> int:
    if not status:
        return ENDED_WITHOUT_REPLY
    return ENDED_BY_STATUS if isinstance(exception, LocustBadStatusCode | HTTPError) else ENDED_BY_CHECK


def main() -> None:
    """Run Locust with the recorder in it; ends the process with Locust's exit code."""
    folder, arguments = Path(sys.argv[1]), sys.argv[2:]
    # A run is what its plan says: no variables of Locust's own, no files that it would take options from.
    print_whatever_comes()
    argument_parser.get_parser.__defaults__ = ((),)
    argument_parser.get_empty_argument_parser.__defaults__ = (True, ())
    host_at = arguments.index("--host") + 1
    host, target, settings = arguments[host_at], Target(url=""), GivenSettings(locustfiles=())
    if host == AWAITED_HOST:
        message = sys.stdin.buffer.read()
        if not message:
            sys.exit(0)  # there is no load to put on: the service did not start
        target = msgspec.json.decode(message, type=Target)
        host = arguments[host_at] = target.url
        settings = target.settings
        keep_secret(*target.secrets)
        if target.ca:
            trust(target.ca)
    os.environ.update(settings.env)
    take_own_variables(os.environ)
    args_at = arguments.index("--headless")
    arguments[args_at:args_at] = settings.args
    clean = functools.partial(hide_secrets, secrets=find_secrets((host,)))
    if clean(host) != host or kept_secrets():
        filter_output(clean)
    plan = read_json(folder / "plan.json", RecordingPlan)
    arrivals = Arrivals(Schedule(plan.arrivals_per_s, plan.ramp_s)) if plan.arrivals_per_s else None
    recorder = Recorder(SampleWriter(folder), arrivals, host, clean)
    recorder.listen()
    if plan.trace:
        recorder.traces = SlowTraces(folder)
        recorder.traces.listen()
    conductor = Conductor(plan, folder, recorder, arrivals, clean, settings.host)
    conductor.listen(events)
    random.seed(plan.seed)
    name_closed_connections()
    arguments += take_role(plan, folder, target, recorder, arrivals, conductor)
    make_summaries_harmless()
    bound_errors()
    gc.freeze()  # what the recorder has imported is not searched for garbage again and again
    gc.enable()  # as Locust alone has it
    sys.argv = ["locust", *arguments]
    locust.main.main()
