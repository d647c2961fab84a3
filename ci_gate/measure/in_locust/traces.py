"""Sends a trace id with each request, by the W3C's header `traceparent`, and keeps those of the slowest.

Runs inside Locust, only where a scenario asks for it. Of HttpUser and FastHttpUser; a client of the
scenario's own sends what it likes. A `traceparent` that the scenario itself sends is left as it is, and not
known.
"""

from __future__ import annotations

import functools
import heapq
import os
import re
import time
from pathlib import Path
from typing import Any, Final

from locust import clients, events
from locust.contrib import fasthttp

from ci_gate.evidence.recording import LineWriter
from ci_gate.evidence.traces import KEPT_TRACES, Trace

TRACEPARENT: Final = "traceparent"
_ID_BYTES: Final = 16 + 8  # of the trace, and of the request in it
_HEADER: Final = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-01")
_MAX_POSITIONAL: Final = 2  # method and URL: who gives headers by their place gets none from here


class SlowTraces:
    """The slowest requests of the steady phase so far, each with the moment it was sent and its header."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._begin_s = 0.0
        self._slowest: list[tuple[float, float, str]] = []  # a heap: response_ms, start_s, header

    def listen(self) -> None:
        """Send the header from now on, for as long as the process lives."""
        clients.HttpSession.request = _with_header(clients.HttpSession.request)  # type: ignore[method-assign]
        fasthttp.FastHttpSession.request = _with_header(fasthttp.FastHttpSession.request)  # type: ignore[method-assign]
        events.request.add_listener(self._hear)

    def _hear(
        self, *, response_time: Any = None, start_time: Any = None, context: Any = None, **_more: Any
    ) -> None:
        if type(context) is dict and type(response_time) is type(start_time) is float:
            self.keep(response_time, start_time, context)

    def keep(self, response_ms: float, start_s: float, context: dict[str, Any]) -> None:
        """Take note of a request that had this context of Locust's, if it is one of the slowest."""
        header = context.get(TRACEPARENT)
        if header is None or start_s < self._begin_s:
            return
        request = response_ms, start_s, str(header)
        if len(self._slowest) < KEPT_TRACES:
            heapq.heappush(self._slowest, request)
        elif response_ms > self._slowest[0][0]:
            heapq.heapreplace(self._slowest, request)

    def begin_steady(self) -> None:
        """Forget the ramp and the warm-up, and the requests of theirs that are still on their way."""
        self._slowest.clear()
        self._begin_s = time.time()

    def write(self) -> None:
        """Write the file of this process, each of which has one."""
        with LineWriter(self._folder / f"traces-{os.getpid()}.jsonl") as lines:
            for _, start_s, header in self._slowest:
                if found := _HEADER.fullmatch(header):
                    lines.write(Trace(start_s=start_s, trace_id=found[1]))


def _with_header(request: Any) -> Any:
    @functools.wraps(request)
    def send(session: Any, *arguments: Any, **more: Any) -> Any:
        headers = more.get("headers") or {}
        is_own = not isinstance(headers, dict) or any(str(name).lower() == TRACEPARENT for name in headers)
        if len(arguments) > _MAX_POSITIONAL or is_own or TRACEPARENT in getattr(session, "headers", ()):
            return request(session, *arguments, **more)
        # Made anew for each, and not by Locust's seeded generator: two runs must never share one.
        ids = os.urandom(_ID_BYTES).hex()
        header = f"00-{ids[:32]}-{ids[32:]}-01"
        more["headers"] = {**headers, TRACEPARENT: header}
        more["context"] = {**(more.get("context") or {}), TRACEPARENT: header}
        return request(session, *arguments, **more)

    return send
