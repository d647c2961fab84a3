"""What a generator is told on its standard input, once the service is ready."""

from __future__ import annotations

from ci_gate.evidence.readings import StrictValue
from ci_gate.evidence.workload import GivenSettings


class Target(StrictValue, frozen=True):
    """The service's URL with its credentials, and what the scenario gives Locust.

    ``ca`` is the file of certificates that the service's own is signed by, empty where those are the
    system's. ``secrets`` stand in nothing that the generator writes.
    """

    url: str
    ca: str = ""
    secrets: tuple[str, ...] = ()
    settings: GivenSettings = GivenSettings(locustfiles=())
