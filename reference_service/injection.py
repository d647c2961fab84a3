"""Faults that strike a request before its handler runs."""

from __future__ import annotations

import asyncio
import html
import os
import random
import sys
import time
from http import HTTPStatus
from itertools import count

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from reference_service.faults import Faults
from reference_service.replies import ApiError, not_found

LOGIN_PATH = "/api/v1/login"
CRASH_EXIT_CODE = 70
_DEBUG_PAGE_BYTES = 100_000


class Injection:
    """Strikes API requests with the faults that are on."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._numbers = count(1)
        self._random = random.Random(0)  # noqa: S311  # seeded, so that two runs fail alike
        self._ready_at_s = time.monotonic() + (faults.slow_start or 0.0)

    @property
    def is_starting(self) -> bool:
        return time.monotonic() < self._ready_at_s

    async def strike(self, request: Request) -> Response | None:
        """None: go on. Otherwise the reply to give instead. Raises ApiError."""
        faults = self._faults
        is_login = request.url.path == LOGIN_PATH
        if faults.crash_after is not None and next(self._numbers) > faults.crash_after:
            crash()
        if faults.routes_missing and not is_login:
            raise not_found("no such route")
        if faults.login_broken and is_login:
            raise ApiError(HTTPStatus.UNAUTHORIZED, "bad_credentials", "unknown user or wrong password")
        if faults.extra_cpu is not None:
            burn_cpu(faults.extra_cpu)
        if faults.debug_error_pages is not None and self._random.random() < faults.debug_error_pages:
            return HTMLResponse(render_debug_page(request), HTTPStatus.INTERNAL_SERVER_ERROR)
        if faults.slow_dependency is not None and request.method == "POST" and not is_login:
            await asyncio.sleep(faults.slow_dependency)
        return None


def burn_cpu(duration_s: float) -> None:
    """Keep this thread, and so the event loop, busy for CPU time and not for wall-clock time."""
    ends_s = time.thread_time() + duration_s
    while time.thread_time() < ends_s:
        pass


def crash() -> None:
    """End the process as a segmentation fault would: nothing is flushed, closed or answered."""
    sys.stderr.write("fault crash_after: ending the process\n")
    sys.stderr.flush()
    os._exit(CRASH_EXIT_CODE)


def render_debug_page(request: Request) -> str:
    """About 100 kB of HTML, as a framework in debug mode answers an exception."""
    frame = f"<li><code>{request.method} {html.escape(request.url.path)}</code><pre>local = None</pre></li>\n"
    frames = frame * (_DEBUG_PAGE_BYTES // len(frame))
    return f"<!DOCTYPE html><html><title>OperationalError</title><body><ul>{frames}</ul></body></html>"
