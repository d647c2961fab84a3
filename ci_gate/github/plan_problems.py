"""What keeps a workflow from measuring what thresholds.yaml asks for; known before an image is built."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from ci_gate.errors import Problem
from ci_gate.thresholds import DEFAULT_PORT, Position, Scenario, Thresholds
from ci_gate.thresholds.yaml.source import read_yaml

MAX_SCENARIOS: Final = 256
"""Jobs that GitHub makes of one matrix at most."""

_EXPOSE: Final = re.compile(r"^[ \t]*EXPOSE[ \t]+(.+)$", re.IGNORECASE | re.MULTILINE)
_PORT: Final = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/tcp)?", re.IGNORECASE)


def find_plan_problems(
    thresholds: Thresholds, scenarios: Sequence[Scenario], dockerfile: str, context: str, repository: Path
) -> tuple[Problem, ...]:
    """More scenarios than a matrix holds; an image that cannot be built, or that exposes another port.

    ``dockerfile`` and ``context`` are relative to ``repository``, a checkout; empty where none is built.
    """
    found = [*_find_too_many(thresholds, scenarios)]
    if dockerfile:
        found += _find_no_image(thresholds, dockerfile, context, repository)
    return tuple(found)


def explain_guessed_port(thresholds: Thresholds, dockerfile: str, repository: Path) -> str:
    """That the service is expected at the default port, which nothing names; empty where something does."""
    if not dockerfile or _names_port(thresholds) or _find_exposed_ports(repository / dockerfile):
        return ""
    return f"'service' does not say its port, and {dockerfile} exposes none: {DEFAULT_PORT} is taken"


def _find_too_many(thresholds: Thresholds, scenarios: Sequence[Scenario]) -> Iterator[Problem]:
    if len(scenarios) > MAX_SCENARIOS:
        message = f"{len(scenarios)} scenarios are more than the jobs of one workflow's matrix"
        allowed = f"{MAX_SCENARIOS} at most, or a part of them by the input 'scenario'"
        yield _problem(thresholds, scenarios[MAX_SCENARIOS].at, message, allowed)


def _find_no_image(
    thresholds: Thresholds, dockerfile: str, context: str, repository: Path
) -> Iterator[Problem]:
    message = "the service's image cannot be built: "
    if not (_is_inside(dockerfile) and (repository / dockerfile).is_file()):
        allowed = "a Dockerfile of this repository, by service.dockerfile or the input 'dockerfile'"
        yield _problem(thresholds, thresholds.service.at, f"{message}there is no {dockerfile}", allowed)
        return
    if not (_is_inside(context) and (repository / context).is_dir()):
        allowed = "a folder of this repository, by the input 'context'"
        yield _problem(thresholds, thresholds.service.at, f"{message}there is no folder {context}", allowed)
        return
    exposed = _find_exposed_ports(repository / dockerfile)
    if exposed and DEFAULT_PORT not in exposed and not _names_port(thresholds):
        ports = " or ".join(str(port) for port in sorted(exposed)[:3])
        message = (
            f"'service' does not say its port: {DEFAULT_PORT} is taken, and {dockerfile} exposes {ports}"
        )
        allowed = "port: where the service listens in its container"
        yield _problem(thresholds, thresholds.service.at, message, allowed)


def _find_exposed_ports(dockerfile: Path) -> frozenset[int]:
    """The TCP ports that it exposes; none where it exposes none, or one that a variable names."""
    ports: set[int] = set()
    for line in _EXPOSE.findall(dockerfile.read_text(encoding="utf-8", errors="replace")):
        words = [word for word in line.split() if not word.lower().endswith("/udp")]
        found = [match for word in words if (match := _PORT.fullmatch(word))]
        if len(found) < len(words):
            return frozenset()
        ports.update(port for match in found for port in range(int(match[1]), int(match[2] or match[1]) + 1))
    return frozenset(ports)


def _is_inside(path: str) -> bool:
    """Whether a path that is normal and relative stays below where it starts."""
    return not path.startswith("/") and not f"{path}/".startswith("../")


def _names_port(thresholds: Thresholds) -> bool:
    return "port" in read_yaml(thresholds.text, thresholds.file).data["service"]


def _problem(thresholds: Thresholds, at: Position, message: str, allowed: str) -> Problem:
    return Problem(file=thresholds.file, line=at.line, column=at.column, message=message, allowed=allowed)
