"""What the process that describes locustfiles is told on its standard input, once Locust is imported."""

from __future__ import annotations

from ci_gate.evidence.readings import StrictValue


class Order(StrictValue, frozen=True):
    """Where the settings 0.given, 1.given, ... are, how many, and the repository of the locustfiles."""

    folder: str
    count: int
    repository: str
