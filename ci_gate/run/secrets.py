"""What of the environment thresholds.yaml hands to a service, kept out of all that is written and printed."""

from __future__ import annotations

from collections.abc import Mapping

from ci_gate.addresses import keep_secret
from ci_gate.service.environment import find_secret_values
from ci_gate.thresholds import Probes, Service


def keep_secrets_of(service: Service, probes: Probes, environ: Mapping[str, str], text: str) -> None:
    """Hide these values in this process and those that it starts; ``text`` is the file, which is public."""
    texts = (*(value for _, value in service.env), *(address for _, address in probes.addresses))
    keep_secret(*find_secret_values(texts, environ, text))
