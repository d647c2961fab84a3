"""Whose needs are started for a side of a comparison, and how its service learns where they are."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from ci_gate.run.plan import RunOptions
from ci_gate.service.environment import ServiceContext
from ci_gate.service.needs import NeedsAround
from ci_gate.thresholds import Service


def see_needs(
    around: NeedsAround,
    options: RunOptions,
    service: Service,
    placement: ServiceContext,
    on_progress: Callable[[str], None],
) -> ServiceContext:
    """The placement with variables that say where they are, once they are healthy.

    What both sides share is head's. Raises as `NeedsAround.start` does.
    """
    needs, whose = options.thresholds.service.needs, placement
    if needs and not needs.per_side:
        whose = dataclasses.replace(placement, repository=options.repository, environ=options.environ)
    else:
        needs = service.needs
    if needs is None or service.kind == "url":
        return placement
    variables = around.start(needs, service, whose, on_progress)
    return dataclasses.replace(placement, environ={**placement.environ, **variables})
