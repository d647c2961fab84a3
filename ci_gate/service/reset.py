"""Fresh state before each scenario: runs ``before_each`` where the service runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_gate.service.around import CommandAround, Surroundings

if TYPE_CHECKING:
    from ci_gate.service.guard.watchdog import Watchdog
    from ci_gate.service.running import RunningService


def run_before_each(running: RunningService, *, watchdog: Watchdog) -> None:
    """Does nothing without a ``before_each``.

    Inside the container for an image or a Dockerfile, else on this machine; with the service's environment
    and CI_GATE_URL, CI_GATE_PORT, CI_GATE_STATE and CI_GATE_SIDE as seen from there. What it prints goes to
    ``<log>.before_each.log``. Raises ServiceError with the last lines of that if it fails or takes too long.
    """
    service = running.service
    if service.before_each is None:
        return
    where = Surroundings(
        service=service,
        placement=running.placement,
        watchdog=watchdog,
        inside=running.inside,
        env=dict(running.env),
        container=running.container,
    )
    CommandAround(key="before_each", text=service.before_each, timeout_s=service.before_each_timeout_s).run(
        where
    )
