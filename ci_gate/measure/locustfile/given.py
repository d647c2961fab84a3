"""What Locust is given of a scenario's settings, with its placeholders and variables resolved."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

from ci_gate.evidence.workload import GivenSettings
from ci_gate.service.environment import Placeholders, expand_loosely, expand_text
from ci_gate.service.running import RunningService
from ci_gate.thresholds import LocustSettings, Scenario

_PORTS: Final = {"http": 80, "https": 443}
_NO_SERVICE: Final = Placeholders(port=9, url="http://127.0.0.1:9", state=os.devnull, side="head")


def resolve_settings(
    scenario: Scenario, service: RunningService, environ: Mapping[str, str]
) -> GivenSettings:
    """Of a scenario beside its running service. Raises BadInputError for a variable that is not set.

    ``environ`` is head's on both sides of a comparison: it is head's locustfile that loads them.
    """
    placement = dataclasses.replace(service.placement, environ=environ)
    parts = urlsplit(service.url)
    placeholders = Placeholders(
        port=parts.port or _PORTS.get(parts.scheme, 0),
        url=service.url,
        state=str(service.placement.state_dir),
        side=service.placement.side,
    )

    def resolve(text: str, where: str) -> str:
        where = f"scenarios.{scenario.name}.{where}"
        return expand_text(text, placeholders, at=scenario.at, placement=placement, where=where)

    return _resolve(scenario.locust, resolve)


def resolve_before_load(settings: LocustSettings, environ: Mapping[str, str]) -> GivenSettings:
    """Of a scenario whose service does not run yet: its address is none, and a variable may be missing."""
    return _resolve(settings, lambda text, _: expand_loosely(text, _NO_SERVICE, environ))


def _resolve(settings: LocustSettings, resolve: Callable[[str, str], str]) -> GivenSettings:
    return GivenSettings(
        locustfiles=settings.locustfiles,
        directory=settings.directory,
        env={name: resolve(text, f"env.{name}") for name, text in settings.env},
        args=tuple(resolve(word, "args") for word in settings.args),
        tags=settings.tags,
        exclude_tags=settings.exclude_tags,
        host=resolve(settings.host, "host") if settings.host else None,
        shape=settings.shape,
    )
