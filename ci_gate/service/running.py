"""A service under load: where it is, whether it still runs, and what a sampler reads of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from ci_gate.service.container import GuardedContainer
    from ci_gate.service.environment import Placeholders, ServiceContext
    from ci_gate.service.log import ServiceLog
    from ci_gate.thresholds import Service, ServiceKind


class Runtime(Protocol):
    """What a process and a container have in common."""

    def ended(self) -> str | None: ...
    def exit_status(self) -> int | None: ...
    def restarts(self) -> int: ...
    def process_ids(self) -> tuple[int, ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningService:
    """``url`` has no trailing slash. ``runtime`` is None for kind url: only its answers can be known.

    ``inside`` is what the placeholders stand for where ``before_each`` runs; ``env`` is the service's own
    environment, expanded. ``ready_after_s`` is how long it took from its start.
    """

    service: Service
    placement: ServiceContext
    url: str
    runtime: Runtime | None
    log: ServiceLog
    inside: Placeholders
    env: tuple[tuple[str, str], ...]
    ready_after_s: float

    @property
    def kind(self) -> ServiceKind:
        return self.service.kind

    @property
    def is_container(self) -> bool:
        return self.service.is_container

    @property
    def container(self) -> GuardedContainer | None:
        """The runtime, if it is one; its class is not asked, for that would import Docker's library."""
        return cast("GuardedContainer", self.runtime) if self.service.is_container else None

    @property
    def container_id(self) -> str | None:
        return self.container.container_id if self.container else None

    def alive(self) -> bool:
        """True for kind url: whether it answers is for the load to find."""
        return self.ended() is None

    def ended(self) -> str | None:
        """How it ended in words (``exit status 3``), None while it runs."""
        return self.runtime.ended() if self.runtime else None

    def exit_status(self) -> int | None:
        """None while it runs; negative for a signal."""
        return self.runtime.exit_status() if self.runtime else None

    def restarts(self) -> int | None:
        """How often it was started again by something else; None if that cannot be known."""
        return self.runtime.restarts() if self.runtime else None

    def process_ids(self) -> tuple[int, ...]:
        """On this host: all processes of a command, the first one of a container."""
        return self.runtime.process_ids() if self.runtime else ()

    @property
    def own_port(self) -> int | None:
        """Where it listens, in a container inside of it; None for kind url, whose processes are not known."""
        return self.inside.port if self.runtime else None

    def log_tail(self, lines: int = 20) -> str:
        return self.log.tail(lines)
