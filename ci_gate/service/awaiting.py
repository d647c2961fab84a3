"""Awaits a service in the way that thresholds.yaml says, and what keeps one that runs from being reached."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ci_gate.errors import ServiceError
from ci_gate.service.around import LOG_LINES, CommandAround, Surroundings
from ci_gate.service.beside import ProcessesTogether
from ci_gate.service.environment import find_ca
from ci_gate.service.listening import describe_listeners
from ci_gate.service.ready import IN_A_ROW, await_ready, probe_http, probe_tcp

if TYPE_CHECKING:
    from collections.abc import Callable

    from ci_gate.service.log import ServiceLog
    from ci_gate.service.ready import Clock
    from ci_gate.service.running import Runtime
    from ci_gate.thresholds import Ready, Service

_CONTAINER_HINT = " (inside its container it must listen on 0.0.0.0, port {port})"


def await_service(
    where: Surroundings, url: str, runtime: Runtime | None, *, log: ServiceLog, clock: Clock
) -> float:
    """The seconds until it was ready.

    Raises ServiceError with the last lines of the log that says why where it ends before, or takes too long.
    """
    service = where.service
    try:
        return await_ready(
            _make_probe(where, url),
            runtime.ended if runtime else lambda: None,
            timeout_s=service.ready_timeout_s,
            clock=clock,
            in_a_row=1 if service.ready.command else IN_A_ROW,
        )
    except ServiceError as error:
        beside = runtime.ended_log() if isinstance(runtime, ProcessesTogether) else None
        message = f"{error}{_find_hint(service, runtime, url)}"
        if beside:
            raise ServiceError(message, beside.tail(LOG_LINES), beside.path.name) from error
        raise ServiceError(message, log.tail(LOG_LINES)) from error


def describe_ready(ready: Ready) -> str:
    """What is awaited, to stand behind a URL."""
    return ready.path if ready.path is not None else f" ({ready})"


def _make_probe(where: Surroundings, url: str) -> Callable[[float], str | None]:
    """What asks once whether the service can serve, given the seconds that it may take."""
    service, ready = where.service, where.service.ready
    if ready.command is not None:
        command = CommandAround(key="ready", text=ready.command, timeout_s=service.ready_timeout_s)
        return lambda _timeout_s: command.probe(where)
    if ready.path is None:
        return lambda timeout_s: probe_tcp(url, timeout_s)
    target, ca = url + ready.path, find_ca(service, where.placement)
    return lambda timeout_s: probe_http(target, timeout_s, ready.statuses, ca)


def _find_hint(service: Service, runtime: Runtime | None, url: str) -> str:
    """What may keep a service that runs from being reached."""
    if runtime is None or runtime.ended() is not None:
        return ""
    if service.is_container:
        return _CONTAINER_HINT.format(port=service.port)
    hint = describe_listeners(runtime.process_ids(), urlsplit(url).port or 0)
    return f"; {hint}" if hint else ""
