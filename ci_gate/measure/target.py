"""What a generator is told on its standard input, once the service is ready."""

from __future__ import annotations

from ci_gate.evidence.readings import StrictValue


class Target(StrictValue, frozen=True):
    """The service's URL with its credentials, and the file of certificates that its own is signed by.

    ``ca`` is empty where those are the system's. ``secrets`` stand in nothing that the generator writes.
    """

    url: str
    ca: str = ""
    secrets: tuple[str, ...] = ()
