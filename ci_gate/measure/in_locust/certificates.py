"""Lets every HttpUser trust a service whose certificate its own authority has signed. Runs inside Locust.

FastHttpUser checks no certificate, unless its class says ``insecure = False``.
"""

from __future__ import annotations

import functools
from typing import Any

from locust import HttpUser


def trust(ca: str) -> None:
    """For each HttpUser from now on, the file ``ca`` has what certificates are checked by."""
    initialise: Any = HttpUser.__init__

    @functools.wraps(initialise)
    def initialise_trusting(user: Any, *arguments: Any, **more: Any) -> None:
        initialise(user, *arguments, **more)
        user.client.verify = ca

    HttpUser.__init__ = initialise_trusting  # type: ignore[method-assign,assignment]
