"""What Locust logs: exceptions of listeners, and the summaries at its end. Runs inside Locust."""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable
from typing import Any

import locust.stats

from ci_gate.measure.odd_events import show_error

_SUMMARIES = ("print_stats", "print_percentile_stats", "print_error_report")


class ListenerErrors(logging.Handler):
    """Counts exceptions in the scenario's own event listeners, which Locust only logs.

    Those in Locust's own and in the recorder's are none of them: a value that Locust cannot add up has its
    own rule, and a row that was not written too.
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        if str(record.msg).startswith("Uncaught exception in event handler"):
            self.count += not _raised_by_us()


def _raised_by_us() -> bool:
    """Whether the exception that is being handled came from a listener of Locust or of the recorder."""
    fired_at = sys.exc_info()[2]
    listener = fired_at.tb_frame.f_locals.get("handler") if fired_at else None
    module = str(getattr(listener, "__module__", ""))
    return module.partition(".")[0] in {"locust", "ci_gate", "__main__"}


def make_summaries_harmless() -> None:
    """Let none of them end Locust before its totals are written: each may meet a value it cannot show."""
    for name in _SUMMARIES:
        setattr(locust.stats, name, _make_harmless(getattr(locust.stats, name)))


def _make_harmless(show: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(show)
    def shown(*arguments: Any, **more: Any) -> None:
        try:
            show(*arguments, **more)
        except Exception as error:  # noqa: BLE001 - nothing depends on what is shown
            logging.getLogger(__name__).warning("Locust cannot show a summary: %s", show_error(error))

    return shown
