"""What Locust logs: exceptions of listeners, and the summaries at its end. Runs inside Locust."""

from __future__ import annotations

import functools
import logging
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import locust.stats

from ci_gate.evidence.samples import MAX_STRING_LENGTH
from ci_gate.measure.in_locust.error_texts import MAX_TEXTS, ErrorTexts
from ci_gate.measure.in_locust.odd_events import show_error

_OURS = frozenset({"locust", "ci_gate", "__main__"})
_MAX_TEXTS = 1000
_MAX_LENGTH = 10_000
_SUMMARIES = ("print_stats", "print_percentile_stats", "print_error_report")


class ListenerErrors(logging.Handler):
    """Counts exceptions in the scenario's own event listeners, which Locust only logs.

    Those in Locust's own and in the recorder's are none of them: a value that Locust cannot add up has its
    own rule, and a row that was not written too.
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.count = 0
        self.texts: Counter[tuple[str, str]] = Counter()  # by the listener's name and what it raised

    def emit(self, record: logging.LogRecord) -> None:
        if not str(record.msg).startswith("Uncaught exception in event handler"):
            return
        # Locust logs it while it handles it: the frame that fired the event is the traceback's first.
        _, exception, fired_at = sys.exc_info()
        values = fired_at.tb_frame.f_locals if fired_at else {}
        listener = values.get("handler")
        if str(getattr(listener, "__module__", "")).partition(".")[0] in _OURS:
            return
        self.count += 1
        name = str(getattr(listener, "__name__", "a listener"))
        key = name, f"{_tell(exception, values.get('kwargs') or {})[:_MAX_LENGTH]}, in {name}"
        if key in self.texts or len(self.texts) < _MAX_TEXTS:
            self.texts[key] += 1


def _tell(exception: BaseException | None, event: Mapping[str, Any]) -> str:
    """The exception, and the status of the reply where the event was one of a request."""
    status = getattr(event.get("response"), "status_code", None)
    return show_error(exception) + (f" at status {status}" if isinstance(status, int) else "")


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


def bound_errors() -> None:
    """Let Locust's table of errors keep few and short texts; it counts failures as before."""
    log_error: Callable[..., None] = locust.stats.RequestStats.log_error
    texts = ErrorTexts()

    @functools.wraps(log_error)
    def bounded(stats: Any, method: str, name: str, error: Any) -> None:
        text = error if isinstance(error, str) else show_error(error)
        if len(text) > MAX_STRING_LENGTH or len(stats.errors) >= MAX_TEXTS:
            error = texts.shorten(text)
        log_error(stats, method, name, error)

    locust.stats.RequestStats.log_error = bounded  # type: ignore[method-assign,assignment]
