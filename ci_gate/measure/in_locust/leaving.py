"""Who ends the test, or leaves it, before its time: the locustfile may. Runs inside Locust."""

from __future__ import annotations

import functools
import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import gevent
import locust
from locust import User

_FOLDERS: Final = (Path(locust.__file__).parent, Path(gevent.__file__).parent, Path(__file__).parents[2])
_PACKAGES: Final = tuple(f"{folder}{os.sep}" for folder in _FOLDERS)
_ASKED: Final = "_ci_gate_asked_to_stop"


def find_caller() -> str:
    """Where the code of the locustfile stands that is being run, as ``file:line, in function``; or empty."""
    frame = sys._getframe()  # noqa: SLF001 - traceback.extract_stack reads every source file on the way
    while frame := frame.f_back:  # type: ignore[assignment]
        path = frame.f_code.co_filename
        if not path.startswith((*_PACKAGES, "<")) and "site-packages" not in path:
            return f"{Path(path).name}:{frame.f_lineno}, in {frame.f_code.co_name}"
    return ""


class Leavers:
    """Counts users that end by themselves, by StopUser: nobody asked them to, and nothing was raised."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.is_over = False

    def watch(self) -> None:
        """Hook into the two places where Locust starts and stops a user."""
        start, stop = User.start, User.stop

        @functools.wraps(start)
        def watched_start(user: Any, group: Any) -> Any:
            # Not by a link of its greenlet: the test may end between the end of the user and the link's turn.
            user.run = functools.partial(self._run, user, user.run)
            return start(user, group)

        @functools.wraps(stop)
        def watched_stop(user: Any, *arguments: Any, **named: Any) -> Any:
            setattr(user, _ASKED, True)
            return stop(user, *arguments, **named)

        User.start = watched_start  # type: ignore[method-assign,assignment]
        User.stop = watched_stop  # type: ignore[method-assign,assignment]

    def _run(self, user: Any, run: Callable[[], None]) -> None:
        run()
        if not self.is_over and not getattr(user, _ASKED, False):
            self.counts[type(user).__name__] += 1
