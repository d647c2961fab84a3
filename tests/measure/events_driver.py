"""Fires events through the real recorder in a real Locust environment: ``events_driver.py``, a line each.

A line on standard input is JSON: a folder, and a list of events, each a dictionary of Python expressions.
The answer is a line. A process of its own, for Locust patches the one it is in.
"""

from __future__ import annotations

import datetime as dt
import decimal
import fractions
import json
import logging
import sys
import time
from pathlib import Path

import locust.stats
import numpy as np
from locust.env import Environment
from locust.event import Events

from ci_gate.evidence.samples import SampleWriter
from ci_gate.measure.in_locust.locust_log import make_summaries_harmless
from ci_gate.measure.in_locust.phases import Conductor
from ci_gate.measure.in_locust.recorder import Recorder
from tests.measure.conftest import make_plan


class Hostile:
    """Raises, whatever is asked of it."""

    def __repr__(self):
        raise ValueError("no")

    __float__ = __index__ = __str__ = __bool__ = __len__ = __hash__ = __eq__ = __repr__


class Error(Exception):
    def __init__(self, shown=None):
        self.shown = shown

    def __repr__(self):
        return self.shown  # None: no text, which makes repr() raise


class Reply:
    def __init__(self, status, **more):
        self.status_code = status
        self.__dict__ |= more


class NoStatus:
    @property
    def status_code(self):
        raise KeyError("status")

    _content = request = headers = status_code


NAMES = {
    "Hostile": Hostile, "Error": Error, "Reply": Reply, "NoStatus": NoStatus, "np": np, "time": time,
    "Decimal": decimal.Decimal, "Fraction": fractions.Fraction, "dt": dt,
}  # fmt: skip


def record(folder: Path, fired: list[dict[str, str]]) -> None:
    folder.mkdir()
    plan = make_plan("scenario.py", {"Visitor": 1})
    environment = Environment(events=Events())
    environment.create_local_runner()
    recorder = Recorder(SampleWriter(folder), None, "http://127.0.0.1:1", str)
    environment.events.request.add_listener(recorder.make_listener())
    conductor = Conductor(plan, folder, recorder, None)
    for name in ("started", "spawned", "steady"):
        conductor.mark(name)
    for event in fired:
        values = {name: eval(expression, dict(NAMES)) for name, expression in event.items()}
        environment.events.request.fire(**values)
    conductor.end_phase()
    for show in ("print_stats", "print_percentile_stats", "print_error_report"):
        getattr(locust.stats, show)(environment.stats)
    conductor.finish(environment)
    environment.runner.greenlet.kill(block=False)


def main() -> None:
    logging.disable(logging.CRITICAL)
    make_summaries_harmless()
    for line in sys.stdin:
        folder, fired = json.loads(line)
        record(Path(folder), fired)
        print("done", flush=True)


if __name__ == "__main__":
    main()
