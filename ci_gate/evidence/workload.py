"""What a locustfile says about the load it puts on: its user classes, their waits and their tasks."""

from __future__ import annotations

from typing import Literal

from ci_gate.evidence.ranges import Count, Share, Span
from ci_gate.evidence.readings import StrictValue
from ci_gate.evidence.recording import UnusedSetting


class Wait(StrictValue, frozen=True):
    """The time between a user's tasks. ``pause``: slept after a task; ``pacing``: from start to start."""

    kind: Literal["pause", "pacing"]
    mean_s: Span


class Task(StrictValue, frozen=True):
    """One task with its share of the class's tasks, and the endpoints it calls.

    ``endpoints`` is what a run calls at most, None where the source does not say; ``fewest`` is how many
    requests a run makes at least, 0 where that or the time it takes is not known.
    """

    name: str
    share: Share
    endpoints: tuple[str, ...] | None
    fewest: Count


class UserClass(StrictValue, frozen=True):
    """One runnable user class; ``wait`` is None where its wait time is the author's own function.

    ``own_host`` is what a class that is no HTTP user keeps instead of the service's URL.
    """

    name: str
    wait: Wait | None
    tasks: tuple[Task, ...]
    own_host: str | None = None
    weight: Count = 1  # by which Locust alone would share users among the classes


class Workload(StrictValue, frozen=True):
    """One locustfile; ``error`` says why it could not be loaded."""

    locustfile: str
    classes: tuple[UserClass, ...]
    error: str | None
    unused: tuple[UnusedSetting, ...] = ()
