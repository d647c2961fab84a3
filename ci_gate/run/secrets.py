"""What of the environment thresholds.yaml hands to a service, kept out of all that is written and printed."""

from __future__ import annotations

from collections.abc import Mapping

from ci_gate.addresses import keep_secret
from ci_gate.service.environment import find_secret_values
from ci_gate.thresholds import Service, Thresholds


def keep_secrets_of(service: Service, thresholds: Thresholds, environ: Mapping[str, str]) -> None:
    """Hide these values in this process and those that it starts; the file itself is public.

    ``service`` may be base's, which has its own.
    """
    texts = [value for _, value in service.env]
    texts += [address for _, address in thresholds.probes.addresses]
    for scenario in thresholds.scenarios:
        locust = scenario.locust
        texts += [*(value for _, value in locust.env), *locust.args, locust.host or ""]
    keep_secret(*find_secret_values(texts, environ, thresholds.text))
