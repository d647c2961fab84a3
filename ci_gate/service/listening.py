"""Where a service listens instead of where it is asked: on another port, or on IPv6 alone."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable

_IPV4 = ("0.0.0.0", "127.0.0.1")  # noqa: S104 - compared with, not bound to
_MAX_NAMED = 5


def describe_listeners(process_ids: Iterable[int], port: int) -> str:
    """What is wrong with where these processes listen; empty where nothing is, or none listens.

    For a service that does not answer on 127.0.0.1: one that listens on ``::`` then asked for IPv6 alone.
    """
    found: set[tuple[str, int]] = set()
    for pid in process_ids:
        with contextlib.suppress(psutil.Error, OSError):
            for each in psutil.Process(pid).net_connections(kind="tcp"):
                if each.status == psutil.CONN_LISTEN:
                    found.add((each.laddr.ip, each.laddr.port))
    right = sorted(ip for ip, its_port in found if its_port == port)
    if any(ip in _IPV4 for ip in right):
        return ""
    if right:
        on = ", ".join(f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}" for ip in right)
        return f"it listens on {on} alone: let it listen on 127.0.0.1, or on IPv4 and IPv6"
    ports = sorted({its_port for _, its_port in found})[:_MAX_NAMED]
    if ports:
        named = ", ".join(map(str, ports))
        return f"it listens on port {named}, not on {port}: give it {{port}}, or say port: {ports[0]}"
    return ""
