"""Which servers are probed: what thresholds.yaml says, with its placeholders and variables resolved."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from ci_gate.service.environment import expand_text
from ci_gate.service.running import RunningService
from ci_gate.thresholds import Probes

# What a container calls this machine, on which the probe itself runs.
_HOST_IN_CONTAINERS: Final = "host.docker.internal"
_HOST: Final = "127.0.0.1"
_SCHEME: Final = re.compile(r"([a-z][a-z0-9]*)(?:\+[a-z0-9_]+)?://", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeTargets:
    """Where each probe asks; empty: it is off. ``off`` says in a line why one is that has an address."""

    postgres: str = field(default="", repr=False)
    redis: str = field(default="", repr=False)
    metrics_url: str = ""
    metrics: tuple[tuple[str, str], ...] = ()  # role, then the metric's name on the page
    off: tuple[str, ...] = ()


NO_PROBES: Final = ProbeTargets()


def resolve_targets(probes: Probes, service: RunningService) -> ProbeTargets:
    """The targets beside ``service``. Raises BadInputError for a variable that is not set.

    A variable such as DATABASE_URL may hold another kind of database: its probe is off then.
    """
    off: list[str] = []
    postgres = _resolve("postgres", probes.postgres, ("postgres", "postgresql"), probes, service, off)
    redis = _resolve("redis", probes.redis, ("redis", "rediss", "unix"), probes, service, off)
    page = probes.metrics
    return ProbeTargets(
        postgres=postgres,
        redis=redis,
        metrics_url=service.url + page.path if page else "",
        metrics=page.metrics if page else (),
        off=tuple(off),
    )


def _resolve(
    name: str,
    text: str,
    schemes: tuple[str, ...],
    probes: Probes,
    service: RunningService,
    off: list[str],
) -> str:
    where = f"probes.{name}"
    address = expand_text(
        text, service.inside, at=probes.at or service.service.at, placement=service.placement, where=where
    )
    address = address.strip().replace(_HOST_IN_CONTAINERS, _HOST)
    scheme = _SCHEME.match(address)
    if scheme is None:
        return address
    if scheme[1].lower() not in schemes:
        off.append(f"{where} is off: {scheme[1]}:// is none of {', '.join(f'{each}://' for each in schemes)}")
        return ""
    # postgresql+psycopg:// is SQLAlchemy's way to name a driver.
    return f"{scheme[1]}://{address[scheme.end() :]}"
