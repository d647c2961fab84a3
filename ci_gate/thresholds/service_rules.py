"""Rules between the keys of ``service``: what each kind of a service has, and commands without a shell."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from ci_gate.errors import Problem
from ci_gate.thresholds.quantities import parse_bytes
from ci_gate.thresholds.yaml.source import Section

MIN_MEMORY_BYTES = 6 * 1024**2  # Docker refuses less


def list_commands(service: Section) -> Iterator[tuple[Section, str]]:
    """Every place where a command line may stand."""
    processes = service.section("processes")
    for key in ("command", "before_start", "before_each"):
        yield service, key
    yield service.section("ready"), "command"
    yield from ((processes, name) for name in processes.data)


def _check_ready(service: Section) -> Iterator[Problem]:
    ready = service.section("ready")
    ways = [way for way in ("path", "tcp", "command") if way in ready.data]
    if ready.data and len(ways) != 1:
        message = f"'ready' says {' and '.join(ways)}" if ways else "'ready' does not say when"
        yield service.problem("ready", message, "exactly one of path, tcp, command")
    elif "status" in ready.data and ways != ["path"]:
        yield ready.problem("status", "'status' is of 'path', which is missing", "path beside it")


def _check_kind(service: Section) -> Iterator[Problem]:
    """Keys that only some kinds of a service have."""
    if "url" in service.data and "before_start" in service.data:
        message = "'before_start' stands beside 'url': that service runs already"
        yield service.problem("before_start", message, "before_each, which runs before each scenario")
    if "url" in service.data and "needs" in service.data:
        message = "'needs' stands beside 'url': that service runs already"
        yield service.problem("needs", message, "a service that ci-gate starts")
    if "processes" in service.data and "command" not in service.data:
        message = "'processes' are of 'command', which is missing"
        yield service.problem("processes", message, "a service that is started by command")
    if "ca" in service.data and service.get("url", "").startswith("http://"):
        yield service.problem("ca", "'ca' is of https, and 'url' is not", "an url with https, or no ca")


def _check_quotes(service: Section) -> Iterator[Problem]:
    for section, key in list_commands(service):
        try:
            shlex.split(section.get(key, ""))
        except ValueError as error:
            message = f"{key!r} cannot be split into words: {str(error).lower()}"
            yield section.value_problem(key, message, "the quoting of a POSIX shell")


def _check_url(service: Section) -> Iterator[Problem]:
    url = service.get("url", "${}")
    if "${" not in url and not _has_host_and_port(url):
        yield service.value_problem(
            "url", "'url' holds no valid host and port", "such as http://127.0.0.1:8000"
        )


def _has_host_and_port(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _check_memory(service: Section) -> Iterator[Problem]:
    memory = service.get("memory")
    if memory is not None and parse_bytes(memory) < MIN_MEMORY_BYTES:
        yield service.value_problem(
            "memory", f"'memory' cannot be {memory}", "6MiB at least, as Docker demands"
        )


SERVICE_RULES: tuple[Callable[[Section], Iterator[Problem]], ...] = (
    _check_ready,
    _check_kind,
    _check_quotes,
    _check_url,
    _check_memory,
)
