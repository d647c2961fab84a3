"""How long a LoadTestShape lasts: it is asked second by second, by a clock of its own.

Runs in the process that describes a locustfile, whose code a shape is. What it asks of time is answered by
that clock; what it asks of the running load, as if users came and went just as it says.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, Final

from locust import LoadTestShape

from ci_gate.evidence.workload import Shape

_MAX_S: Final = 24 * 3600
_MAX_WALL_S: Final = 20.0
_MAX_USERS: Final = 1_000_000
_CLOCKS: Final = ("time", "monotonic", "perf_counter")


def preview_shape(shape: LoadTestShape) -> Shape:
    """What the shape asks for until it ends; where that cannot be known, why."""
    name, most, wall = type(shape).__name__, 0, time.monotonic
    began_s = wall()
    runner = SimpleNamespace(user_count=0, target_user_count=0, state="running")
    any_shape: Any = shape
    any_shape.runner = runner
    with _own_clock() as clock:
        try:
            shape.reset_time()
            for second in range(_MAX_S):
                now: Any = shape.tick()
                if now is None:
                    return Shape(name=name, users=most, lasts_s=float(second))
                users, rate = int(now[0]), float(now[1])
                if not 0 <= users <= _MAX_USERS or not rate > 0:
                    return Shape(name=name, users=most, lasts_s=None, error=f"tick returned {now!r}"[:200])
                most, runner.target_user_count = max(most, users), users
                runner.user_count = _approach(runner.user_count, users, rate)
                clock.passed_s += 1.0
                if wall() - began_s > _MAX_WALL_S:
                    break
        except Exception as error:  # noqa: BLE001 - it is the locustfile's own code
            return Shape(name=name, users=most, lasts_s=None, error=f"tick raised {error!r}"[:200])
    return Shape(name=name, users=most, lasts_s=None)


def _approach(users: int, target: int, rate: float) -> int:
    step = max(int(rate), 1)
    return min(users + step, target) if users < target else max(users - step, target)


@contextlib.contextmanager
def _own_clock() -> Iterator[SimpleNamespace]:
    """Let Python's clocks stand still but for what is added to ``passed_s``."""
    clock = SimpleNamespace(passed_s=0.0)
    kept = {name: getattr(time, name) for name in _CLOCKS}

    def make(begin_s: float) -> Any:
        return lambda: begin_s + clock.passed_s

    for name, real in kept.items():
        setattr(time, name, make(real()))
    try:
        yield clock
    finally:
        for name, real in kept.items():
            setattr(time, name, real)
