"""Addresses of servers, compared in one normal form; and texts without credentials and other secrets."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import re
from base64 import b64encode
from collections.abc import Iterable
from typing import Final, NamedTuple
from urllib.parse import quote, quote_plus, unquote, urlsplit

HIDDEN: Final = "***"
WORKER_SECRET: Final = "CI_GATE_WORKER_SECRET"  # noqa: S105 - the name of a variable
"""The variable that holds what a master and its workers share (docs/workers.md)."""
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_CREDENTIALS: Final = re.compile(r"://[^/?#\s\"<>]*@")
MIN_SECRET_LENGTH: Final = 6
"""Of a value of the environment: hiding shorter ones, such as a port, would only make texts unreadable."""
_MIN_LETTERS: Final = 3  # hiding a shorter one would only make the text unreadable


class HostPort(NamedTuple):
    """Where something listens; ``host`` is a name or an address, without brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        """As in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def is_loopback(self) -> bool:
        """Whether only programs on this machine reach it."""
        if self.host == "localhost":
            return True
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(self.host).is_loopback
        return False


def parse_host_port(text: str) -> HostPort:
    """``10.0.0.1:5557`` or ``[::1]:5557``. Raises ValueError."""
    parts = urlsplit(f"//{text}")
    if not parts.hostname or parts.port is None or not parts.port or parts.netloc != text or "@" in text:
        raise ValueError(text)
    return HostPort(parts.hostname, parts.port)


def server_of(url: str) -> str:
    """The server that a URL is of: ``host`` or ``host:port``; empty where the URL names none.

    Two URLs are of one server if this is equal: names in lower case and as IDNA, addresses in their short
    form, no default port (so that http and https of one host are one server), and no credentials.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    host = _normal_host(host)
    host = f"[{host}]" if ":" in host else host
    return host if port in {None, _DEFAULT_PORTS.get(parts.scheme)} else f"{host}:{port}"


def _normal_host(host: str) -> str:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).compressed
    host = host.rstrip(".").lower()
    with contextlib.suppress(UnicodeError):
        host = host.encode("idna").decode("ascii")
    return "127.0.0.1" if host == "localhost" else host


def credentials_of(url: str) -> tuple[str, str] | None:
    """User and password of a URL, unquoted. None without both, for Locust then sends neither."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        if parts.username and parts.password:
            return unquote(parts.username), unquote(parts.password)
    return None


class _Kept:
    """The secrets of this process. Not an argument: any text may hold one, and every text is shown by us."""

    secrets: frozenset[str] = frozenset()
    pattern: re.Pattern[str] | None = None


def keep_secret(*secrets: str) -> None:
    """From now on, `hide_credentials` hides these too, in each form in which they could stand in a text."""
    _Kept.secrets |= {form for secret in secrets for form in _forms_of(secret)}
    ordered = sorted(_Kept.secrets, key=len, reverse=True)  # the longest first: others may be parts of it
    _Kept.pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None


def kept_secrets() -> tuple[str, ...]:
    """All that `keep_secret` was given, in all forms, for a process that is started."""
    return tuple(sorted(_Kept.secrets))


def forget_secrets() -> None:
    """For the end of a command, where the process goes on."""
    _Kept.secrets, _Kept.pattern = frozenset(), None


def _forms_of(secret: str) -> set[str]:
    forms = {secret, *secret.splitlines()}
    forms |= {quote(secret, safe=""), quote_plus(secret), b64encode(secret.encode(errors="replace")).decode()}
    forms.add(json.dumps(secret)[1:-1])
    return {form for form in forms if len(form) >= MIN_SECRET_LENGTH}


def hide_credentials(text: str) -> str:
    """The same text with ``***`` for what stands before the @ of every URL in it, and for what is kept."""
    return hide_kept(_CREDENTIALS.sub(f"://{HIDDEN}@", text) if "@" in text else text)


def hide_kept(text: str) -> str:
    """The same text with ``***`` for every secret that `keep_secret` was given."""
    return _Kept.pattern.sub(HIDDEN, text) if _Kept.pattern else text


def find_secrets(urls: Iterable[str]) -> tuple[str, ...]:
    """Every form in which credentials of these URLs could stand in a text by themselves, longest first."""
    found: set[str] = set()
    for url in urls:
        if credentials := credentials_of(url):
            user, password = credentials
            quoted = urlsplit(url).password or ""
            pair = b64encode(f"{user}:{password}".encode()).decode()
            found.update((password, quoted, pair))
    return tuple(sorted((each for each in found if len(each) >= _MIN_LETTERS), key=len, reverse=True))


def hide_secrets(text: str, secrets: tuple[str, ...]) -> str:
    """The same text with ``***`` for every secret, and for the credentials of every URL."""
    text = hide_credentials(text)
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text
