"""Finds requests of which Locust fires no event. Runs inside Locust, costs an ordinary request nothing.

Two kinds escape Locust: a request on which a user still waits when it is killed, and a reply taken with
``catch_response=True`` whose with-block is missing or is left by an exception.
"""

from __future__ import annotations

import functools
import gc
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Any

import gevent
from locust import User, clients
from locust.contrib import fasthttp

from ci_gate.measure.in_locust.odd_events import show_error

_REQUEST_CODES = {clients.HttpSession.request.__code__, fasthttp.FastHttpSession.request.__code__}
_GREENLET_GENERATIONS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreportedRequest:
    """A request without an event. Where no reply came, ``status`` is 0 and ``response_ms`` the time waited.

    ``error`` is the exception that left the with-block of its reply, as Python shows it.
    """

    endpoint: str
    user: User | None
    start_s: float
    response_ms: float
    status: int
    error: str = ""
    context: dict[str, Any] = field(default_factory=dict)  # Locust's, as far as it is known


class OpenReplies:
    """Replies that were handed to a scenario to judge, until it reports them.

    Keyed by the identity of Locust's context dictionary, which is made anew for every request and handed to
    the event; it is kept here, so that its identity is not given to another.
    """

    def __init__(self) -> None:
        self._open: dict[int, tuple[dict[str, Any], UnreportedRequest]] = {}
        self.forget = self._open.pop
        self.keys = self._open.keys()  # of those that are open right now: mostly none

    def watch(self) -> None:
        """Hook into the two places where Locust makes a reply that the scenario is to judge."""
        initialise = fasthttp.ResponseContextManager.__init__
        wrap = clients.ResponseContextManager.wrap_response.__func__  # type: ignore[attr-defined]

        @functools.wraps(initialise)
        def watched_initialise(
            reply: Any, response: Any, request_event: Any, meta: Any, catch_response: bool
        ) -> None:
            initialise(reply, response, request_event, meta, catch_response)
            self._add(meta)

        @functools.wraps(wrap)
        def watched_wrap(
            cls: Any, response: Any, request_event: Any, request_meta: Any, catch_response: bool
        ) -> Any:
            if catch_response:
                self._add(request_meta)
            return wrap(cls, response, request_event, request_meta, catch_response)

        fasthttp.ResponseContextManager.__init__ = watched_initialise  # type: ignore[method-assign,assignment]
        clients.ResponseContextManager.wrap_response = classmethod(watched_wrap)  # type: ignore[method-assign,assignment]
        for kind in (clients.ResponseContextManager, fasthttp.ResponseContextManager):
            self._watch_exit(kind)

    def _watch_exit(self, kind: Any) -> None:
        leave = kind.__exit__

        @functools.wraps(leave)
        def watched_exit(reply: Any, exception_type: Any, exception: Any, traceback: Any) -> Any:
            result = leave(reply, exception_type, exception, traceback)
            if exception is not None:
                self._note_error(id(reply.request_meta["context"]), exception)
            return result

        kind.__exit__ = watched_exit

    def _note_error(self, key: int, exception: BaseException) -> None:
        """Unless the reply was reported: then the event has said what was wrong."""
        if key in self._open:
            context, reply = self._open[key]
            self._open[key] = context, replace(reply, error=show_error(exception))

    def _add(self, meta: dict[str, Any]) -> None:
        reply = UnreportedRequest(
            endpoint=f"{meta['request_type']} {meta['name']}",
            user=find_current_user(),
            start_s=meta["start_time"],
            response_ms=meta["response_time"],
            status=meta["response"].status_code or 0,
        )
        self._open[id(meta["context"])] = (meta["context"], reply)

    def take(self) -> tuple[UnreportedRequest, ...]:
        """Every reply that was never reported; forgets them."""
        replies = tuple(reply for _, reply in self._open.values())
        self._open.clear()
        return replies


def find_current_user() -> User | None:
    """The user in whose greenlet, or in whose greenlet's descendant, this runs."""
    greenlet = gevent.getcurrent()
    for _ in range(_GREENLET_GENERATIONS):
        arguments = getattr(greenlet, "args", None)
        if arguments and isinstance(arguments[0], User):
            return arguments[0]
        parent = getattr(greenlet, "spawning_greenlet", None)
        greenlet = parent() if parent else None
    return None


class WaitingRequests:
    """The requests on which users waited when they were to be killed, until a reply comes all the same."""

    def __init__(self) -> None:
        # By greenlet, of which gevent forgets what it runs for; each waits for one.
        self._requests: dict[Any, UnreportedRequest] = {}
        self._answered: set[float] = set()  # when they started: no two do within a quarter of a microsecond

    def note(self, now_s: float) -> None:
        """Find them, in the stacks of the greenlets that wait for them."""
        for candidate in gc.get_objects():
            if isinstance(candidate, gevent.Greenlet) and not candidate.dead:
                frame: FrameType | None = candidate.gr_frame
                while frame is not None:
                    if frame.f_code in _REQUEST_CODES:
                        self._requests[candidate] = _read_frame(frame, now_s)
                        break
                    frame = frame.f_back

    def forget(self, *, start_time: Any = None, **_more: Any) -> None:
        """Listen to Locust's event ``request``: this one has its row, for its user's turn came in time."""
        if type(start_time) is float:
            self._answered.add(start_time)

    def find_user(self) -> User | None:
        """The user in whose greenlet this runs, where that is about to be ended."""
        request = self._requests.get(gevent.getcurrent())
        return request.user if request else None

    def take(self) -> tuple[UnreportedRequest, ...]:
        """Those that got no reply."""
        requests, self._requests = self._requests, {}
        return tuple(each for each in requests.values() if each.start_s not in self._answered)


def _read_frame(frame: FrameType, now_s: float) -> UnreportedRequest:
    values = frame.f_locals
    session = values["self"]
    start_s = values.get("start_time") or now_s  # None: its code has not come to that line yet
    return UnreportedRequest(
        endpoint=f"{values['method']} {values['name'] or values['url']}",
        user=session.user if isinstance(session.user, User) else None,
        start_s=start_s,
        response_ms=(now_s - start_s) * 1000,
        status=0,
        context=dict(values.get("context") or {}),
    )
