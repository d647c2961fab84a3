"""Commands around a service: before it starts, once it can serve, and the question whether it can."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_gate.errors import ServiceError
from ci_gate.service.environment import reset_env
from ci_gate.service.log import ServiceLog, open_log
from ci_gate.service.log_bound import keep_bounded
from ci_gate.service.process import Command, describe_status, split_command, start_process
from ci_gate.thresholds.commands import explain_no_shell
from ci_gate.wording import format_exact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_gate.service.container import GuardedContainer
    from ci_gate.service.environment import Placeholders, ServiceContext
    from ci_gate.service.guard.watchdog import Watchdog
    from ci_gate.thresholds import Service

LOG_LINES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where such a command runs: in ``container`` where there is one, else on this machine.

    ``inside`` is what placeholders stand for there; ``env`` is the service's own environment, expanded.
    """

    service: Service
    placement: ServiceContext
    watchdog: Watchdog
    inside: Placeholders
    env: Mapping[str, str]
    container: GuardedContainer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandAround:
    """A command line of thresholds.yaml and its key there. What it prints goes to ``<log>.<key>.log``."""

    key: str
    text: str
    timeout_s: float

    def run(self, where: Surroundings) -> None:
        """Run it to its end. Raises ServiceError with its last lines if it fails or takes too long."""
        log = self._open_log(where)
        try:
            words, status = self._run(where, log)
        except ServiceError as error:
            raise error.with_hint(explain_no_shell(self.text)) from error
        if status == 0:
            return
        failed = f"{self.key} {self._describe(status)}: {shlex.join(words)}"
        raise ServiceError(failed, log.tail(LOG_LINES), log.path.name).with_hint(explain_no_shell(self.text))

    def probe(self, where: Surroundings) -> str | None:
        """None if it ends well, else what is wrong. Raises ServiceError if it cannot be started."""
        log = self._open_log(where)
        _, status = self._run(where, log)
        last = log.tail(1)
        return None if status == 0 else f"{self.key} {self._describe(status)}{last and f': {last}'}"

    def _open_log(self, where: Surroundings) -> ServiceLog:
        path = where.placement.log_path
        return open_log(path.with_name(f"{path.stem}.{self.key}.log"))

    def _describe(self, status: int | None) -> str:
        if status is None:
            return f"did not end within {format_exact(self.timeout_s)} s"
        return f"failed: {describe_status(status)}"

    def _run(self, where: Surroundings, log: ServiceLog) -> tuple[tuple[str, ...], int | None]:
        """The words and the exit status, None where it took too long."""
        placement = where.placement
        words = tuple(
            where.inside.fill(word)
            for word in split_command(self.text, service=where.service, placement=placement, key=self.key)
        )
        variables = reset_env(where.inside)
        if where.container:
            with keep_bounded(log):
                return words, where.container.run_inside(words, variables, self.timeout_s, log)
        env = {**placement.environ, **where.env, **variables}
        command = Command(words=words, env=env, cwd=placement.repository, log=log, grace_s=1.0)
        with start_process(command, where.watchdog) as process:
            return words, process.wait(self.timeout_s)
