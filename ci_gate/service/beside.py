"""A service of several processes: the one that answers, and those that run beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ci_gate.service.log import ServiceLog
    from ci_gate.service.process import GuardedProcess


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedProcess:
    """One that runs beside the service's own command, with a log of its own."""

    name: str
    process: GuardedProcess
    log: ServiceLog


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessesTogether:
    """They are one service: it has ended as soon as one of them has."""

    main: GuardedProcess
    others: tuple[NamedProcess, ...]

    def ended(self) -> str | None:
        """How the first of them ended, and which; None while all of them run."""
        for other in self.others:
            if (how := other.process.ended()) is not None:
                return f"{how} of process {other.name}"
        return self.main.ended()

    def exit_status(self) -> int | None:
        """That of the first that has ended; None while all of them run."""
        statuses = (each.exit_status() for each in (*(other.process for other in self.others), self.main))
        return next((status for status in statuses if status is not None), None)

    def restarts(self) -> int:
        """Nothing starts a process again."""
        return 0

    def process_ids(self) -> tuple[int, ...]:
        """The living processes of all of them."""
        each = (self.main, *(other.process for other in self.others))
        return tuple(pid for process in each for pid in process.process_ids())

    def ended_log(self) -> ServiceLog | None:
        """The log of the one beside the service that has ended; None where all of them run."""
        return next((other.log for other in self.others if other.process.ended() is not None), None)
