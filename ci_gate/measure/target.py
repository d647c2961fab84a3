"""What a generator is told on its standard input, once the service is ready."""

from __future__ import annotations

from typing import Final

from ci_gate.evidence.readings import StrictValue
from ci_gate.evidence.workload import GivenSettings

MAX_FILES: Final = 5000
"""Beside a locustfile: more are not compared between machines."""


class Crew(StrictValue, frozen=True):
    """Workers on other machines, for the process that conducts them: where it listens, and what they need.

    ``recording`` is drawn anew for each. ``files`` have their SHA-256.
    """

    host: str
    port: int
    secret: str
    recording: str
    files: dict[str, str]


class Membership(StrictValue, frozen=True):
    """The same for one of them: ``number`` counts from 1, and ``ticket`` is what the master knows it by."""

    host: str
    port: int
    secret: str
    number: int
    ticket: str


class Target(StrictValue, frozen=True):
    """The service's URL with its credentials, and what the scenario gives Locust.

    ``ca`` is the file of certificates that the service's own is signed by, empty where those are the
    system's. ``secrets`` stand in nothing that the generator writes.
    """

    url: str
    ca: str = ""
    secrets: tuple[str, ...] = ()
    settings: GivenSettings = GivenSettings(locustfiles=())
    crew: Crew | None = None
    membership: Membership | None = None
