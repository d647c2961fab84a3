"""User classes that are no HTTP users and have a host of their own: a service's URL is of no use to them.

Runs inside Locust.
"""

from __future__ import annotations

import functools
from typing import Any, Final

from locust import FastHttpUser, HttpUser, User

from ci_gate.addresses import hide_credentials

_URLS: Final = ("http://", "https://")


def find_own_host(user_class: type[User]) -> str | None:
    """The class's own host, such as HOST:PORT, where the service's URL cannot stand for it, to be shown."""
    host = _own_host(user_class)
    return hide_credentials(host) if host else None


def keep_own_host(user_class: type[User], given: str | None = None) -> str | None:
    """Give every user of the class its own host, whatever Locust sets on the class from now on.

    ``given`` takes the place of it, in each class that is no HTTP user. Returns the host to be shown, and
    does nothing where that is None.
    """
    host = given if given and not is_http(user_class) else _own_host(user_class)
    initialise: Any = user_class.__init__
    if not host:
        return None

    @functools.wraps(initialise)
    def keep(user: Any, *arguments: Any, **named: Any) -> None:
        if type(user) is user_class:  # a subclass keeps its own
            user.host = host
        initialise(user, *arguments, **named)

    user_class.__init__ = keep  # type: ignore[method-assign,assignment]
    return hide_credentials(host)


def _own_host(user_class: type[User]) -> str | None:
    host = user_class.host
    if is_http(user_class) or not isinstance(host, str):
        return None
    return None if host.lower().startswith(_URLS) else host or None


def is_http(user_class: type[User]) -> bool:
    """Whether its client is Locust's own, for HTTP."""
    return issubclass(user_class, HttpUser | FastHttpUser)
