"""Fresh state before each scenario: runs ``before_each`` where the service runs."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from ci_gate.errors import ServiceError
from ci_gate.service.environment import reset_env
from ci_gate.service.log import ServiceLog, open_log
from ci_gate.service.log_bound import keep_bounded
from ci_gate.service.process import Command, describe_status, split_command, start_process
from ci_gate.thresholds.commands import explain_no_shell
from ci_gate.wording import format_exact

if TYPE_CHECKING:
    from ci_gate.service.guard.watchdog import Watchdog
    from ci_gate.service.running import RunningService

RESET_TIMEOUT_S = 120.0
LOG_LINES = 20


def run_before_each(
    running: RunningService, *, watchdog: Watchdog, timeout_s: float = RESET_TIMEOUT_S
) -> None:
    """Does nothing without a ``before_each``.

    Inside the container for an image or a Dockerfile, else on this machine; with the service's environment
    and CI_GATE_URL, CI_GATE_PORT, CI_GATE_STATE and CI_GATE_SIDE as seen from there. What it prints goes to
    ``<log>.before_each.log``. Raises ServiceError with the last lines of that if it fails or takes too long.
    """
    command = running.service.before_each
    if command is None:
        return
    words = split_command(command, service=running.service, placement=running.placement, key="before_each")
    path = running.log.path
    log = open_log(path.with_name(f"{path.stem}.before_each.log"))
    try:
        status = _run(running, tuple(running.inside.fill(word) for word in words), log, watchdog, timeout_s)
    except ServiceError as error:
        raise error.with_hint(explain_no_shell(command)) from error
    if status == 0:
        return
    how = (
        f"did not end within {format_exact(timeout_s)} s"
        if status is None
        else f"failed: {describe_status(status)}"
    )
    failed = f"before_each {how}: {shlex.join(words)}"
    raise ServiceError(failed, log.tail(LOG_LINES), log.path.name).with_hint(explain_no_shell(command))


def _run(
    running: RunningService, words: tuple[str, ...], log: ServiceLog, watchdog: Watchdog, timeout_s: float
) -> int | None:
    variables = reset_env(running.inside)
    if running.container:
        with keep_bounded(log):
            return running.container.run_inside(words, variables, timeout_s, log)
    env = {**running.placement.environ, **dict(running.env), **variables}
    command = Command(words=words, env=env, cwd=running.placement.repository, log=log, grace_s=1.0)
    with start_process(command, watchdog) as process:
        return process.wait(timeout_s)
