"""The thresholds.yaml of a case: of the reference service, or of one of the small ones in `served`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
SERVED = Path(__file__).with_name("served")
SCENARIOS = REPOSITORY / "reference_service" / "scenarios"
SERVICE = (sys.executable, "-m", "reference_service.service")
RAMP_S = 4
LOAD = "load"
"""The folder of the locustfiles in the case's repository."""

Document = dict[str, Any]
Values = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a case runs on: the server of the databases ``base`` and ``head``, and what is installed."""

    postgres: str  # without the name of a database
    redis: str
    tools: Path = Path()  # where gunicorn and uvicorn are
    image: str = ""  # of the reference service
    leak_image: str = ""
    seconds: float = 8.0

    def inside(self) -> Place:
        """As a container sees it."""
        out, host = "127.0.0.1", "host.docker.internal"
        return replace(self, postgres=self.postgres.replace(out, host), redis=self.redis.replace(out, host))


Write = Callable[[Place], Document]


def reference(
    scenario: str,
    fault: str = "",
    *,
    has_metrics: bool = True,
    env: Values | None = None,
    service: Values | None = None,
    limits: Values | None = None,
) -> Write:
    """The reference service with that fault under that scenario of this repository, or other limits."""

    def write(place: Place) -> Document:
        document: Document = yaml.safe_load((REPOSITORY / "thresholds.yaml").read_text(encoding="utf-8"))
        load = document["scenarios"][scenario]
        load["limits"] = limits or load["limits"]
        load["locustfile"] = f"{LOAD}/{Path(load['locustfile']).name}"
        document["service"]["command"] = " ".join((*SERVICE, "--port", "{port}"))
        # Both would start the service's program again for each run: the benchmark resets.
        del document["service"]["before_each"]
        document["service"] |= service or {}
        document["service"]["env"] = {
            "DATABASE_URL": f"{place.postgres}/{{side}}",
            "REDIS_URL": place.redis,
            "PYTHONPATH": str(REPOSITORY),
            "FAULTS": fault,
            **(env or {}),
        }
        document["probes"] |= {"postgres": f"{place.postgres}/{{side}}", "redis": place.redis}
        if not has_metrics:
            del document["probes"]["metrics"]
        return shorten(document, {scenario: load}, place)

    return write


def reference_image(scenario: str, **limits: object) -> Write:
    """The healthy reference service in a container with these limits."""

    def write(place: Place) -> Document:
        inside = place.inside()
        document = reference(scenario)(inside)
        del document["service"]["command"], document["service"]["env"]["PYTHONPATH"]
        document["service"] |= {"image": place.image, "port": 8000, **limits}
        return document

    return write


def small(
    command: str,
    user: str,
    users: int,
    *,
    env: Values | None = None,
    has_database: bool = True,
    limits: Values | None = None,
) -> Write:
    """A service of `served` by that command; ``{tools}`` in it is where gunicorn and uvicorn are."""

    def write(place: Place) -> Document:
        url = f"{place.postgres}/{{side}}"
        service: Document = {
            "command": command.replace("{tools}", str(place.tools)),
            "ready": "/healthz",
            "env": {**({"DATABASE_URL": url} if has_database else {}), **(env or {})},
        }
        document: Document = {"schema": 1, "service": service}
        if has_database:
            document["probes"] = {"postgres": url}
        return shorten(document, {"items": small_load(user, users, limits)}, place)

    return write


def leaking(keeps_bytes: int, memory: str, users: int) -> Write:
    """A container that keeps so much of each request, and its limit."""

    def write(place: Place) -> Document:
        service = {
            "image": place.leak_image,
            "port": 8000,
            "ready": "/healthz",
            "memory": memory,
            "env": {"KEEPS_BYTES": str(keeps_bytes)},
        }
        load = {"items": small_load("ItemUser", users, None)}
        return shorten({"schema": 1, "service": service}, load, place)

    return write


def small_load(user: str, users: int, limits: Values | None) -> Document:
    """A scenario of the users in `served`."""
    return {
        "locustfile": f"{LOAD}/users.py",
        "users": {user: users},
        "limits": {"all": {"p50": "200ms", "failures": "1%"}} if limits is None else limits,
        "regression": {"p50": "10%"},
    }


def shorten(document: Document, scenarios: Document, place: Place) -> Document:
    """With phases that are as short as a case needs them; measured once, whoever else has the machine."""
    for scenario in scenarios.values():
        scenario["spawn_rate"] = sum(scenario["users"].values()) / RAMP_S
        scenario.setdefault("relax", {})["machine-taken"] = "the diagnosis is asked, and not the verdict"
    return document | {
        "profiles": {"short": {"duration": f"{place.seconds:g}s", "warmup": "2s"}},
        "compare": {"max_duration": "30s", "confirm": False},
        "scenarios": scenarios,
    }
