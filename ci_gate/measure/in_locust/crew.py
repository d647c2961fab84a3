"""The processes that put the load on: what a conductor needs to know of them. Runs inside Locust."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal, Protocol

READY = "_ci_gate_ready"
"""An attribute of users whose on_start has ended well."""

Phase = Literal["begin", "steady", "end"]


class Pacer(Protocol):
    """What is needed of an open workload."""

    def pace(self) -> None: ...

    def begin(self) -> float: ...

    def begin_at(self, begin_s: float) -> None: ...

    def take_part(self, process: int, processes: int) -> None: ...


class Conducted(Protocol):
    """What is needed of the conductor of this process."""

    def begin_steady(self) -> None: ...

    def end_phase(self) -> None: ...

    def end(self, runner: Any) -> None: ...

    def end_by_loss(self, runner: Any) -> None: ...

    def note_quitting(self) -> None: ...


class Alone:
    """The only process: it runs the users, and conducts itself."""

    runs_users = True
    conducts = True

    def join(self, environment: Any, conductor: Conducted) -> None:
        """Begin once Locust is set up."""

    def watch(self, runner: Any) -> None:
        """Begin to look after the other processes, once the load begins."""

    def count_users(self, runner: Any) -> tuple[dict[str, int], int]:
        """Running users by class, and how many of them have ended their on_start well."""
        return count_users(runner)

    def knows_users(self) -> bool:
        """Whether the users that all processes have started are counted."""
        return True

    def has_users(self, runner: Any) -> bool:
        """Whether any user runs."""
        return bool(len(runner.user_greenlets))

    def begin_arrivals(self, arrivals: Pacer) -> float:
        """Start the schedule; that many seconds from now."""
        return arrivals.begin()

    def announce(self, phase: Phase) -> None:
        """Let the other processes know that this phase begins now."""

    def has_lost(self) -> bool:
        """Whether a process is gone before its time."""
        return False

    def report(self, users: dict[str, int], ready: int) -> None:
        """Let the conducting process know of the users of this one; once a second."""


def count_users(runner: Any) -> tuple[dict[str, int], int]:
    """The users that run in this process, by class, and how many of them have ended their on_start well."""
    running = [greenlet.args[0] for greenlet in runner.user_greenlets if greenlet.args]
    ready = sum(1 for user in running if getattr(user, READY, False))
    return dict(Counter(type(user).__name__ for user in running)), ready
