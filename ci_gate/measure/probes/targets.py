"""Which servers are probed: what thresholds.yaml says, with its placeholders and variables resolved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ci_gate.evidence.probe_kinds import PROBE_KINDS, ProbeKind
from ci_gate.service.environment import expand_text, find_ca
from ci_gate.service.running import RunningService
from ci_gate.thresholds import Probes

# What a container calls this machine, on which the probe itself runs.
_HOST_IN_CONTAINERS: Final = "host.docker.internal"
_HOST: Final = "127.0.0.1"
_SCHEME: Final = re.compile(r"([a-z][a-z0-9]*)(?:\+[a-z0-9_]+)?://", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeTargets:
    """Where each probe asks; one without an address is off.

    ``off`` says, in a line each, why one is off that has an address in thresholds.yaml.
    """

    addresses: Mapping[str, str] = field(default_factory=dict, repr=False)  # by probe
    metrics_url: str = ""
    metrics: tuple[tuple[str, str], ...] = ()  # role, then the metric's name on the page
    metrics_ca: Path | None = None  # certificates that the page's own is signed by
    off: tuple[str, ...] = ()


NO_PROBES: Final = ProbeTargets()


def resolve_targets(probes: Probes, service: RunningService) -> ProbeTargets:
    """The targets beside ``service``. Raises BadInputError for a variable that is not set.

    A variable such as DATABASE_URL may hold another kind of database: its probe is off then.
    """
    off: list[str] = []
    written = dict(probes.addresses)
    asked = [kind for kind in PROBE_KINDS if kind.name in written]
    addresses = {kind.name: _resolve(kind, written[kind.name], probes, service, off) for kind in asked}
    page = probes.metrics
    return ProbeTargets(
        addresses={name: address for name, address in addresses.items() if address},
        metrics_url=service.url + page.path if page else "",
        metrics=page.metrics if page else (),
        metrics_ca=find_ca(service.service, service.placement) if page else None,
        off=tuple(off),
    )


def _resolve(
    kind: ProbeKind,
    text: str,
    probes: Probes,
    service: RunningService,
    off: list[str],
) -> str:
    where = f"probes.{kind.name}"
    address = expand_text(
        text, service.inside, at=probes.at or service.service.at, placement=service.placement, where=where
    )
    address = address.strip().replace(_HOST_IN_CONTAINERS, _HOST)
    scheme = _SCHEME.match(address)
    if scheme is None:
        return address
    if scheme[1].lower() not in kind.schemes:
        known = ", ".join(f"{each}://" for each in kind.schemes)
        off.append(f"{where} is off: {scheme[1]}:// is none of {known}")
        return ""
    # postgresql+psycopg:// is SQLAlchemy's way to name a driver.
    return f"{scheme[1]}://{address[scheme.end() :]}"
