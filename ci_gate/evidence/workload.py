"""What a locustfile says about the load it puts on: its user classes, their waits and their tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from ci_gate.evidence.ranges import Count, Share, Span
from ci_gate.evidence.readings import StrictValue


class UnusedSetting(StrictValue, frozen=True):
    """Something that Locust alone would have used: where it stands, and what of it is lost.

    ``replaced``: nothing is, for thresholds.yaml says the same or it has no influence on the load.
    ``key`` is that of thresholds.yaml which would use it, or says the same; empty where there is none.
    """

    what: str
    why: str
    replaced: bool = False
    key: str = ""
    user_classes: tuple[str, ...] = ()  # the only ones it is about; empty: all


class GivenSettings(StrictValue, frozen=True):
    """What Locust loads and is given of a scenario's settings, placeholders and variables resolved."""

    locustfiles: tuple[str, ...]
    directory: str = ""
    env: dict[str, str] = msgspec.field(default_factory=dict)
    args: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    exclude_tags: tuple[str, ...] = ()
    host: str | None = None
    shape: str | None = None


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
    is_http: bool = True
    weight: Count = 1  # by which Locust alone would share users among the classes
    tags: tuple[str, ...] = ()  # of all its tasks, also of those that the scenario's tags leave out
    fixed_count: Count = 0  # as many of it as Locust alone would run, whatever the others; 0: by weight


class Shape(StrictValue, frozen=True):
    """What a LoadTestShape says when it is asked second by second, by a clock of its own.

    ``lasts_s`` is None where it did not end within the bounds of such a look, or cannot be asked so, as
    ``error`` says then. ``users`` is how many it asks for at most.
    """

    name: str
    users: Count
    lasts_s: Span | None
    error: str = ""


class Workload(StrictValue, frozen=True):
    """One locustfile; ``error`` says why it could not be loaded."""

    locustfile: str
    classes: tuple[UserClass, ...]
    error: str | None
    unused: tuple[UnusedSetting, ...] = ()
    shapes: tuple[str, ...] = ()  # the names of all its shapes
    shape: Shape | None = None  # the one that the scenario asks for


def share_by_weight(classes: Sequence[UserClass], users: int) -> dict[str, int]:
    """How many of ``users`` each class gets, by its name, about as Locust shares them: one at least.

    Those of a fixed count get that, where enough is left for the others; each other user goes to the class
    that lacks most by its weight.
    """
    shares = dict.fromkeys((each.name for each in classes), 1)
    spare = users - len(shares)
    for each in classes:
        more = min(max(each.fixed_count - 1, 0), max(spare, 0))
        shares[each.name] += more
        spare -= more
    weights = {each.name: each.weight for each in classes if not each.fixed_count} or {
        each.name: each.weight for each in classes
    }
    shared = spare + sum(shares[name] for name in weights)
    exact = {name: shared * weight / sum(weights.values()) for name, weight in weights.items()}
    for _ in range(spare):
        shares[max(exact, key=lambda name: exact[name] - shares[name])] += 1
    return shares
